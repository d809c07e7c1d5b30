package policy_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

// buyLeaf allows buy(id, count) with id = 7 and count ≤ 5 for at most 100 wei.
func buyLeaf(t testing.TB) *policy.Compiled {
	p := mintPolicy()
	p.Function, p.ValueLimit = "buy(uint256 id, uint8 count)", *uint256.NewInt(100)
	p.Rules = []policy.Rule{policy.Arg("id", policy.Equal, 7), policy.Arg("count", policy.LessThanOrEqual, 5)}
	leaf, err := p.Compile(policy.Modules{})
	require.NoError(t, err)
	return &leaf
}

func buyCall(t testing.TB, id, count any) abi.Call {
	data, err := abi.Pack("buy(uint256,uint8)", id, count)
	require.NoError(t, err)
	return abi.Call{To: policyNFT, Value: *uint256.NewInt(100), Data: data}
}

func TestCheckCall(t *testing.T) {
	const noReason = " (the contract would revert without a reason)"
	tests := []struct {
		name   string
		leaf   func(*policy.Compiled)
		call   func(*abi.Call)
		want   string
		reason string
		rule   int
		arg    string
	}{
		{"contract", nil, func(c *abi.Call) { c.To = policyTo },
			"session leaf: contract: 0x3333333333333333333333333333333333333333 must be = 0x2222222222222222222222222222222222222222 (the contract would say: ABISV Destination Forbidden)",
			"ABISV Destination Forbidden", policy.NoRule, "contract"},
		{"selector", nil, func(c *abi.Call) { c.Data[0]++ },
			"session leaf: selector: 0xea0bc7b1 must be = 0xe90bc7b1 (the contract would say: ABISV Selector Forbidden)",
			"ABISV Selector Forbidden", policy.NoRule, "selector"},
		{"no selector", nil, func(c *abi.Call) { c.Data = c.Data[:3] },
			"session leaf: calldata of 3 bytes has no selector" + noReason, "", policy.NoRule, ""},
		{"value", nil, func(c *abi.Call) { c.Value = *uint256.NewInt(101) },
			"session leaf: value: 101 must be ≤ 100 (the contract would say: ABISV Permitted Value Exceeded)",
			"ABISV Permitted Value Exceeded", policy.NoRule, "value"},
		{"rule", nil, func(c *abi.Call) { c.Data[67] = 6 },
			"session leaf: rule 1 (count): 6 must be ≤ 5 (the contract would say: ABISV Arg Rule Violated)",
			"ABISV Arg Rule Violated", 1, "count"},
		{"rule on what is no uint8", nil, func(c *abi.Call) { c.Data[4+32] = 1 },
			"session leaf: rule 1 (count): 0x0100000000000000000000000000000000000000000000000000000000000005 (no uint8) must be ≤ 5 (the contract would say: ABISV Arg Rule Violated)",
			"ABISV Arg Rule Violated", 1, "count"},
		{"rule of a function that is not known", func(l *policy.Compiled) { l.Function = "" }, func(c *abi.Call) { c.Data[35] = 8 },
			"session leaf: rule 0 (the word at offset 0): 0x0000000000000000000000000000000000000000000000000000000000000008 must be = 0x0000000000000000000000000000000000000000000000000000000000000007 (the contract would say: ABISV Arg Rule Violated)",
			"ABISV Arg Rule Violated", 0, "the word at offset 0"},
		{"rule with an unknown condition", func(l *policy.Compiled) { l.Data[64] = 6 }, func(*abi.Call) {},
			"session leaf: rule 0 (id): condition 6 never holds (the contract would say: ABISV Arg Rule Violated)",
			"ABISV Arg Rule Violated", 0, "id"},
		{"short calldata", nil, func(c *abi.Call) { c.Data = c.Data[:67] },
			"session leaf: rule 1 (count): calldata of 67 bytes ends before the word at offset 32 does" + noReason, "", 1, "count"},
		{"rule that is not there", func(l *policy.Compiled) { l.Data[61] = 3 }, func(*abi.Call) {},
			"session leaf: rule 2: session key data ends before this rule, which it counts" + noReason, "", 2, ""},
		{"short session key data", func(l *policy.Compiled) { l.Data = l.Data[:61] }, func(c *abi.Call) { c.To = policyTo },
			"session leaf: session key data of 61 bytes, the ABI module reads at least 62" + noReason, "", policy.NoRule, ""},
		{"no calldata", nil, func(c *abi.Call) { c.Data = nil },
			"session leaf: calldata of 0 bytes has no selector" + noReason, "", policy.NoRule, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, call := buyLeaf(t), buyCall(t, 7, 5)
			require.NoError(t, policy.CheckCall(policy.Modules{}, leaf, call))
			require.True(t, leaf.Allows(policy.Modules{}, call))
			if tt.leaf != nil {
				tt.leaf(leaf)
			}
			tt.call(&call)
			requireViolation(t, policy.CheckCall(policy.Modules{}, leaf, call), tt.want, tt.reason, tt.rule, tt.arg)
			require.False(t, leaf.Allows(policy.Modules{}, call))
		})
	}
}

