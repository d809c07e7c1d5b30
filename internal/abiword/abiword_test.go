package abiword_test

import (
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// The Append functions make the words and tails that the generic encoder makes, and as many as the size
// functions say.
func TestAppend(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	address := common.Address{1, 19: 2}
	for n := range 70 {
		number, b := new(uint256.Int).SetBytes(randomBytes(r, 32)), randomBytes(r, n)
		hashes := make([]common.Hash, n%5)
		for i := range hashes {
			hashes[i] = common.Hash(randomBytes(r, 32))
		}
		want, err := abi.MustParseFunction("f(bytes32, uint64, uint256, address, bytes, bytes32[])").
			Pack(common.Hash{1}, n, number, address, b, hashes)
		require.NoError(t, err)

		got := abiword.AppendWord(nil, common.Hash{1})
		got = abiword.AppendUint64(got, uint64(n))
		got = abiword.AppendUint256(got, number)
		got = abiword.AppendAddress(got, address)
		got = abiword.AppendUint64(got, 6*abiword.Size)
		got = abiword.AppendUint64(got, uint64(6*abiword.Size+abiword.BytesSize(n)))
		got = abiword.AppendBytes(got, b)
		got = abiword.AppendHashes(got, hashes)
		require.Equal(t, hexutil.Encode(want[abi.SelectorSize:]), hexutil.Encode(got))
		require.Len(t, got, 6*abiword.Size+abiword.BytesSize(n)+abiword.HashesSize(len(hashes)))
	}
}

func TestAppendUint48(t *testing.T) {
	require.Equal(t, []byte{9, 1, 2, 3, 4, 5, 6}, abiword.AppendUint48([]byte{9}, 0x010203040506))
	require.Equal(t, make([]byte, abiword.Uint48Size), abiword.AppendUint48(nil, 1<<48))
}
