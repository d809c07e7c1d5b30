package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

const tokenPaymaster = "0x00000f7365cA6C59A2C93719ad53d567ed49c14C"

func TestLint(t *testing.T) {
	account := common.HexToAddress("0x4444444444444444444444444444444444444444")
	guard, nothing := common.HexToAddress("0x5555555555555555555555555555555555555555"), common.HexToAddress("0x6666666666666666666666666666666666666666")
	with := func(change func(*policy.ABI)) policy.Policy {
		p := mintPolicy()
		change(&p)
		return p
	}
	call := func(function string, rules ...policy.Rule) policy.Policy {
		return with(func(p *policy.ABI) { p.Function, p.Rules = function, rules })
	}
	word := common.Hash{31: 1}
	lengthRule := func(c policy.Condition, length int) policy.Rule { return policy.Arg("data.length", c, length) }
	run := func(rules ...policy.Rule) policy.Policy {
		return call("run(bytes data)", append([]policy.Rule{policy.Arg("data.offset", policy.Equal, 32)}, rules...)...)
	}
	const layout = "rule 0: data.length is at offset 64 in the standard encoding only; a caller may encode otherwise, as long as no rule says where data begins"
	tests := []struct {
		name   string
		policy policy.Policy
		change func(*policy.Compiled)
		want   []string
	}{
		{"clean", mintPolicy(), nil, nil},
		{"no end", with(func(p *policy.ABI) { p.Window = policy.Forever() }), nil,
			[]string{"leaf 0: warning: it never ends; only a new root revokes it (no-end)"}},
		{"ends in milliseconds", with(func(p *policy.ABI) { p.Window = policy.Until(time.Unix(policyEnd.UnixMilli(), 0)) }), nil,
			[]string{"leaf 0: warning: it ends at second 1796083200000, which is beyond the year 9999; were milliseconds taken for seconds? (no-end)"}},
		{"starts in milliseconds", with(func(p *policy.ABI) { p.Window = policy.Forever() }), func(l *policy.Compiled) { l.ValidAfter = uint64(policyEnd.UnixMilli()) },
			[]string{"leaf 0: warning: it never ends; only a new root revokes it (no-end)",
				"leaf 0: warning: it starts at second 1796083200000, which is beyond the year 9999; were milliseconds taken for seconds? (never-holds)"}},
		{"starts after its end", mintPolicy(), func(l *policy.Compiled) { l.ValidAfter = l.ValidUntil + 1 },
			[]string{"leaf 0: warning: it starts at 2026-12-01T00:00:01Z, after its end 2026-12-01T00:00:00Z (never-holds)"}},
		{"one moment", mintPolicy(), func(l *policy.Compiled) { l.ValidAfter = l.ValidUntil }, nil},
		{"no rules", call("safeMint(address to)"), nil,
			[]string{"leaf 0: warning: it has no rules: all arguments are allowed (no-rules)"}},
		{"no arguments to rule", call("stake()"), nil, nil},
		{"no rules, function not known", call("stake()"), func(l *policy.Compiled) { l.Function = "" },
			[]string{"leaf 0: warning: it has no rules: all arguments are allowed (no-rules)"}},
		{"unlimited value", with(func(p *policy.ABI) { p.ValueLimit.Lsh(uint256.NewInt(1), 96) }), nil,
			[]string{"leaf 0: danger: a call may carry 79228162514264337593543950336 wei, more than there is (unlimited)"}},
		{"the account itself", with(func(p *policy.ABI) { p.Contract = account }), nil,
			[]string{"leaf 0: danger: it may call the account itself (calls-guard)"}},
		{"a session module", with(func(p *policy.ABI) {
			p.Contract = common.HexToAddress("0x00000D09967410f8C76752A104c9848b57ebba55")
		}), nil, []string{"leaf 0: danger: it may call 0x00000D09967410f8C76752A104c9848b57ebba55, which guards the account (calls-guard)"}},
		{"a contract that the caller names", with(func(p *policy.ABI) { p.Contract = guard }), nil,
			[]string{"leaf 0: danger: it may call " + guard.Hex() + ", which guards the account (calls-guard)"}},
		{"a contract that is not there", with(func(p *policy.ABI) { p.Contract = nothing }), nil,
			[]string{"leaf 0: warning: there is no contract at " + nothing.Hex() + " on this chain: a call succeeds and does nothing, until somebody deploys one there (no-code)"}},
		{"a token that is not there", func() policy.Policy {
			p := transferPolicy()
			p.Token = nothing
			return p
		}(), nil, []string{
			"leaf 0: warning: there is no contract at " + nothing.Hex() + " on this chain: a call succeeds and does nothing, until somebody deploys one there (no-code)",
			"leaf 0: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)"}},
		{"a module that is not there", policy.Raw{Module: nothing, Key: policyKey, Window: policy.Until(policyEnd)}, nil, []string{
			"leaf 0: danger: there is no contract at module " + nothing.Hex() + " on this chain: whoever deploys one there decides what the key may do (no-code)",
			"leaf 0: note: module " + nothing.Hex() + " is unknown; what it allows cannot be judged here (unknown-module)"}},
		{"an allowance of the token paymaster", call("approve(address who, uint256 amount)", policy.Arg("who", policy.Equal, tokenPaymaster)), nil,
			[]string{"leaf 0: warning: approve(address,uint256) lets token paymaster " + tokenPaymaster + " take the token for gas, and no module looks at fees: the key can spend all that it allows (spends-gas)"}},
		{"an allowance of the token paymaster, ERC-20", func() policy.Policy {
			p := transferPolicy()
			p.Recipient = common.HexToAddress(tokenPaymaster)
			return p
		}(), nil, []string{
			"leaf 0: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)",
			"leaf 0: warning: approve(address,uint256) lets token paymaster " + tokenPaymaster + " take the token for gas, and no module looks at fees: the key can spend all that it allows (spends-gas)"}},
		{"privileged function", call("transferOwnership(address newOwner)", policy.Arg("newOwner", policy.Equal, policyTo)), nil,
			[]string{"leaf 0: danger: transferOwnership(address) changes who owns the contract (privileged-function)"}},
		{"privileged function by its selector", call("enableModule(address)", policy.Arg("0", policy.Equal, policyTo)), func(l *policy.Compiled) { l.Function = "" },
			[]string{"leaf 0: danger: enableModule(address) changes who may act for the account (privileged-function)"}},
		{"approval to anyone", call("approve(address who, uint256 amount)", policy.Arg("amount", policy.LessThan, 100)), nil,
			[]string{"leaf 0: danger: approve(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"approval to anyone but one", call("approve(address who, uint256 amount)", policy.Arg("who", policy.NotEqual, policyTo)), nil,
			[]string{"leaf 0: danger: approve(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)",
				"leaf 0: warning: rule 0: who is address, and the contract compares whole words: setting the bits above it passes ≠, and contracts of old compilers ignore them (layout)"}},
		{"lower limit of a small number", call("sell(uint64 price)", policy.Arg("price", policy.GreaterThanOrEqual, 100)), nil,
			[]string{"leaf 0: warning: rule 0: price is uint64, and the contract compares whole words: setting the bits above it passes ≥, and contracts of old compilers ignore them (layout)"}},
		{"limits that more does not get past", call("sell(uint64 price, uint256 least, bytes32 id, bool now)", policy.Arg("price", policy.LessThan, 100),
			policy.Arg("least", policy.GreaterThan, 100), policy.Arg("id", policy.NotEqual, word), policy.Arg("now", policy.Equal, true)), nil, nil},
		{"approval to one", call("approve(address who, uint256 amount)", policy.Arg("who", policy.Equal, policyTo)), nil, nil},
		{"operator", call("setApprovalForAll(address operator, bool approved)", policy.Arg("approved", policy.Equal, true)), nil,
			[]string{"leaf 0: danger: setApprovalForAll(address,bool) lets the operator take all tokens at any later time, and no rule says that operator = one address (open-recipient)"}},
		{"Permit2 approval to anyone", call("approve(address token, address who, uint160 amount, uint48 expiration)", policy.Arg("token", policy.Equal, policyNFT)), nil,
			[]string{"leaf 0: danger: approve(address,address,uint160,uint48) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"old approval to anyone", call("increaseApproval(address who, uint256 amount)", policy.Arg("amount", policy.LessThan, 100)), nil,
			[]string{"leaf 0: danger: increaseApproval(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"Dai permit to anyone", call("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", policy.Arg("0", policy.Equal, account)), nil,
			[]string{"leaf 0: danger: permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"batch of transfers to anyone", call("safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)", policy.Arg("from", policy.Equal, account)), nil,
			[]string{"leaf 0: warning: safeBatchTransferFrom(address,address,uint256[],uint256[],bytes) moves tokens, and no rule says that to = one address (open-recipient)"}},
		{"batch of transfers to one", call("safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)", policy.Arg("to", policy.Equal, account)), nil, nil},
		{"transfer to anyone", call("transfer(address to, uint256 amount)", policy.Arg("amount", policy.LessThan, 100)), nil,
			[]string{"leaf 0: warning: transfer(address,uint256) moves tokens, and no rule says that to = one address (open-recipient)"}},
		{"ERC-20 module", transferPolicy(), nil,
			[]string{"leaf 0: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)"}},
		{"ERC-20 module without limit", func() policy.Policy {
			p := transferPolicy()
			p.MaxAmount.SetAllOne()
			return p
		}(), func(l *policy.Compiled) { l.Data = append(l.Data, 1) },
			[]string{"leaf 0: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)",
				"leaf 0: warning: the amount has no limit (unlimited)", "leaf 0: note: the last 1 of its 129 bytes of data are never read (trailing-data)"}},
		{"condition", mintPolicy(), func(l *policy.Compiled) { l.Data[64] = 6 },
			[]string{"leaf 0: warning: rule 0: condition 6 never holds (never-holds)"}},
		{"missing rule", mintPolicy(), func(l *policy.Compiled) { l.Data[61] = 2 },
			[]string{"leaf 0: warning: its data counts 2 rules and has 1 (never-holds)"}},
		{"trailing bytes", mintPolicy(), func(l *policy.Compiled) { l.Data = append(l.Data, 1, 2) },
			[]string{"leaf 0: note: the last 2 of its 99 bytes of data are never read (trailing-data)"}},
		{"unreadable", mintPolicy(), func(l *policy.Compiled) { l.Data = nil },
			[]string{"leaf 0: warning: the ABI module cannot read its 0 bytes of data (never-holds)"}},
		{"ERC-20 unreadable", transferPolicy(), func(l *policy.Compiled) { l.Data = nil },
			[]string{"leaf 0: warning: the ERC-20 module cannot read its 0 bytes of data (never-holds)"}},
		{"behind the arguments", call("set(uint256 x)", policy.Arg("x", policy.Equal, 1), policy.WordRule(32, policy.Equal, word)), nil,
			[]string{"leaf 0: warning: rule 1: offset 32 is behind the arguments of set(uint256); only calldata with more than that passes (past-end)"}},
		{"far away, function not known", call("set(uint256 x)", policy.WordRule(4064, policy.Equal, word), policy.WordRule(4096, policy.Equal, word)), func(l *policy.Compiled) { l.Function = "" },
			[]string{"leaf 0: warning: rule 1: offset 4096 is farther than the arguments of most functions reach (past-end)"}},
		{"inside a dynamic argument", call("run(uint256 x, bytes data)", policy.Arg("data.length", policy.Equal, 1)), nil,
			[]string{"leaf 0: warning: " + layout + " (layout)"}},
		{"inside a dynamic argument that is pinned", call("run(uint256 x, bytes data)", policy.Arg("data.length", policy.Equal, 1), policy.Arg("data.offset", policy.Equal, 64)), nil, nil},
		{"inside a dynamic argument that is pinned elsewhere", call("run(uint256 x, bytes data)", policy.Arg("data.length", policy.Equal, 1), policy.Arg("data.offset", policy.Equal, 96)), nil,
			[]string{"leaf 0: warning: " + layout + " (layout)",
				"leaf 0: warning: rule 1: it compares the offset of data, where its content begins, and in the standard encoding that is 64: only a call that is encoded otherwise passes, with any value (offset-rule)"}},
		{"on an offset", call("vote(string reason, uint8 support)", policy.WordRule(0, policy.NotEqual, common.Hash{31: 42}), policy.WordRule(0, policy.LessThan, common.Hash{30: 1})), nil,
			[]string{"leaf 0: warning: rule 0: it compares the offset of reason, where its content begins, and says nothing of reason itself: any value of it can pass (offset-rule)",
				"leaf 0: warning: rule 1: it compares the offset of reason, where its content begins, and says nothing of reason itself: any value of it can pass (offset-rule)"}},
		{"on an offset that moves", call("vote(string reason, bytes proof)", policy.Arg("proof.offset", policy.GreaterThan, 128), policy.Arg("proof.offset", policy.Equal, 192)), nil,
			[]string{"leaf 0: warning: rule 0: it compares the offset of proof, where its content begins, and says nothing of proof itself: any value of it can pass (offset-rule)"}},
		{"a component called offset", call("read((uint256 offset, bytes data) at)", policy.Arg("at.offset", policy.Equal, 5), policy.Arg("at.@offset", policy.Equal, 32)), nil, nil},
		{"a component called offset that is not pinned", call("read((uint256 offset, bytes data) at)", policy.Arg("at.offset", policy.Equal, 5)), nil,
			[]string{"leaf 0: warning: rule 0: at.offset is at offset 32 in the standard encoding only; a caller may encode otherwise, as long as no rule says where at begins (layout)"}},
		{"one element of many", call("pay((address to, uint256 amount)[] legs)", policy.Arg("legs.offset", policy.Equal, 32), policy.Arg("legs.length", policy.NotEqual, 2), policy.Arg("legs[0].to", policy.Equal, policyTo)), nil,
			[]string{"leaf 0: warning: rule 2: legs[0].to is one of as many as a caller likes, and the rule says nothing of the others, as long as no rule limits legs.length (layout)"}},
		{"the only element", call("pay((address to, uint256 amount)[] legs)", policy.Arg("legs.offset", policy.Equal, 32), policy.Arg("legs.length", policy.LessThanOrEqual, 1), policy.Arg("legs[0].to", policy.Equal, policyTo)), nil, nil},
		{"an element of a fixed array", call("pay(address[2] to)", policy.Arg("to[0]", policy.Equal, policyTo)), nil, nil},
		{"words of bytes", run(lengthRule(policy.GreaterThanOrEqual, 64), policy.Arg("data.words[0]", policy.Equal, word), policy.Arg("data.words[1]", policy.NotEqual, word)), nil, nil},
		{"words of bytes, more than", run(lengthRule(policy.GreaterThan, 31), policy.Arg("data.words[0]", policy.NotEqual, word)), nil, nil},
		{"words of bytes of one length", run(lengthRule(policy.Equal, 33), policy.Arg("data.words[0]", policy.NotEqual, word), policy.Arg("data.words[1]", policy.LessThan, word)), nil, nil},
		{"bytes behind the end", run(lengthRule(policy.Equal, 33), policy.Arg("data.words[1]", policy.NotEqual, word)), nil,
			[]string{"leaf 0: warning: rule 2: data.words[1] ends behind data, and what a caller puts behind the end of data passes ≠ without changing it; such a rule holds of whole words only (layout)"}},
		{"words of bytes of any length", run(lengthRule(policy.LessThanOrEqual, 64), policy.Arg("data.words[0]", policy.Equal, word)), nil,
			[]string{"leaf 0: warning: rule 2: data.words[0] counts only as far as data is long, which is up to the caller as long as no rule says that data.length = one number (layout)"}},
		{"words of bytes that may be one short", run(lengthRule(policy.GreaterThan, 30), policy.Arg("data.words[0]", policy.Equal, word)), nil,
			[]string{"leaf 0: warning: rule 2: data.words[0] counts only as far as data is long, which is up to the caller as long as no rule says that data.length = one number (layout)"}},
		{"behind a dynamic argument", call("run(bytes a, bytes[] b)", policy.WordRule(32, policy.Equal, word), policy.WordRule(64, policy.Equal, word), policy.WordRule(0, policy.Equal, common.Hash{31: 64}), policy.WordRule(96, policy.Equal, word)), nil, nil},
		{"offset within a word", mintPolicy(), func(l *policy.Compiled) { l.Data[63] = 5 },
			[]string{"leaf 0: warning: rule 0: offset 5 is within a word; it takes the end of one argument and the beginning of the next (layout)"}},
		{"deep in a dynamic argument", call("run((uint256 x, string[] names) job)", policy.WordRule(0, policy.Equal, common.Hash{31: 32}), policy.WordRule(128, policy.Equal, word)), nil,
			[]string{"leaf 0: warning: rule 1: the offset of job.names[0] is at offset 128 in the standard encoding only; a caller may encode otherwise, as long as no rule says where job.names begins (layout)"}},
		{"signed order", call("move(int64 delta)", policy.WordRule(0, policy.LessThan, word)), nil,
			[]string{"leaf 0: warning: rule 0: delta is int64, and the contract compares unsigned: negative numbers are the largest (signed-order)"}},
		{"unknown module", policy.Raw{Module: policyNFT, Key: policyKey, Window: policy.Until(policyEnd)}, nil,
			[]string{"leaf 0: note: module 0x2222222222222222222222222222222222222222 is unknown; what it allows cannot be judged here (unknown-module)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, err := tt.policy.Compile(policy.Modules{})
			require.NoError(t, err)
			if tt.change != nil {
				tt.change(&leaf)
			}
			findings := policy.Lint(policy.LintConfig{Account: account, Guards: []common.Address{guard}, NoCode: []common.Address{nothing}}, &leaf)
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// Without a word from the caller: what keeps the keys and the money of an account, on any chain.
func TestWellKnownContractsAreGuards(t *testing.T) {
	elsewhere := policy.Modules{Manager: common.Address{1}, Router: common.Address{2}}
	for _, config := range []policy.LintConfig{{}, {Modules: elsewhere}} {
		for _, guard := range []string{
			"0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e",                                               // ECDSA ownership
			"0x000000824dc138db84FD9109fc154bdad332Aa8E",                                               // multichain ownership
			"0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789",                                               // EntryPoint
			"0x00000061FEfce24A79343c27127435286BB7A4E1",                                               // EntryPoint on Chiliz
			"0x000002FbFfedd9B33F4E7156F2DE8D48945E7489",                                               // session key manager
			"0x00000D09967410f8C76752A104c9848b57ebba55",                                               // batched session router
			"0x000006bC2eCdAe38113929293d241Cf252D91861", "0x000000D50C68705bd6897B2d17c7de32FB519fDA", // session validation
			"0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789", // verifying paymaster, with gas deposits
		} {
			byABI, byERC20 := mintPolicy(), transferPolicy()
			byABI.Contract, byERC20.Token = common.HexToAddress(guard), common.HexToAddress(guard)
			for _, p := range []policy.Policy{byABI, byERC20} {
				leaf, err := p.Compile(policy.Modules{})
				require.NoError(t, err)
				findings := policy.Lint(config, &leaf)
				require.NotEmpty(t, findings)
				require.Equal(t, "leaf 0: danger: it may call "+guard+", which guards the account (calls-guard)", findings[0].String())

				err = policy.CheckDanger(findings)
				require.EqualError(t, err, "refused as a danger: leaf 0: it may call "+guard+", which guards the account (calls-guard)")
				var danger *policy.DangerError
				require.ErrorAs(t, err, &danger)
				require.Equal(t, findings[:1], danger.Findings)
				require.NoError(t, policy.CheckDanger(findings, policy.FindingGuard))
			}
		}
	}
}

// What a key can do whatever its policy says is found where the account is known to allow it.
func TestLintOfTheAccount(t *testing.T) {
	mint, err := mintPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	plain := mint.Describe(policy.Modules{})
	const (
		some   = "the account's balance and deposit"
		five   = "the account's balance and deposit of 5 wei"
		gas    = "account: warning: no module looks at fees or gas: each key can spend %s as gas of operations that the account pays for, whatever its value limit says (spends-gas)"
		router = "account: %s: it listens to the batched session router, which takes an empty batch under any signature: anybody can spend %s as gas, and tokens that a token paymaster may take, with no session at all; disable the router, or keep neither balance nor deposit there (open-router)"
		spends = "; and spend %s as gas, which no module looks at"
		opens  = "; through the batched session router anybody can spend %s as gas, and tokens that a token paymaster may take"
	)
	for name, tt := range map[string]struct {
		config   policy.LintConfig
		want     []string
		describe string
	}{
		"not known":        {policy.LintConfig{}, nil, ""},
		"holds nothing":    {policy.LintConfig{Funds: new(uint256.Int)}, nil, ""},
		"pays itself":      {policy.LintConfig{SelfPaid: true}, []string{fmt.Sprintf(gas, some)}, fmt.Sprintf(spends, some)},
		"holds money":      {policy.LintConfig{Funds: uint256.NewInt(5)}, []string{fmt.Sprintf(gas, five)}, fmt.Sprintf(spends, five)},
		"router":           {policy.LintConfig{RouterEnabled: true}, []string{fmt.Sprintf(router, "warning", some)}, fmt.Sprintf(opens, some)},
		"router and money": {policy.LintConfig{RouterEnabled: true, Funds: uint256.NewInt(5)}, []string{fmt.Sprintf(router, "danger", five), fmt.Sprintf(gas, five)}, fmt.Sprintf(spends, five) + fmt.Sprintf(opens, five)},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range policy.Lint(tt.config, &mint) {
				require.Equal(t, policy.NoLeaf, f.Leaf)
				require.Equal(t, policy.NoRule, f.Rule)
				got = append(got, f.String())
			}
			require.Equal(t, tt.want, got)
			require.Equal(t, plain+tt.describe, tt.config.Describe(&mint))
		})
	}
}

func TestLintDuplicates(t *testing.T) {
	mint, err := mintPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	stake := mintPolicy()
	stake.Function, stake.Rules = "stake()", nil
	other, err := stake.Compile(policy.Modules{})
	require.NoError(t, err)

	findings := policy.Lint(policy.LintConfig{}, nil, &mint, &other, &mint)
	require.Equal(t, []policy.Finding{{
		Leaf: 3, Rule: policy.NoRule, Code: policy.FindingDuplicate, Severity: policy.SeverityWarning,
		Message: "it is the same as leaf 1; revoking one of them alone revokes nothing",
	}}, findings)
	require.Equal(t, "leaf 3: warning: it is the same as leaf 1; revoking one of them alone revokes nothing (duplicate)", findings[0].String())
}

func TestLintFunctions(t *testing.T) {
	p := mintPolicy()
	p.Function, p.Rules = "", []policy.Rule{policy.WordRule(32, policy.Equal, common.Hash{})}
	p.Selector = &[4]byte{0x40, 0xd0, 0x97, 0xc3}
	leaf, err := p.Compile(policy.Modules{})
	require.NoError(t, err)
	require.Empty(t, policy.Lint(policy.LintConfig{}, &leaf))
	findings := policy.Lint(policy.LintConfig{Functions: []*abi.Function{abi.MustParseFunction("safeMint(address)")}}, &leaf)
	require.Len(t, findings, 1)
	require.Equal(t, policy.FindingPastEnd, findings[0].Code)
	require.Equal(t, 0, findings[0].Rule)
}

func TestSeverityString(t *testing.T) {
	require.Equal(t, "note", policy.SeverityNote.String())
	require.Equal(t, "warning", policy.SeverityWarning.String())
	require.Equal(t, "danger", policy.SeverityDanger.String())
	require.Equal(t, "severity 0", policy.Severity(0).String())
}
