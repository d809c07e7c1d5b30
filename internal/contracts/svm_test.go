package contracts_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
)

func TestABIPermissionBothWays(t *testing.T) {
	want := contracts.ABIPermission{
		Key: common.Address{1}, Contract: common.Address{2}, Selector: [4]byte{3}, Limit: *uint256.NewInt(4), Count: 1,
	}
	rule := contracts.ABIRule{Offset: 32, Condition: 5, Word: &common.Hash{6}}
	data := rule.Append(want.AppendHead(nil))
	require.Len(t, data, contracts.ABIRulesAt+contracts.ABIRuleSize)
	read, ok := contracts.ParseABIPermission(data)
	require.True(t, ok)
	require.True(t, read.Exact())
	back, ok := read.Rule(0)
	require.True(t, ok)
	require.Equal(t, rule, back)
	_, ok = read.Rule(1)
	require.False(t, ok)
	read.Rules = nil
	require.Equal(t, want, read)
	_, ok = contracts.ParseABIPermission(data[:contracts.ABIRulesAt-1])
	require.False(t, ok)
}

func TestERC20PermissionBothWays(t *testing.T) {
	want := contracts.ERC20Permission{
		Key: common.Address{1}, Token: common.Address{2}, Recipient: common.Address{3}, MaxAmount: *uint256.NewInt(4),
	}
	data := want.Pack()
	require.Len(t, data, contracts.ERC20PermissionSize)
	read, ok := contracts.ParseERC20Permission(append(data, 9)) // what follows is not looked at
	require.True(t, ok)
	require.Equal(t, want, read)
	_, ok = contracts.ParseERC20Permission(data[:len(data)-1])
	require.False(t, ok, "too short")
	for word := range 3 {
		wide := want.Pack()
		wide[32*word+11] = 1
		_, ok = contracts.ParseERC20Permission(wide)
		require.False(t, ok, "an address of more than 20 bytes")
	}
}
