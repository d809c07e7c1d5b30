package contracts

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/abiword"
)

// Both ways agree: what is packed is what is parsed, requests and responses alike.
func TestReadsBothWays(t *testing.T) {
	r := newRand()
	for n := range 60 {
		time := r.Uint64()
		reads, results := make([]Read, n), make([]ReadResult, n)
		for i := range n {
			reads[i] = Read{To: common.Address(randomBytes(r, 20)), Data: randomBytes(r, r.IntN(100)), MaxAnswer: r.IntN(300), Mutates: r.IntN(2) == 1}
			results[i] = ReadResult{HasCode: r.IntN(2) == 1, OK: r.IntN(2) == 1, Data: randomBytes(r, r.IntN(320)), BlockTime: time}
			results[i].Balance.SetBytes(randomBytes(r, r.IntN(33)))
		}
		request, packed := PackReads(reads)
		require.Equal(t, n, packed)
		parsed, err := ParseReads(request)
		require.NoError(t, err)
		for i := range reads {
			reads[i].MaxAnswer = max(reads[i].MaxAnswer, abiword.Size)
		}
		require.Equal(t, reads, slices.Clip(append([]Read{}, parsed...)))

		response, err := PackReadResults(parsed, results)
		require.NoError(t, err)
		unpacked, err := UnpackReadResults(response, n)
		require.NoError(t, err)
		require.Len(t, unpacked, n)
		for i := range results {
			results[i].Data = results[i].Data[:min(len(results[i].Data), reads[i].MaxAnswer)]
			require.Equal(t, results[i], unpacked[i])
		}
	}
}

func TestParseReadsRefuses(t *testing.T) {
	to := common.Address{1}
	good, _ := PackReads([]Read{{To: to, Data: []byte{1, 2, 3, 4}}})
	head := len(readerCode)
	change := func(at int, b byte) []byte {
		request := bytes.Clone(good)
		request[head+at] = b
		return request
	}
	huge, _ := PackReads([]Read{{To: to, Data: make([]byte, maxRequestSize)}})
	for _, test := range []struct {
		request []byte
		problem string
	}{
		{nil, "not a batched read"},
		{good[:head-1], "not a batched read"},
		{good[1:], "not a batched read"},
		{good[:head+31], "batched read: read 1: 31 bytes where 32 are its head"},
		{append(bytes.Clone(good), 0), "batched read: read 2: 1 bytes where 32 are its head"},
		{good[:len(good)-1], "batched read: read 1: 4 bytes of data, 3 are there"},
		{change(20, 0x81), "batched read: read 1: flags that have no meaning"},
		{change(21, 1), "batched read: read 1: flags that have no meaning"},
		{change(22, 0x80), "batched read: read 1: an answer of at most 2147483680 bytes"},
		{change(25, 31), "batched read: read 1: an answer of at most 31 bytes"},
		{change(26, 1), "batched read: read 1: 1099511627780 bytes of data, 4 are there"},
		{huge, "batched read of 49351 bytes: a node takes 49152"},
	} {
		_, err := ParseReads(test.request)
		require.EqualError(t, err, test.problem)
	}
	_, err := ParseReads([]byte{1})
	require.ErrorIs(t, err, ErrNotReads)
	reads, err := ParseReads(readerCode)
	require.NoError(t, err)
	require.Empty(t, reads)
}

func TestPackReadResultsRefuses(t *testing.T) {
	_, err := PackReadResults(make([]Read, 2), make([]ReadResult, 1))
	require.EqualError(t, err, "batched read: 1 results of 2 reads")
	_, err = PackReadResults([]Read{{MaxAnswer: math.MaxInt32}}, []ReadResult{{Data: make([]byte, maxResponseSize)}})
	require.EqualError(t, err, "batched read: a response of 24672 bytes: a node gives 24576")
}

func FuzzParseReads(f *testing.F) {
	add := func(reads ...Read) {
		request, _ := PackReads(reads)
		f.Add(request[len(readerCode):])
	}
	add()
	add(Read{To: common.Address{1}, Data: []byte{1, 2, 3, 4}, MaxAnswer: 100})
	add(Read{Mutates: true}, Read{To: common.Address{2}})
	f.Fuzz(func(t *testing.T, data []byte) {
		request := slices.Concat(readerCode, data)
		reads, err := ParseReads(request)
		if err != nil {
			return
		}
		again := bytes.Clone(readerCode)
		for i := range reads {
			again = reads[i].append(again)
		}
		require.Equal(t, request, again)
	})
}

func FuzzUnpackReadResults(f *testing.F) {
	f.Add([]byte{}, uint8(1))
	f.Add(make([]byte, resultHead), uint8(1))
	f.Add(bytes.Repeat([]byte{1}, 3*resultHead), uint8(2))
	long, _ := PackReadResults(make([]Read, 1), []ReadResult{{Balance: *uint256.NewInt(1), OK: true, Data: binary.BigEndian.AppendUint64(nil, 1)}})
	f.Add(long, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		results, err := UnpackReadResults(data, int(n))
		if err != nil {
			return
		}
		size := resultTail
		for _, r := range results {
			size += resultHead + len(r.Data)
		}
		require.Len(t, results, int(n))
		require.Equal(t, len(data), size)
	})
}
