package session_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/session"
)

var (
	policyKey = common.HexToAddress("0x1111111111111111111111111111111111111111")
	policyNFT = common.HexToAddress("0x2222222222222222222222222222222222222222")
	policyTo  = common.HexToAddress("0x3333333333333333333333333333333333333333")
	policyEnd = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
)

// mintPolicy is a policy with nothing wrong.
func mintPolicy() session.ABIPolicy {
	return session.ABIPolicy{
		Key: policyKey, Contract: policyNFT, Function: "safeMint(address to)",
		Rules:  []session.Rule{session.Arg("to", session.Equal, policyTo)},
		Window: session.Until(policyEnd),
	}
}

func transferPolicy() session.ERC20Policy {
	return session.ERC20Policy{
		Key: policyKey, Token: policyNFT, Recipient: policyTo, MaxAmount: *uint256.NewInt(100), Window: session.Until(policyEnd),
	}
}

type policyVector struct {
	Policy struct {
		SessionKeyAddress common.Address
		ContractAddress   common.Address
		FunctionSelector  string
		ValueLimit        string
		Rules             []struct {
			Offset    uint64
			Condition session.Condition
			Word      common.Hash
		}
		Interval struct{ ValidUntil, ValidAfter int64 }
	}
	Datum struct {
		SessionValidationModule common.Address
		SessionKeyData          hexutil.Bytes
	}
	Selector hexutil.Bytes
	Leaf     hexutil.Bytes
	LeafHash common.Hash
}

// policy is the vector as a caller here would write it.
func (v *policyVector) policy(t *testing.T) session.ABIPolicy {
	p := session.ABIPolicy{Key: v.Policy.SessionKeyAddress, Contract: v.Policy.ContractAddress, Function: v.Policy.FunctionSelector}
	require.NoError(t, p.ValueLimit.SetFromDecimal(v.Policy.ValueLimit))
	for _, rule := range v.Policy.Rules {
		p.Rules = append(p.Rules, session.WordRule(rule.Offset, rule.Condition, rule.Word))
	}
	moment := func(seconds int64) time.Time {
		if seconds == 0 {
			return time.Time{}
		}
		return time.Unix(seconds, 0)
	}
	start, end := moment(v.Policy.Interval.ValidAfter), moment(v.Policy.Interval.ValidUntil)
	switch {
	case !end.IsZero():
		p.Window = session.Between(start, end)
	default:
		require.True(t, start.IsZero(), "vector with a start and no end")
		p.Window = session.Forever()
	}
	return p
}

func TestPolicyVectors(t *testing.T) {
	var vectors struct{ Cases []policyVector }
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "policies.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, v := range vectors.Cases {
		policy := v.policy(t)
		leaf, err := policy.Leaf(session.Modules{})
		require.NoError(t, err)
		require.Equal(t, v.Datum.SessionValidationModule, leaf.Module)
		require.Equal(t, []byte(v.Datum.SessionKeyData), leaf.Data)
		require.Equal(t, []byte(v.Selector), leaf.Data[40:44])
		require.Equal(t, []byte(v.Leaf), leaf.Pack())
		require.Equal(t, v.LeafHash, leaf.Hash())

		back, err := leaf.Policy(session.Modules{})
		require.NoError(t, err)
		again, err := back.Leaf(session.Modules{})
		require.NoError(t, err)
		require.Equal(t, leaf, again)
	}
}

