package abi

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"
)

func TestEventDecode(t *testing.T) {
	e := MustParseEvent("event X(uint8 a, address indexed b, string indexed c, bytes d, (bool, bool) indexed e)")
	hash := common.Hash{7}
	values, err := e.Decode(&types.Log{
		Topics: []common.Hash{e.Topic(), common.BytesToHash(alice[:]), hash, hash},
		Data:   words("5", "40", "1", "0xab00000000000000000000000000000000000000000000000000000000000000"),
	})
	require.NoError(t, err)
	require.Equal(t, []any{uint8(5), alice, hash, []byte{0xab}, hash}, values)
}

func TestEventDecodeRefuses(t *testing.T) {
	e := MustParseEvent("event X(bool a, address indexed b)")
	good := []common.Hash{e.Topic(), common.BytesToHash(alice[:])}
	for _, test := range []struct {
		log     types.Log
		problem string
	}{
		{types.Log{}, "log of another event"},
		{types.Log{Topics: []common.Hash{{}, good[1]}, Data: words("1")}, "log of another event"},
		{types.Log{Topics: good[:1], Data: words("1", aliceHex)}, "log of another event"},
		{types.Log{Topics: append(good, common.Hash{}), Data: words("1")}, "log of another event"},
		{types.Log{Topics: good}, "data ends too early: 0 bytes where 32 are needed"},
		{types.Log{Topics: good, Data: words("2")}, "unindexed argument 1 (a): word 0x0000000000000000000000000000000000000000000000000000000000000002 is not a bool"},
		{types.Log{Topics: []common.Hash{e.Topic(), {1}}, Data: words("1")}, "argument 2 (b): word 0x0100000000000000000000000000000000000000000000000000000000000000 is not an address"},
	} {
		_, err := e.Decode(&test.log)
		require.EqualError(t, err, "decode X(bool,address): "+test.problem)
	}
	_, err := e.Decode(new(types.Log))
	require.ErrorIs(t, err, ErrOtherEvent)
}

func FuzzEventDecode(f *testing.F) {
	e := MustParseEvent("event X(uint8 a, address indexed b, string c, int24 indexed d)")
	f.Add(common.BytesToHash(alice[:]).Bytes(), words("1"), words("5", "40", "0"))
	f.Fuzz(func(t *testing.T, b, d, data []byte) {
		values, err := e.Decode(&types.Log{Topics: []common.Hash{e.Topic(), common.BytesToHash(b), common.BytesToHash(d)}, Data: data})
		if err == nil {
			require.IsType(t, []any{uint8(0), alice, "", new(big.Int)}, values)
			require.Len(t, values, 4)
		}
	})
}
