package policy_test

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
	"github.com/go-sesame/sesame/session/policy"
)

var (
	policyKey = common.HexToAddress("0x1111111111111111111111111111111111111111")
	policyNFT = common.HexToAddress("0x2222222222222222222222222222222222222222")
	policyTo  = common.HexToAddress("0x3333333333333333333333333333333333333333")
	policyEnd = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
)

// mintPolicy is a policy with nothing wrong.
func mintPolicy() policy.ABI {
	return policy.ABI{
		Key: policyKey, Contract: policyNFT, Function: "safeMint(address to)",
		Rules:  []policy.Rule{policy.Arg("to", policy.Equal, policyTo)},
		Window: policy.Until(policyEnd),
	}
}

func transferPolicy() policy.ERC20 {
	return policy.ERC20{
		Key: policyKey, Token: policyNFT, Recipient: policyTo, MaxAmount: *uint256.NewInt(100), Window: policy.Until(policyEnd),
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
			Condition policy.Condition
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
func (v *policyVector) policy(t *testing.T) policy.ABI {
	p := policy.ABI{Key: v.Policy.SessionKeyAddress, Contract: v.Policy.ContractAddress, Function: v.Policy.FunctionSelector}
	require.NoError(t, p.ValueLimit.SetFromDecimal(v.Policy.ValueLimit))
	for _, rule := range v.Policy.Rules {
		p.Rules = append(p.Rules, policy.WordRule(rule.Offset, rule.Condition, rule.Word))
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
		p.Window = policy.Between(start, end)
	default:
		require.True(t, start.IsZero(), "vector with a start and no end")
		p.Window = policy.Forever()
	}
	return p
}

func TestPolicyVectors(t *testing.T) {
	var vectors struct{ Cases []policyVector }
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "policies.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	for _, v := range vectors.Cases {
		p := v.policy(t)
		leaf, err := p.Compile(policy.Modules{})
		require.NoError(t, err)
		require.Equal(t, v.Datum.SessionValidationModule, leaf.Module)
		require.Equal(t, []byte(v.Datum.SessionKeyData), leaf.Data)
		require.Equal(t, []byte(v.Selector), leaf.Data[40:44])
		require.Equal(t, []byte(v.Leaf), leaf.Pack())
		require.Equal(t, v.LeafHash, leaf.Hash())

		back, err := leaf.Policy(policy.Modules{}, p.SessionKey())
		require.NoError(t, err)
		require.Equal(t, p.SessionKey(), back.SessionKey())
		again, err := back.Compile(policy.Modules{})
		require.NoError(t, err)
		require.Equal(t, leaf, again)
	}
}

func TestABICompile(t *testing.T) {
	leaf, err := mintPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	require.Equal(t, policy.Compiled{
		ValidUntil: uint64(policyEnd.Unix()),
		Module:     common.HexToAddress("0x000006bC2eCdAe38113929293d241Cf252D91861"),
		Function:   "function safeMint(address to)",
		Data: common.FromHex("0x1111111111111111111111111111111111111111" + "2222222222222222222222222222222222222222" + "40d097c3" +
			"00000000000000000000000000000000" + "0001" + "0000" + "00" + "0000000000000000000000003333333333333333333333333333333333333333"),
	}, leaf)

	bare := mintPolicy()
	bare.Function, bare.Selector, bare.Rules = "", &[4]byte{0x40, 0xd0, 0x97, 0xc3}, []policy.Rule{policy.WordRule(0, policy.Equal, common.BytesToHash(policyTo[:]))}
	bareLeaf, err := bare.Compile(policy.Modules{ABI: common.Address{9}})
	require.NoError(t, err)
	require.Equal(t, leaf.Data, bareLeaf.Data)
	require.Equal(t, common.Address{9}, bareLeaf.Module)
	require.Empty(t, bareLeaf.Function)
}

// The arguments of every kind are padded as a call has them.
func TestArgRulesMatchCalldata(t *testing.T) {
	const signature = "function f(uint8 small, int16 low, bool on, bytes4 tag, (address who, uint128[2] pair) order, bytes data, uint256)"
	word := func(p policy.ABI) (uint64, common.Hash) {
		leaf, err := p.Compile(policy.Modules{})
		require.NoError(t, err)
		return uint64(leaf.Data[62])<<8 | uint64(leaf.Data[63]), common.Hash(leaf.Data[65:97])
	}
	calldata, err := abi.Pack(signature, 7, -2, true, "0x01020304", []any{policyTo, []any{8, 9}}, "0xaabb", 10)
	require.NoError(t, err)
	for path, value := range map[string]any{
		"small": 7, "low": -2, "on": true, "tag": [4]byte{1, 2, 3, 4}, "order.who": policyTo.Hex(),
		"order.pair[0]": uint256.NewInt(8), "order.pair[1]": "9", "6": 10, "data.offset": 9 * 32, "data.length": 2,
	} {
		p := mintPolicy()
		p.Function, p.Rules = signature, []policy.Rule{policy.Arg(path, policy.Equal, value)}
		offset, reference := word(p)
		require.Equal(t, common.Hash(calldata[4+offset:4+offset+32]), reference, path)
	}
}

func TestPolicyRefusals(t *testing.T) {
	tests := []struct {
		name   string
		change func(*policy.ABI)
		want   string
	}{
		{"no key", func(p *policy.ABI) { p.Key = common.Address{} }, "ABI policy without a session key address"},
		{"no contract", func(p *policy.ABI) { p.Contract = common.Address{} }, "ABI policy without a contract to call"},
		{"no function", func(p *policy.ABI) { p.Function = "" }, "ABI policy without a function to call"},
		{"no window", func(p *policy.ABI) { p.Window = policy.Window{} }, "no validity window; use Until, Between or, for one that never ends, Forever"},
		{"window without end", func(p *policy.ABI) { p.Window = policy.Until(time.Time{}) }, "window without an end; ask for one that never ends with Forever"},
		{"malformed function", func(p *policy.ABI) { p.Function = "safeMint(addres to)" }, `unknown type "addres"`},
		{"two functions", func(p *policy.ABI) { p.Selector = new([4]byte) }, "ABI policy with selector 0x00000000, but safeMint(address) has 0x40d097c3; give one of them"},
		{"value", func(p *policy.ABI) { p.ValueLimit.Lsh(uint256.NewInt(1), 128) }, "value limit 340282366920938463463374607431768211456 does not fit uint128 wei"},
		{"rule count", func(p *policy.ABI) { p.Rules = make([]policy.Rule, 65_536) }, "65536 rules; the contract counts up to 65535"},
		{"dynamic argument", func(p *policy.ABI) {
			p.Function, p.Rules = "castVote(string proposalId, uint8 support)", []policy.Rule{policy.Arg("proposalId", policy.NotEqual, "42")}
		}, `rule 0: word "proposalId" of castVote(string,uint8): proposalId is a dynamic string, which no single word holds: name proposalId.length, or a word of the content, like proposalId.words[0]; proposalId.offset is the word that says where it begins`},
		{"unknown argument", func(p *policy.ABI) { p.Rules[0].Path = "too" }, `rule 0: word "too" of safeMint(address): no "too", there is to`},
		{"argument type", func(p *policy.ABI) { p.Rules[0].Value = 5 }, "rule 0: argument to: cannot use int as address"},
		{"nil value", func(p *policy.ABI) { p.Rules[0].Value = nil }, "rule 0: argument to: is nil"},
		{"condition", func(p *policy.ABI) { p.Rules[0].Condition = 6 }, "rule 0: unknown condition 6"},
		{"overflow", func(p *policy.ABI) {
			p.Function, p.Rules = "set(uint8 amount)", []policy.Rule{policy.Arg("amount", policy.LessThan, 300)}
		}, "rule 0: argument amount: 300 does not fit uint8"},
		{"signed order", func(p *policy.ABI) {
			p.Function, p.Rules = "move(uint256 x, int256 delta)", []policy.Rule{policy.Arg("delta", policy.LessThanOrEqual, 5)}
		}, "rule 0: argument delta: ≤ on int256: the contract compares unsigned, where negative numbers are the largest; use WordRule(32, …) if that is meant"},
		{"offset between words", func(p *policy.ABI) { p.Rules[0] = policy.WordRule(4, policy.Equal, common.Hash{}) }, "rule 0: offset 4 is not a multiple of 32; it counts bytes after the selector"},
		{"offset too far", func(p *policy.ABI) { p.Rules[0] = policy.WordRule(65_536, policy.Equal, common.Hash{}) }, "rule 0: offset 65536 does not fit uint16; the contract cannot look that far"},
		{"argument too far", func(p *policy.ABI) {
			p.Function, p.Rules = "f(bytes data)", []policy.Rule{policy.Arg("data.words[3000]", policy.Equal, common.Hash{})}
		}, "rule 0: offset 96064 does not fit uint16"},
		{"argument of a bare selector", func(p *policy.ABI) { p.Function, p.Selector = "", new([4]byte) }, "rule 0: argument to of a bare selector; give the policy's Function, or use WordRule"},
		{"mixed rule", func(p *policy.ABI) { p.Rules[0].Offset = 32 }, "rule 0: argument to with an offset or word of its own; use either Arg or WordRule"},
		{"value without argument", func(p *policy.ABI) { p.Rules[0].Path = "" }, "rule 0: a value without an argument; name the argument, or give a raw Word"},
		{"same rule twice", func(p *policy.ABI) {
			p.Rules = append(p.Rules, policy.WordRule(0, policy.NotEqual, common.Hash{}), policy.Arg("0", policy.Equal, policyTo))
		}, "rules 0 and 2 are the same"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mintPolicy()
			tt.change(&p)
			_, err := p.Compile(policy.Modules{})
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, tt.want)
			require.Equal(t, 1, strings.Count(err.Error(), policy.ErrInvalid.Error()), err)
			require.Equal(t, err.Error(), p.String())
		})
	}
}

