package contracts

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

// All tables can be read, and no two known errors share a selector but for one that two contracts have.
func TestTables(t *testing.T) {
	bySelector := make(map[[abi.SelectorSize]byte]string)
	for _, c := range []*Contract{
		SmartAccount(), AccountFactory(), TokenPaymaster(), OwnershipModule(), SessionKeyManager(), EntryPoint(), ERC20(), ERC721(),
		VerifyingPaymaster(), AccountResolver(), GasPriceOracle(), ArbGasInfo(), otherModuleErrors(), tokenErrors(),
	} {
		require.Positive(t, len(c.Functions())+len(c.Errors())+len(c.Events()))
		for _, def := range c.Errors() {
			if other, ok := bySelector[def.Selector()]; ok {
				require.Equal(t, other, def.Signature())
			}
			bySelector[def.Selector()] = def.Signature()
		}
	}
	known := make(map[[abi.SelectorSize]byte]bool)
	for _, def := range Errors() {
		known[def.Selector()] = true
	}
	require.Len(t, known, len(bySelector))
}

func TestCalled(t *testing.T) {
	f, ok := SmartAccount().Called(EnableModule(alice))
	require.True(t, ok)
	require.Equal(t, "enableModule", f.Name())
	for _, callData := range [][]byte{nil, {0x61, 0x0b, 0x59}, SetMerkleRoot(common.Hash{})} {
		_, ok = SmartAccount().Called(callData)
		require.False(t, ok)
	}
}

// The topics and selectors that are written as numbers are those of the interfaces.
func TestTopics(t *testing.T) {
	for topic, c := range map[common.Hash]*Contract{
		UserOperationEventTopic: EntryPoint(), UserOperationRevertReasonTopic: EntryPoint(), AccountDeployedTopic: EntryPoint(),
		BeforeExecutionTopic: EntryPoint(), EnabledModuleTopic: SmartAccount(), DisabledModuleTopic: SmartAccount(),
		OwnershipTransferredTopic: OwnershipModule(), TokenPaymasterOperationTopic: TokenPaymaster(), TokenPaymentDueTopic: TokenPaymaster(),
	} {
		require.Contains(t, c.events, topic)
	}
}
