package abi

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
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

func TestKnownEvents(t *testing.T) {
	hash, sender, paymaster := common.Hash{1}, common.Address{2}, common.Address{3}
	topics := func(topic common.Hash, addresses ...common.Address) []common.Hash {
		list := []common.Hash{topic, hash}
		for _, a := range addresses {
			list = append(list, common.BytesToHash(a[:]))
		}
		return list
	}

	op, err := DecodeUserOperationEvent(&types.Log{Topics: topics(UserOperationEventTopic, sender, paymaster), Data: words("4", "1", "5", "6")})
	require.NoError(t, err)
	require.Equal(t, UserOperationEvent{hash, sender, paymaster, *uint256.NewInt(4), true, *uint256.NewInt(5), *uint256.NewInt(6)}, op)

	reason, err := DecodeUserOperationRevertReason(&types.Log{Topics: topics(UserOperationRevertReasonTopic, sender), Data: words("4", "40", "0")})
	require.NoError(t, err)
	require.Equal(t, UserOperationRevertReason{hash, sender, *uint256.NewInt(4), []byte{}}, reason)

	deployed, err := DecodeAccountDeployed(&types.Log{Topics: topics(AccountDeployedTopic, sender), Data: words(alice.Hex(), paymaster.Hex())})
	require.NoError(t, err)
	require.Equal(t, AccountDeployed{hash, sender, alice, paymaster}, deployed)

	module, err := DecodeEnabledModule(&types.Log{Topics: []common.Hash{EnabledModuleTopic}, Data: words(aliceHex)})
	require.NoError(t, err)
	require.Equal(t, alice, module)
	module, err = DecodeDisabledModule(&types.Log{Topics: []common.Hash{DisabledModuleTopic}, Data: words(aliceHex)})
	require.NoError(t, err)
	require.Equal(t, alice, module)

	owner, err := DecodeOwnershipTransferred(&types.Log{Topics: append([]common.Hash{OwnershipTransferredTopic}, topics(common.Hash{}, sender, paymaster, alice)[2:]...)})
	require.NoError(t, err)
	require.Equal(t, OwnershipTransferred{sender, paymaster, alice}, owner)

	other := &types.Log{Topics: []common.Hash{hash}}
	for name, decode := range map[string]func() error{
		"UserOperationEvent":        func() error { _, err := DecodeUserOperationEvent(other); return err },
		"UserOperationRevertReason": func() error { _, err := DecodeUserOperationRevertReason(other); return err },
		"AccountDeployed":           func() error { _, err := DecodeAccountDeployed(other); return err },
		"EnabledModule":             func() error { _, err := DecodeEnabledModule(other); return err },
		"DisabledModule":            func() error { _, err := DecodeDisabledModule(other); return err },
		"OwnershipTransferred":      func() error { _, err := DecodeOwnershipTransferred(other); return err },
	} {
		require.ErrorIs(t, decode(), ErrOtherEvent, name)
	}
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