func TestABIPolicyLeaf(t *testing.T) {
	leaf, err := mintPolicy().Leaf(session.Modules{})
	require.NoError(t, err)
	require.Equal(t, session.Leaf{
		Status: session.StatusPending, ValidUntil: uint64(policyEnd.Unix()), Key: policyKey,
		Module:   common.HexToAddress("0x000006bC2eCdAe38113929293d241Cf252D91861"),
		Function: "function safeMint(address to)",
		Data: common.FromHex("0x1111111111111111111111111111111111111111" + "2222222222222222222222222222222222222222" + "40d097c3" +
			"00000000000000000000000000000000" + "0001" + "0000" + "00" + "0000000000000000000000003333333333333333333333333333333333333333"),
	}, leaf)

	bare := mintPolicy()
	bare.Function, bare.Selector, bare.Rules = "", &[4]byte{0x40, 0xd0, 0x97, 0xc3}, []session.Rule{session.WordRule(0, session.Equal, common.BytesToHash(policyTo[:]))}
	bareLeaf, err := bare.Leaf(session.Modules{ABI: common.Address{9}})
	require.NoError(t, err)
	require.Equal(t, leaf.Data, bareLeaf.Data)
	require.Equal(t, common.Address{9}, bareLeaf.Module)
	require.Empty(t, bareLeaf.Function)
}

// The arguments of every kind are padded as a call has them.
func TestArgRulesMatchCalldata(t *testing.T) {
	const signature = "function f(uint8 small, int16 low, bool on, bytes4 tag, (address who, uint128[2] pair) order, bytes data, uint256)"
	word := func(p session.ABIPolicy) (uint64, common.Hash) {
		leaf, err := p.Leaf(session.Modules{})
		require.NoError(t, err)
		return uint64(leaf.Data[62])<<8 | uint64(leaf.Data[63]), common.Hash(leaf.Data[65:97])
	}
	calldata, err := abi.Pack(signature, 7, -2, true, "0x01020304", []any{policyTo, []any{8, 9}}, "0xaabb", 10)
	require.NoError(t, err)
	for path, value := range map[string]any{
		"small": 7, "low": -2, "on": true, "tag": [4]byte{1, 2, 3, 4}, "order.who": policyTo.Hex(),
		"order.pair[0]": uint256.NewInt(8), "order.pair[1]": "9", "6": 10, "data": 9 * 32, "data.length": 2,
	} {
		p := mintPolicy()
		p.Function, p.Rules = signature, []session.Rule{session.Arg(path, session.Equal, value)}
		offset, reference := word(p)
		require.Equal(t, common.Hash(calldata[4+offset:4+offset+32]), reference, path)
	}
}

func TestPolicyRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*session.ABIPolicy)
		want   string
	}{
		{"no key", func(p *session.ABIPolicy) { p.Key = common.Address{} }, "ABI policy without a session key address"},
		{"no contract", func(p *session.ABIPolicy) { p.Contract = common.Address{} }, "ABI policy without a contract to call"},
		{"no function", func(p *session.ABIPolicy) { p.Function = "" }, "ABI policy without a function to call"},
		{"no window", func(p *session.ABIPolicy) { p.Window = session.Window{} }, "no validity window; use Until, Between or, for one that never ends, Forever"},
		{"window without end", func(p *session.ABIPolicy) { p.Window = session.Until(time.Time{}) }, "window without an end; ask for one that never ends with Forever"},
		{"malformed function", func(p *session.ABIPolicy) { p.Function = "safeMint(addres to)" }, `unknown type "addres"`},
		{"two functions", func(p *session.ABIPolicy) { p.Selector = new([4]byte) }, "ABI policy with selector 0x00000000, but safeMint(address) has 0x40d097c3; give one of them"},
		{"value", func(p *session.ABIPolicy) { p.ValueLimit.Lsh(uint256.NewInt(1), 128) }, "value limit 340282366920938463463374607431768211456 does not fit uint128 wei"},
		{"rule count", func(p *session.ABIPolicy) { p.Rules = make([]session.Rule, 65_536) }, "65536 rules; the contract counts up to 65535"},
		{"unknown argument", func(p *session.ABIPolicy) { p.Rules[0].Path = "too" }, `rule 0: word "too" of safeMint(address): no "too", there is to`},
		{"argument type", func(p *session.ABIPolicy) { p.Rules[0].Value = 5 }, "rule 0: argument to: cannot use int as address"},
		{"nil value", func(p *session.ABIPolicy) { p.Rules[0].Value = nil }, "rule 0: argument to: is nil"},
		{"condition", func(p *session.ABIPolicy) { p.Rules[0].Condition = 6 }, "rule 0: unknown condition 6"},
		{"overflow", func(p *session.ABIPolicy) {
			p.Function, p.Rules = "set(uint8 amount)", []session.Rule{session.Arg("amount", session.LessThan, 300)}
		}, "rule 0: argument amount: 300 does not fit uint8"},
		{"signed order", func(p *session.ABIPolicy) {
			p.Function, p.Rules = "move(uint256 x, int256 delta)", []session.Rule{session.Arg("delta", session.LessThanOrEqual, 5)}
		}, "rule 0: argument delta: ≤ on int256: the contract compares unsigned, where negative numbers are the largest; use WordRule(32, …) if that is meant"},
		{"offset between words", func(p *session.ABIPolicy) { p.Rules[0] = session.WordRule(4, session.Equal, common.Hash{}) }, "rule 0: offset 4 is not a multiple of 32; it counts bytes after the selector"},
		{"offset too far", func(p *session.ABIPolicy) { p.Rules[0] = session.WordRule(65_536, session.Equal, common.Hash{}) }, "rule 0: offset 65536 does not fit uint16; the contract cannot look that far"},
		{"argument too far", func(p *session.ABIPolicy) {
			p.Function, p.Rules = "f(bytes data)", []session.Rule{session.Arg("data.words[3000]", session.Equal, common.Hash{})}
		}, "rule 0: offset 96064 does not fit uint16"},
		{"argument of a bare selector", func(p *session.ABIPolicy) { p.Function, p.Selector = "", new([4]byte) }, "rule 0: argument to of a bare selector; give the policy's Function, or use WordRule"},
		{"mixed rule", func(p *session.ABIPolicy) { p.Rules[0].Offset = 32 }, "rule 0: argument to with an offset or word of its own; use either Arg or WordRule"},
		{"value without argument", func(p *session.ABIPolicy) { p.Rules[0].Path = "" }, "rule 0: a value without an argument; name the argument, or give a raw Word"},
		{"same rule twice", func(p *session.ABIPolicy) {
			p.Rules = append(p.Rules, session.WordRule(0, session.NotEqual, common.Hash{}), session.Arg("0", session.Equal, policyTo))
		}, "rules 0 and 2 are the same"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mintPolicy()
			tt.change(&p)
			_, err := p.Leaf(session.Modules{})
			require.ErrorIs(t, err, session.ErrInvalid)
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, 1, strings.Count(err.Error(), session.ErrInvalid.Error()), err)
			require.Equal(t, err.Error(), p.String())
		})
	}
}

func TestLargestABIPolicy(t *testing.T) {
	p := mintPolicy()
	p.ValueLimit.Sub(new(uint256.Int).Lsh(uint256.NewInt(1), 128), uint256.NewInt(1))
	p.Rules = make([]session.Rule, 65_535)
	for i := range p.Rules {
		p.Rules[i] = session.WordRule(65_504, session.Equal, common.BigToHash(uint256.NewInt(uint64(i)).ToBig()))
	}
	leaf, err := p.Leaf(session.Modules{})
	require.NoError(t, err)
	require.Len(t, leaf.Data, 62+35*65_535)
	back, err := leaf.Policy(session.Modules{})
	require.NoError(t, err)
	require.Equal(t, p.ValueLimit, back.(session.ABIPolicy).ValueLimit)
	require.Len(t, back.(session.ABIPolicy).Rules, 65_535)
}

