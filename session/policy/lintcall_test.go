package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

func TestLintCall(t *testing.T) {
	erc20, err := transferPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	transfer := func(change func([]byte) []byte) abi.Call {
		data, err := abi.Pack("transfer(address,uint256)", policyTo, 100)
		require.NoError(t, err)
		return abi.Call{To: policyNFT, Data: change(data)}
	}
	buy := func(change func([]byte) []byte) abi.Call {
		call := buyCall(t, 7, 5)
		call.Data = change(call.Data)
		return call
	}
	unnamed := buyLeaf(t)
	unnamed.Function = ""
	same := func(b []byte) []byte { return b }
	for _, c := range []struct {
		name string
		leaf *policy.Compiled
		call abi.Call
		want string
	}{
		{"a transfer", &erc20, transfer(same), ""},
		{"bytes above the recipient", &erc20, transfer(func(b []byte) []byte { b[4], b[15] = 0xab, 1; return b }),
			"leaf 0: warning: the 12 bytes above the recipient are 0xab0000000000000000000001; the ERC-20 module does not look at them in a single call, nor do tokens of old compilers (layout)"},
		{"no recipient", &erc20, transfer(func(b []byte) []byte { return b[:35] }), ""},
		{"arguments", buyLeaf(t), buy(same), ""},
		{"an argument beyond its type", buyLeaf(t), buy(func(b []byte) []byte { b[4+32] = 1; return b }),
			"leaf 0: warning: the call is not the encoding of buy(uint256,uint8), which the ABI module does not look at: "},
		{"more than the arguments", buyLeaf(t), buy(func(b []byte) []byte { return append(b, 1) }),
			"leaf 0: warning: the call is not the encoding of buy(uint256,uint8), which the ABI module does not look at: "},
		{"a function that is not known", unnamed, buy(func(b []byte) []byte { return append(b, 1) }), ""},
		{"data that is none", &policy.Compiled{Module: buyLeaf(t).Module}, buy(same), ""},
		{"a module that is not known", &policy.Compiled{}, buy(same), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			findings := policy.LintCall(policy.Modules{}, c.leaf, c.call)
			if c.want == "" {
				require.Empty(t, findings)
				return
			}
			require.Len(t, findings, 1)
			require.Equal(t, policy.FindingLayout, findings[0].Code)
			require.Equal(t, policy.NoRule, findings[0].Rule)
			require.Contains(t, findings[0].String(), c.want)
		})
	}
}