func requireViolation(t *testing.T, err error, want, reason string, rule int, arg string) {
	t.Helper()
	require.EqualError(t, err, want)
	var v *policy.Violation
	require.ErrorAs(t, err, &v)
	require.Equal(t, reason, v.Reason)
	require.Equal(t, rule, v.Rule)
	require.Equal(t, arg, v.Arg)
}

func TestCheckERC20Call(t *testing.T) {
	const noReason = " (the contract would revert without a reason)"
	tests := []struct {
		name   string
		change func(*policy.Compiled, *abi.Call)
		want   string
		reason string
		arg    string
	}{
		{"token", func(_ *policy.Compiled, c *abi.Call) { c.To = policyTo },
			"session leaf: contract: 0x3333333333333333333333333333333333333333 must be = 0x2222222222222222222222222222222222222222 (the contract would say: ERC20SV Invalid Token)",
			"ERC20SV Invalid Token", "contract"},
		{"value", func(_ *policy.Compiled, c *abi.Call) { c.Value.SetOne() },
			"session leaf: value: 1 must be = 0 (the contract would say: ERC20SV Non Zero Value)", "ERC20SV Non Zero Value", "value"},
		{"recipient", func(_ *policy.Compiled, c *abi.Call) { c.Data[35] = 0 },
			"session leaf: recipient: 0x3333333333333333333333333333333333333300 must be = 0x3333333333333333333333333333333333333333 (the contract would say: ERC20SV Wrong Recipient)",
			"ERC20SV Wrong Recipient", "recipient"},
		{"amount", func(_ *policy.Compiled, c *abi.Call) { c.Data[67]++ },
			"session leaf: amount: 101 must be ≤ 100 (the contract would say: ERC20SV Max Amount Exceeded)", "ERC20SV Max Amount Exceeded", "amount"},
		{"address", func(_ *policy.Compiled, c *abi.Call) { c.Data[4] = 1 },
			"session leaf: the first argument of the call is not an address" + noReason, "", ""},
		{"short calldata", func(_ *policy.Compiled, c *abi.Call) { c.Data = c.Data[:67] },
			"session leaf: calldata of 67 bytes has no address and amount" + noReason, "", ""},
		{"session key data", func(l *policy.Compiled, _ *abi.Call) { l.Data = l.Data[:127] },
			"session leaf: session key data of 127 bytes is not three addresses and an amount" + noReason, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, err := transferPolicy().Compile(policy.Modules{})
			require.NoError(t, err)
			data, err := abi.Pack("approve(address,uint256)", policyTo, 100)
			require.NoError(t, err)
			call := abi.Call{To: policyNFT, Data: data}
			require.NoError(t, policy.CheckCall(policy.Modules{}, &leaf, call), "the module does not look at the selector")
			require.True(t, leaf.Allows(policy.Modules{}, call))
			tt.change(&leaf, &call)
			requireViolation(t, policy.CheckCall(policy.Modules{}, &leaf, call), tt.want, tt.reason, policy.NoRule, tt.arg)
			require.False(t, leaf.Allows(policy.Modules{}, call))
		})
	}
}

func TestCheckOperation(t *testing.T) {
	const noReason = " (the contract would revert without a reason)"
	tests := []struct {
		name     string
		callData func([]byte) []byte
		want     string
		reason   string
	}{
		{"batch", func(b []byte) []byte { return append([]byte{0, 0, 0x46, 0x80}, b[4:]...) },
			"session leaf: operation calls the account with selector 0x00004680, a single session takes execute_ncC and execute only; several calls need a leaf for each (the contract would say: ABISV Not Execute Selector)",
			"ABISV Not Execute Selector"},
		{"empty", func([]byte) []byte { return nil },
			"session leaf: operation with 0 bytes of callData, which name no function of the account" + noReason, ""},
		{"selector alone", func(b []byte) []byte { return b[:4] },
			"session leaf: contract: 0x0000000000000000000000000000000000000000 must be = 0x2222222222222222222222222222222222222222 (the contract would say: ABISV Destination Forbidden)",
			"ABISV Destination Forbidden"},
		{"data behind the end", func(b []byte) []byte { b[68] = 1; return b },
			"session leaf: calldata of 0 bytes has no selector" + noReason, ""},
		{"last word missing", func(b []byte) []byte { return b[:len(b)-60] },
			"session leaf: the call's data lies outside of the 168 bytes of callData, where the account cannot execute it" + noReason, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, call := buyLeaf(t), buyCall(t, 7, 0)
			callData := executeData("execute_ncC", call.To, call.Value.Bytes32(), call.Data)
			require.NoError(t, policy.CheckOperation(policy.Modules{}, leaf, callData))
			err := policy.CheckOperation(policy.Modules{}, leaf, tt.callData(callData))
			require.EqualError(t, err, tt.want)
			var v *policy.Violation
			require.ErrorAs(t, err, &v)
			require.Equal(t, tt.reason, v.Reason)
		})
	}
}

