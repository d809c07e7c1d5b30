package session_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
)

const ecdsaModule = "0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e"

func TestLint(t *testing.T) {
	account := common.HexToAddress("0x4444444444444444444444444444444444444444")
	with := func(change func(*session.ABIPolicy)) session.Policy {
		p := mintPolicy()
		change(&p)
		return p
	}
	call := func(function string, rules ...session.Rule) session.Policy {
		return with(func(p *session.ABIPolicy) { p.Function, p.Rules = function, rules })
	}
	word := common.Hash{31: 1}
	const layout = "rule 0: data.length is at offset 64 in the standard encoding only; a caller may encode otherwise, as long as no rule says where data begins"
	tests := []struct {
		name   string
		policy session.Policy
		change func(*session.Leaf)
		want   []string
	}{
		{"clean", mintPolicy(), nil, nil},
		{"no end", with(func(p *session.ABIPolicy) { p.Window = session.Forever() }), nil,
			[]string{"abc: warning: it never ends; only a new root revokes it (no-end)"}},
		{"ends in milliseconds", with(func(p *session.ABIPolicy) { p.Window = session.Until(time.Unix(policyEnd.UnixMilli(), 0)) }), nil,
			[]string{"abc: warning: it ends at second 1796083200000, which is beyond the year 9999; were milliseconds taken for seconds? (no-end)"}},
		{"starts in milliseconds", with(func(p *session.ABIPolicy) { p.Window = session.Forever() }), func(l *session.Leaf) { l.ValidAfter = uint64(policyEnd.UnixMilli()) },
			[]string{"abc: warning: it never ends; only a new root revokes it (no-end)",
				"abc: warning: it starts at second 1796083200000, which is beyond the year 9999; were milliseconds taken for seconds? (never-holds)"}},
		{"starts after its end", mintPolicy(), func(l *session.Leaf) { l.ValidAfter = l.ValidUntil + 1 },
			[]string{"abc: warning: it starts at 2026-12-01T00:00:01Z, after its end 2026-12-01T00:00:00Z (never-holds)"}},
		{"one moment", mintPolicy(), func(l *session.Leaf) { l.ValidAfter = l.ValidUntil }, nil},
		{"no rules", call("safeMint(address to)"), nil,
			[]string{"abc: warning: it has no rules: all arguments are allowed (no-rules)"}},
		{"no arguments to rule", call("stake()"), nil, nil},
		{"no rules, function not known", call("stake()"), func(l *session.Leaf) { l.Function = "" },
			[]string{"abc: warning: it has no rules: all arguments are allowed (no-rules)"}},
		{"unlimited value", with(func(p *session.ABIPolicy) { p.ValueLimit.Lsh(uint256.NewInt(1), 96) }), nil,
			[]string{"abc: danger: a call may carry 79228162514264337593543950336 wei, more than there is (unlimited)"}},
		{"the account itself", with(func(p *session.ABIPolicy) { p.Contract = account }), nil,
			[]string{"abc: danger: it may call the account itself (calls-guard)"}},
		{"a session module", with(func(p *session.ABIPolicy) {
			p.Contract = common.HexToAddress("0x00000D09967410f8C76752A104c9848b57ebba55")
		}), nil, []string{"abc: danger: it may call 0x00000D09967410f8C76752A104c9848b57ebba55, which guards the account (calls-guard)"}},
		{"a module that the caller names", with(func(p *session.ABIPolicy) { p.Contract = common.HexToAddress(ecdsaModule) }), nil,
			[]string{"abc: danger: it may call " + ecdsaModule + ", which guards the account (calls-guard)"}},
		{"privileged function", call("transferOwnership(address newOwner)", session.Arg("newOwner", session.Equal, policyTo)), nil,
			[]string{"abc: danger: transferOwnership(address) changes who owns the contract (privileged-function)"}},
		{"privileged function by its selector", call("enableModule(address)", session.Arg("0", session.Equal, policyTo)), func(l *session.Leaf) { l.Function = "" },
			[]string{"abc: danger: enableModule(address) changes who may act for the account (privileged-function)"}},
		{"approval to anyone", call("approve(address who, uint256 amount)", session.Arg("amount", session.LessThan, 100)), nil,
			[]string{"abc: danger: approve(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"approval to anyone but one", call("approve(address who, uint256 amount)", session.Arg("who", session.NotEqual, policyTo)), nil,
			[]string{"abc: danger: approve(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)",
				"abc: warning: rule 0: who is address, and the contract compares whole words: setting the bits above it passes ≠, and contracts of old compilers ignore them (layout)"}},
		{"lower limit of a small number", call("sell(uint64 price)", session.Arg("price", session.GreaterThanOrEqual, 100)), nil,
			[]string{"abc: warning: rule 0: price is uint64, and the contract compares whole words: setting the bits above it passes ≥, and contracts of old compilers ignore them (layout)"}},
		{"limits that more does not get past", call("sell(uint64 price, uint256 least, bytes32 id, bool now)", session.Arg("price", session.LessThan, 100),
			session.Arg("least", session.GreaterThan, 100), session.Arg("id", session.NotEqual, word), session.Arg("now", session.Equal, true)), nil, nil},
		{"approval to one", call("approve(address who, uint256 amount)", session.Arg("who", session.Equal, policyTo)), nil, nil},
		{"operator", call("setApprovalForAll(address operator, bool approved)", session.Arg("approved", session.Equal, true)), nil,
			[]string{"abc: danger: setApprovalForAll(address,bool) lets the operator take all tokens at any later time, and no rule says that operator = one address (open-recipient)"}},
		{"Permit2 approval to anyone", call("approve(address token, address who, uint160 amount, uint48 expiration)", session.Arg("token", session.Equal, policyNFT)), nil,
			[]string{"abc: danger: approve(address,address,uint160,uint48) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"old approval to anyone", call("increaseApproval(address who, uint256 amount)", session.Arg("amount", session.LessThan, 100)), nil,
			[]string{"abc: danger: increaseApproval(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"Dai permit to anyone", call("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", session.Arg("0", session.Equal, account)), nil,
			[]string{"abc: danger: permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)"}},
		{"batch of transfers to anyone", call("safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)", session.Arg("from", session.Equal, account)), nil,
			[]string{"abc: warning: safeBatchTransferFrom(address,address,uint256[],uint256[],bytes) moves tokens, and no rule says that to = one address (open-recipient)"}},
		{"batch of transfers to one", call("safeBatchTransferFrom(address from, address to, uint256[] ids, uint256[] amounts, bytes data)", session.Arg("to", session.Equal, account)), nil, nil},
		{"transfer to anyone", call("transfer(address to, uint256 amount)", session.Arg("amount", session.LessThan, 100)), nil,
			[]string{"abc: warning: transfer(address,uint256) moves tokens, and no rule says that to = one address (open-recipient)"}},
		{"ERC-20 module", transferPolicy(), nil,
			[]string{"abc: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)"}},
		{"ERC-20 module without limit", func() session.Policy {
			p := transferPolicy()
			p.MaxAmount.SetAllOne()
			return p
		}(), func(l *session.Leaf) { l.Data = append(l.Data, 1) },
			[]string{"abc: warning: the ERC-20 module does not look at the function: approve passes as well as transfer; use an ABI policy (any-selector)",
				"abc: warning: the amount has no limit (unlimited)", "abc: note: the last 1 of its 129 bytes of data are never read (trailing-data)"}},
		{"condition", mintPolicy(), func(l *session.Leaf) { l.Data[64] = 6 },
			[]string{"abc: warning: rule 0: condition 6 never holds (never-holds)"}},
		{"missing rule", mintPolicy(), func(l *session.Leaf) { l.Data[61] = 2 },
			[]string{"abc: warning: its data counts 2 rules and has 1 (never-holds)"}},
		{"trailing bytes", mintPolicy(), func(l *session.Leaf) { l.Data = append(l.Data, 1, 2) },
			[]string{"abc: note: the last 2 of its 99 bytes of data are never read (trailing-data)"}},
		{"unreadable", mintPolicy(), func(l *session.Leaf) { l.Data = nil },
			[]string{"abc: warning: the ABI module cannot read its 0 bytes of data (never-holds)"}},
		{"ERC-20 unreadable", transferPolicy(), func(l *session.Leaf) { l.Data = nil },
			[]string{"abc: warning: the ERC-20 module cannot read its 0 bytes of data (never-holds)"}},
		{"behind the arguments", call("set(uint256 x)", session.Arg("x", session.Equal, 1), session.WordRule(32, session.Equal, word)), nil,
			[]string{"abc: warning: rule 1: offset 32 is behind the arguments of set(uint256); only calldata with more than that passes (past-end)"}},
		{"far away, function not known", call("set(uint256 x)", session.WordRule(4064, session.Equal, word), session.WordRule(4096, session.Equal, word)), func(l *session.Leaf) { l.Function = "" },
			[]string{"abc: warning: rule 1: offset 4096 is farther than the arguments of most functions reach (past-end)"}},
		{"inside a dynamic argument", call("run(uint256 x, bytes data)", session.Arg("data.length", session.Equal, 1)), nil,
			[]string{"abc: warning: " + layout + " (layout)"}},
		{"inside a dynamic argument that is pinned", call("run(uint256 x, bytes data)", session.Arg("data.length", session.Equal, 1), session.Arg("data", session.Equal, 64)), nil, nil},
		{"one element of many", call("pay((address to, uint256 amount)[] legs)", session.Arg("legs", session.Equal, 32), session.Arg("legs.length", session.NotEqual, 2), session.Arg("legs[0].to", session.Equal, policyTo)), nil,
			[]string{"abc: warning: rule 2: legs[0].to is one of as many as a caller likes, and the rule says nothing of the others, as long as no rule limits legs.length (layout)"}},
		{"the only element", call("pay((address to, uint256 amount)[] legs)", session.Arg("legs", session.Equal, 32), session.Arg("legs.length", session.LessThanOrEqual, 1), session.Arg("legs[0].to", session.Equal, policyTo)), nil, nil},
		{"an element of a fixed array", call("pay(address[2] to)", session.Arg("to[0]", session.Equal, policyTo)), nil, nil},
		{"the beginning of bytes", call("run(bytes data)", session.Arg("data", session.Equal, 32), session.Arg("data.words[0]", session.Equal, word)), nil, nil},
		{"behind a dynamic argument", call("run(bytes a, bytes[] b)", session.WordRule(32, session.Equal, word), session.WordRule(64, session.Equal, word), session.WordRule(0, session.Equal, word), session.WordRule(96, session.Equal, word)), nil, nil},
		{"offset within a word", mintPolicy(), func(l *session.Leaf) { l.Data[63] = 5 },
			[]string{"abc: warning: rule 0: offset 5 is within a word; it takes the end of one argument and the beginning of the next (layout)"}},
		{"deep in a dynamic argument", call("run((uint256 x, string[] names) job)", session.WordRule(0, session.Equal, word), session.WordRule(128, session.Equal, word)), nil,
			[]string{"abc: warning: rule 1: job.names[0] is at offset 128 in the standard encoding only; a caller may encode otherwise, as long as no rule says where job.names begins (layout)"}},
		{"signed order", call("move(int64 delta)", session.WordRule(0, session.LessThan, word)), nil,
			[]string{"abc: warning: rule 0: delta is int64, and the contract compares unsigned: negative numbers are the largest (signed-order)"}},
		{"another key", mintPolicy(), func(l *session.Leaf) { l.Key = policyTo },
			[]string{"abc: danger: it belongs to key 0x3333333333333333333333333333333333333333, but its data lets key 0x1111111111111111111111111111111111111111 sign (key-mismatch)"}},
		{"unknown module", session.RawPolicy{Module: policyNFT, Key: policyKey, Window: session.Until(policyEnd)}, nil,
			[]string{"abc: note: module 0x2222222222222222222222222222222222222222 is unknown; what it allows cannot be judged here (unknown-module)"}},
		{"left the tree", transferPolicy(), func(l *session.Leaf) { l.Status = session.StatusRevoked }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, err := tt.policy.Leaf(session.Modules{})
			require.NoError(t, err)
			leaf.ID = "abc"
			if tt.change != nil {
				tt.change(&leaf)
			}
			findings := session.Lint([]session.Leaf{leaf}, session.LintConfig{Account: account, Guards: []common.Address{common.HexToAddress(ecdsaModule)}})
			var got []string
			for _, f := range findings {
				got = append(got, f.String())
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestLintDuplicates(t *testing.T) {
	mint, err := mintPolicy().Leaf(session.Modules{})
	require.NoError(t, err)
	revoked := mint.Clone()
	revoked.Status = session.StatusRevoked
	stake := mintPolicy()
	stake.Function, stake.Rules = "stake()", nil
	other, err := stake.Leaf(session.Modules{})
	require.NoError(t, err)

	findings := session.Lint([]session.Leaf{revoked, mint, other, mint}, session.LintConfig{})
	require.Equal(t, []session.Finding{{
		Leaf: 3, Rule: session.NoRule, Code: session.FindingDuplicate, Severity: session.SeverityWarning,
		Message: "it is the same as leaf 1; revoking one of them alone revokes nothing",
	}}, findings)
	require.Equal(t, "leaf 3: warning: it is the same as leaf 1; revoking one of them alone revokes nothing (duplicate)", findings[0].String())

	revoked.InTree = true
	require.Len(t, session.Lint([]session.Leaf{revoked, mint}, session.LintConfig{}), 1, "the chain still takes a leaf in the tree")
}

func TestLintFunctions(t *testing.T) {
	policy := mintPolicy()
	policy.Function, policy.Rules = "", []session.Rule{session.WordRule(32, session.Equal, common.Hash{})}
	policy.Selector = &[4]byte{0x40, 0xd0, 0x97, 0xc3}
	leaf, err := policy.Leaf(session.Modules{})
	require.NoError(t, err)
	require.Empty(t, session.Lint([]session.Leaf{leaf}, session.LintConfig{}))
	findings := session.Lint([]session.Leaf{leaf}, session.LintConfig{Functions: []*abi.Function{abi.MustParseFunction("safeMint(address)")}})
	require.Len(t, findings, 1)
	require.Equal(t, session.FindingPastEnd, findings[0].Code)
	require.Equal(t, 0, findings[0].Rule)
}

func TestSeverityString(t *testing.T) {
	require.Equal(t, "note", session.SeverityNote.String())
	require.Equal(t, "warning", session.SeverityWarning.String())
	require.Equal(t, "danger", session.SeverityDanger.String())
	require.Equal(t, "severity 0", session.Severity(0).String())
}