func TestLargestABIPolicy(t *testing.T) {
	p := mintPolicy()
	p.ValueLimit.Sub(new(uint256.Int).Lsh(uint256.NewInt(1), 128), uint256.NewInt(1))
	p.Rules = make([]policy.Rule, 65_535)
	for i := range p.Rules {
		p.Rules[i] = policy.WordRule(65_504, policy.Equal, common.BigToHash(uint256.NewInt(uint64(i)).ToBig()))
	}
	leaf, err := p.Compile(policy.Modules{})
	require.NoError(t, err)
	require.Len(t, leaf.Data, 62+35*65_535)
	back, err := leaf.Policy(policy.Modules{}, p.Key)
	require.NoError(t, err)
	require.Equal(t, p.ValueLimit, back.(policy.ABI).ValueLimit)
	require.Len(t, back.(policy.ABI).Rules, 65_535)
}

func TestOtherPolicyRefusals(t *testing.T) {
	erc20 := func(change func(*policy.ERC20)) policy.Policy {
		p := transferPolicy()
		change(&p)
		return p
	}
	raw := func(change func(*policy.Raw)) policy.Policy {
		p := policy.Raw{Module: policyNFT, Key: policyKey, Window: policy.Forever()}
		change(&p)
		return p
	}
	for want, p := range map[string]policy.Policy{
		"ERC-20 policy without a session key address":    erc20(func(p *policy.ERC20) { p.Key = common.Address{} }),
		"ERC-20 policy without a token":                  erc20(func(p *policy.ERC20) { p.Token = common.Address{} }),
		"ERC-20 policy without a recipient":              erc20(func(p *policy.ERC20) { p.Recipient = common.Address{} }),
		"no validity window":                             erc20(func(p *policy.ERC20) { p.Window = policy.Window{} }),
		"raw policy without a session key address":       raw(func(p *policy.Raw) { p.Key = common.Address{} }),
		"raw policy without a session validation module": raw(func(p *policy.Raw) { p.Module = common.Address{} }),
		"outside what the contracts can hold":            raw(func(p *policy.Raw) { p.Window = policy.Until(time.Unix(1<<48, 0)) }),
	} {
		_, err := p.Compile(policy.Modules{})
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestERC20Compile(t *testing.T) {
	leaf, err := transferPolicy().Compile(policy.Modules{})
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
		p := g.policy()
		leaf, err := p.Compile(policy.Modules{})
		require.NoError(t, err)
		back, err := leaf.Policy(policy.Modules{}, p.SessionKey())
		require.NoError(t, err)
		require.Equal(t, p, back)
	}
}

// policy is any that compiles, in the form that [policy.Compiled.Policy] returns.
func (g *generator) policy() policy.Policy {
	window := policy.Forever()
	if !g.oneIn(3) {
		window = policy.Until(time.Unix(1+g.Int64N(policy.MaxTime), 0))
	}
	var amount uint256.Int
	word := g.word()
	amount.SetBytes(word[g.IntN(32):])
	switch g.IntN(4) {
	case 0:
		return policy.ERC20{Key: g.address(), Token: g.address(), Recipient: g.address(), MaxAmount: amount, Window: window}
	case 1:
		return policy.Raw{Module: g.address(), Key: g.address(), Data: g.bytes(1 + g.IntN(200)), Window: window}
	}
	p := policy.ABI{Key: g.address(), Contract: g.address(), Window: window}
	p.ValueLimit.Rsh(&amount, 128)
	if g.oneIn(2) {
		p.Function = "function swap(bytes32 id, (address to, uint128 amount)[] legs, bytes data)"
	} else {
		p.Selector = (*[4]byte)(g.bytes(4))
	}
	for range g.IntN(5) {
		p.Rules = append(p.Rules, policy.WordRule(uint64(g.IntN(2048))*32, policy.Condition(g.IntN(6)), common.Hash(g.bytes(32))))
	}
	return p
}

func TestReadingBackRefusals(t *testing.T) {
	abiLeaf, err := mintPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	erc20Leaf, err := transferPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	tests := []struct {
		name   string
		leaf   policy.Compiled
		change func(*policy.Compiled) // nil for another key
		want   string
	}{
		{"short", abiLeaf, func(l *policy.Compiled) { l.Data = l.Data[:61] }, "invalid input: ABI session key data of 61 bytes; it has at least 62"},
		{"rule missing", abiLeaf, func(l *policy.Compiled) { l.Data[61] = 2 }, "invalid input: ABI session key data of 97 bytes, where its rule count of 2 asks for 132"},
		{"trailing", abiLeaf, func(l *policy.Compiled) { l.Data = append(l.Data, 0) }, "invalid input: ABI session key data of 98 bytes, where its rule count of 1 asks for 97"},
		{"other key", abiLeaf, nil, "invalid input: it belongs to key 0x3333333333333333333333333333333333333333, but its data names 0x1111111111111111111111111111111111111111"},
		{"condition", abiLeaf, func(l *policy.Compiled) { l.Data[64] = 9 }, "invalid input: rule 0: unknown condition 9"},
		{"offset", abiLeaf, func(l *policy.Compiled) { l.Data[63] = 5 }, "invalid input: rule 0: offset 5 is not a multiple of 32"},
		{"ERC-20 short", erc20Leaf, func(l *policy.Compiled) { l.Data = l.Data[:127] }, "invalid input: ERC-20 session key data of 127 bytes; it is three addresses and an amount in 128 bytes"},
		{"ERC-20 trailing", erc20Leaf, func(l *policy.Compiled) { l.Data = append(l.Data, 0) }, "invalid input: ERC-20 session key data of 129 bytes"},
		{"ERC-20 address", erc20Leaf, func(l *policy.Compiled) { l.Data[32] = 1 }, "invalid input: ERC-20 session key data of 128 bytes; it is three addresses"},
		{"ERC-20 other key", erc20Leaf, nil, "invalid input: it belongs to key 0x3333333333333333333333333333333333333333, but"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf := tt.leaf.Clone()
			key := policyTo
			if tt.change != nil {
				key = policyKey
				tt.change(&leaf)
			}
			p, err := leaf.Policy(policy.Modules{}, key)
			require.Nil(t, p)
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// A signature that is not the one on chain is not taken for it.
func TestReadingBackWithWrongFunction(t *testing.T) {
	leaf, err := mintPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	leaf.Function = "function burn(address to)"
	p, err := leaf.Policy(policy.Modules{}, policyKey)
	require.NoError(t, err)
	require.Empty(t, p.(policy.ABI).Function)
	require.Equal(t, [4]byte{0x40, 0xd0, 0x97, 0xc3}, *p.(policy.ABI).Selector)
	require.Contains(t, leaf.Describe(policy.Modules{}), "may call selector 0x40d097c3 on ")
}

// The policy of any data encodes to that data again; nothing panics on the way.
func FuzzCompiledPolicy(f *testing.F) {
	modules := policy.Modules{}.WithDefaults()
	for _, p := range []policy.Policy{mintPolicy(), transferPolicy()} {
		leaf, err := p.Compile(modules)
		require.NoError(f, err)
		f.Add(leaf.Data, leaf.Function, leaf.Module == modules.ABI)
	}
	f.Fuzz(func(t *testing.T, data []byte, function string, isABI bool) {
		leaf := policy.Compiled{Data: data, Function: function, Module: modules.ERC20}
		if isABI {
			leaf.Module = modules.ABI
		}
		require.NotEmpty(t, leaf.Describe(modules))
		policy.Lint(policy.LintConfig{}, &leaf)
		target, _ := leaf.Target(modules)
		for _, call := range []abi.Call{{Data: data}, {To: target, Data: data}} {
			require.Equal(t, policy.CheckCall(modules, &leaf, call) == nil, leaf.Allows(modules, call))
		}
		p, err := leaf.Policy(modules, policyKey)
		if err != nil {
			return
		}
		again, err := p.Compile(modules)
		if err != nil {
			return // such as a call to the zero address: the chain takes it, a policy is not made of it
		}
		require.Equal(t, leaf.Pack(), again.Pack())
	})
}