func TestOtherPolicyRefusals(t *testing.T) {
	erc20 := func(change func(*session.ERC20Policy)) session.Policy {
		p := transferPolicy()
		change(&p)
		return p
	}
	raw := func(change func(*session.RawPolicy)) session.Policy {
		p := session.RawPolicy{Module: policyNFT, Key: policyKey, Window: session.Forever()}
		change(&p)
		return p
	}
	for want, policy := range map[string]session.Policy{
		"ERC-20 policy without a session key address":    erc20(func(p *session.ERC20Policy) { p.Key = common.Address{} }),
		"ERC-20 policy without a token":                  erc20(func(p *session.ERC20Policy) { p.Token = common.Address{} }),
		"ERC-20 policy without a recipient":              erc20(func(p *session.ERC20Policy) { p.Recipient = common.Address{} }),
		"no validity window":                             erc20(func(p *session.ERC20Policy) { p.Window = session.Window{} }),
		"raw policy without a session key address":       raw(func(p *session.RawPolicy) { p.Key = common.Address{} }),
		"raw policy without a session validation module": raw(func(p *session.RawPolicy) { p.Module = common.Address{} }),
		"outside what the contracts can hold":            raw(func(p *session.RawPolicy) { p.Window = session.Until(time.Unix(1<<48, 0)) }),
	} {
		_, err := policy.Leaf(session.Modules{})
		require.ErrorIs(t, err, session.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestERC20PolicyLeaf(t *testing.T) {
	leaf, err := transferPolicy().Leaf(session.Modules{})
	require.NoError(t, err)
	require.Equal(t, common.HexToAddress("0x000000D50C68705bd6897B2d17c7de32FB519fDA"), leaf.Module)
	require.Equal(t, common.FromHex("0x0000000000000000000000001111111111111111111111111111111111111111"+
		"0000000000000000000000002222222222222222222222222222222222222222"+
		"0000000000000000000000003333333333333333333333333333333333333333"+
		"0000000000000000000000000000000000000000000000000000000000000064"), leaf.Data)
}

// Policies survive the way to the chain and back.
func TestPolicyRoundTrip(t *testing.T) {
	g := newGenerator(rand.Uint64())
	for range 2_000 {
		policy := g.policy()
		leaf, err := policy.Leaf(session.Modules{})
		require.NoError(t, err)
		leaf.ID = ""
		back, err := leaf.Policy(session.Modules{})
		require.NoError(t, err)
		require.Equal(t, policy, back)
	}
}

// policy is any that Leaf takes, in the form that [session.Leaf.Policy] returns.
func (g *generator) policy() session.Policy {
	window := session.Forever()
	if !g.oneIn(3) {
		window = session.Until(time.Unix(1+g.Int64N(session.MaxTime), 0))
	}
	var amount uint256.Int
	word := g.word()
	amount.SetBytes(word[g.IntN(32):])
	switch g.IntN(4) {
	case 0:
		return session.ERC20Policy{Key: g.address(), Token: g.address(), Recipient: g.address(), MaxAmount: amount, Window: window}
	case 1:
		return session.RawPolicy{Module: g.address(), Key: g.address(), Data: g.bytes(1 + g.IntN(200)), Window: window}
	}
	p := session.ABIPolicy{Key: g.address(), Contract: g.address(), Window: window}
	p.ValueLimit.Rsh(&amount, 128)
	if g.oneIn(2) {
		p.Function = "function swap(bytes32 id, (address to, uint128 amount)[] legs, bytes data)"
	} else {
		p.Selector = (*[4]byte)(g.bytes(4))
	}
	for range g.IntN(5) {
		p.Rules = append(p.Rules, session.WordRule(uint64(g.IntN(2048))*32, session.Condition(g.IntN(6)), common.Hash(g.bytes(32))))
	}
	return p
}

func TestLeafPolicyRefusals(t *testing.T) {
	abiLeaf, err := mintPolicy().Leaf(session.Modules{})
	require.NoError(t, err)
	erc20Leaf, err := transferPolicy().Leaf(session.Modules{})
	require.NoError(t, err)
	tests := []struct {
		name   string
		leaf   session.Leaf
		change func(*session.Leaf)
		want   string
	}{
		{"short", abiLeaf, func(l *session.Leaf) { l.Data = l.Data[:61] }, "session abc: ABI session key data of 61 bytes; it has at least 62"},
		{"rule missing", abiLeaf, func(l *session.Leaf) { l.Data[61] = 2 }, "session abc: ABI session key data of 97 bytes, where its rule count of 2 asks for 132"},
		{"trailing", abiLeaf, func(l *session.Leaf) { l.Data = append(l.Data, 0) }, "session abc: ABI session key data of 98 bytes, where its rule count of 1 asks for 97"},
		{"other key", abiLeaf, func(l *session.Leaf) { l.Key = policyTo }, "session abc: it belongs to key 0x3333333333333333333333333333333333333333, but its data names 0x1111111111111111111111111111111111111111"},
		{"condition", abiLeaf, func(l *session.Leaf) { l.Data[64] = 9 }, "session abc: rule 0: unknown condition 9"},
		{"offset", abiLeaf, func(l *session.Leaf) { l.Data[63] = 5 }, "session abc: rule 0: offset 5 is not a multiple of 32"},
		{"ERC-20 short", erc20Leaf, func(l *session.Leaf) { l.Data = l.Data[:127] }, "session abc: ERC-20 session key data of 127 bytes; it is three addresses and an amount in 128 bytes"},
		{"ERC-20 trailing", erc20Leaf, func(l *session.Leaf) { l.Data = append(l.Data, 0) }, "session abc: ERC-20 session key data of 129 bytes"},
		{"ERC-20 address", erc20Leaf, func(l *session.Leaf) { l.Data[32] = 1 }, "session abc: ERC-20 session key data of 128 bytes; it is three addresses"},
		{"ERC-20 other key", erc20Leaf, func(l *session.Leaf) { l.Key = policyTo }, "session abc: it belongs to key 0x3333333333333333333333333333333333333333, but"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf := tt.leaf.Clone()
			leaf.ID = "abc"
			tt.change(&leaf)
			policy, err := leaf.Policy(session.Modules{})
			require.Nil(t, policy)
			require.ErrorIs(t, err, session.ErrInvalid)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A signature that is not the one on chain is not taken for it.
func TestLeafPolicyWithWrongFunction(t *testing.T) {
	leaf, err := mintPolicy().Leaf(session.Modules{})
	require.NoError(t, err)
	leaf.Function = "function burn(address to)"
	policy, err := leaf.Policy(session.Modules{})
	require.NoError(t, err)
	require.Empty(t, policy.(session.ABIPolicy).Function)
	require.Equal(t, [4]byte{0x40, 0xd0, 0x97, 0xc3}, *policy.(session.ABIPolicy).Selector)
	require.Contains(t, leaf.Describe(session.Modules{}), "may call selector 0x40d097c3 on ")
}

// The policy of any data encodes to that data again; nothing panics on the way.
func FuzzLeafPolicy(f *testing.F) {
	modules := session.Modules{}.WithDefaults()
	for _, policy := range []session.Policy{mintPolicy(), transferPolicy()} {
		leaf, err := policy.Leaf(modules)
		require.NoError(f, err)
		f.Add(leaf.Data, leaf.Function, leaf.Module == modules.ABI)
	}
	f.Fuzz(func(t *testing.T, data []byte, function string, isABI bool) {
		leaf := session.Leaf{ID: "abc", Status: session.StatusPending, Key: policyKey, Data: data, Function: function, Module: modules.ERC20}
		if isABI {
			leaf.Module = modules.ABI
		}
		require.NotEmpty(t, leaf.Describe(modules))
		session.Lint([]session.Leaf{leaf}, session.LintConfig{})
		_ = session.CheckCall(modules, &leaf, session.Call{Data: data})
		policy, err := leaf.Policy(modules)
		if err != nil {
			return
		}
		again, err := policy.Leaf(modules)
		if err != nil {
			return // such as a call to the zero address: the chain takes it, a policy is not made of it
		}
		require.Equal(t, leaf.Pack(), again.Pack())
	})
}