func TestCheckERC20Operation(t *testing.T) {
	leaf, err := transferPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	data, err := abi.Pack("transfer(address,uint256)", policyTo, 100)
	require.NoError(t, err)
	check := func(change func([]byte) []byte) error {
		return policy.CheckOperation(policy.Modules{}, &leaf, change(executeData("execute", policyNFT, common.Hash{}, data)))
	}
	require.NoError(t, check(func(b []byte) []byte { return b }))
	require.EqualError(t, check(func(b []byte) []byte { b[0]++; return b }),
		"session leaf: operation calls the account with selector 0xb71d27f6, a single session takes execute_ncC and execute only; several calls need a leaf for each (the contract would say: ERC20SV Invalid Selector)")
	require.EqualError(t, check(func(b []byte) []byte { b[35] = 0; return b }),
		"session leaf: contract: 0x2222222222222222222222222222222222222200 must be = 0x2222222222222222222222222222222222222222 (the contract would say: ERC20SV Wrong Token)")
	require.EqualError(t, check(func(b []byte) []byte { return b[:60] }),
		"session leaf: callData of 60 bytes is not the encoding of one call (the contract would revert without a reason)")
	require.NoError(t, check(func(b []byte) []byte { b[132+4] = 1; return b }), "nobody looks above the recipient")
	require.EqualError(t, check(func(b []byte) []byte { b[132+35] = 0; return b }),
		"session leaf: recipient: 0x3333333333333333333333333333333333333300 must be = 0x3333333333333333333333333333333333333333 (the contract would say: ERC20SV Wrong Recipient)")
	short := func(n byte) func([]byte) []byte {
		return func(b []byte) []byte { b[131] = n; return b }
	}
	require.EqualError(t, check(short(35)), "session leaf: calldata of 35 bytes has no address (the contract would revert without a reason)")
	require.EqualError(t, check(short(36)), "session leaf: calldata of 36 bytes has no amount (the contract would revert without a reason)")
	require.EqualError(t, check(short(67)), "session leaf: calldata of 67 bytes has no amount (the contract would revert without a reason)")
	require.ErrorContains(t, check(func(b []byte) []byte { b[132+35] = 0; return short(36)(b) }), "ERC20SV Wrong Recipient", "which comes first")
	require.NoError(t, check(short(68)))
	leaf.Data = nil
	require.EqualError(t, check(func(b []byte) []byte { return b }),
		"session leaf: session key data of 0 bytes is not three addresses and an amount (the contract would revert without a reason)")
}

// What only the chain can judge is left to it.
func TestCheckUnknownModule(t *testing.T) {
	leaf := buyLeaf(t)
	require.NoError(t, policy.CheckCall(policy.Modules{ABI: common.Address{9}}, leaf, abi.Call{}))
	require.False(t, leaf.Allows(policy.Modules{ABI: common.Address{9}}, abi.Call{}), "it cannot be judged")
	require.NoError(t, policy.CheckOperation(policy.Modules{ABI: common.Address{9}}, leaf, nil))
}

func BenchmarkCheckCall(b *testing.B) {
	leaf, call := buyLeaf(b), buyCall(b, 7, 5)
	modules := policy.Modules{}.WithDefaults()
	b.ReportAllocs()
	for b.Loop() {
		if err := policy.CheckCall(modules, leaf, call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckOperation(b *testing.B) {
	leaf, call := buyLeaf(b), buyCall(b, 7, 5)
	callData := executeData("execute_ncC", call.To, call.Value.Bytes32(), call.Data)
	modules := policy.Modules{}.WithDefaults()
	b.ReportAllocs()
	for b.Loop() {
		if err := policy.CheckOperation(modules, leaf, callData); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	p := mintPolicy()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Compile(policy.Modules{}); err != nil {
			b.Fatal(err)
		}
	}
}
