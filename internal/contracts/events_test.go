package contracts

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

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

	moved, err := DecodeTokenTransfer(&types.Log{Topics: append([]common.Hash{TransferTopic}, topics(common.Hash{}, sender, paymaster)[2:]...), Data: words("7")})
	require.NoError(t, err)
	require.Equal(t, TokenTransfer{sender, paymaster, *uint256.NewInt(7)}, moved)

	other := &types.Log{Topics: []common.Hash{hash}}
	for name, decode := range map[string]func() error{
		"UserOperationEvent":        func() error { _, err := DecodeUserOperationEvent(other); return err },
		"UserOperationRevertReason": func() error { _, err := DecodeUserOperationRevertReason(other); return err },
		"AccountDeployed":           func() error { _, err := DecodeAccountDeployed(other); return err },
		"Transfer":                  func() error { _, err := DecodeTokenTransfer(other); return err },
		"EnabledModule":             func() error { _, err := DecodeEnabledModule(other); return err },
		"DisabledModule":            func() error { _, err := DecodeDisabledModule(other); return err },
		"OwnershipTransferred":      func() error { _, err := DecodeOwnershipTransferred(other); return err },
	} {
		require.ErrorIs(t, decode(), abi.ErrOtherEvent, name)
	}
}
