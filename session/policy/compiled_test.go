package policy_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

// What is named is read from the data, by the module that it is for.
func TestSessionKeyAndTarget(t *testing.T) {
	mint, transfer := [4]byte{0x40, 0xd0, 0x97, 0xc3}, [4]byte{0xa9, 0x05, 0x9c, 0xbb}
	for name, tt := range map[string]struct {
		policy         policy.Policy
		short          int // too few bytes of data
		mints, anyCall bool
	}{
		"ABI":    {mintPolicy(), 61, true, false},
		"ERC-20": {transferPolicy(), 127, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := tt.policy.Compile(policy.Modules{})
			require.NoError(t, err)
			key, ok := c.SessionKey(policy.Modules{})
			require.True(t, ok)
			require.Equal(t, policyKey, key)
			target, ok := c.Target(policy.Modules{})
			require.True(t, ok)
			require.Equal(t, policyNFT, target)
			require.Equal(t, tt.mints, c.Targets(policy.Modules{}, policyNFT, mint))
			require.Equal(t, tt.anyCall, c.Targets(policy.Modules{}, policyNFT, transfer))
			require.False(t, c.Targets(policy.Modules{}, policyTo, mint))

			elsewhere := policy.Modules{ABI: common.Address{9}, ERC20: common.Address{8}}
			_, ok = c.SessionKey(elsewhere)
			require.False(t, ok, "the module is not known")
			_, ok = c.Target(elsewhere)
			require.False(t, ok)
			require.False(t, c.Targets(elsewhere, policyNFT, mint))

			c.Data = c.Data[:tt.short]
			_, ok = c.SessionKey(policy.Modules{})
			require.False(t, ok, "the module cannot read it")
			_, ok = c.Target(policy.Modules{})
			require.False(t, ok)
			require.False(t, c.Targets(policy.Modules{}, policyNFT, mint))
		})
	}
}

func TestDescribe(t *testing.T) {
	const key, nft, to = "0x1111111111111111111111111111111111111111", "0x2222222222222222222222222222222222222222", "0x3333333333333333333333333333333333333333"
	tests := []struct {
		name   string
		policy func() policy.Policy
		change func(*policy.Compiled)
		want   string
	}{
		{"one rule", func() policy.Policy { return mintPolicy() }, nil,
			"may call safeMint(address) on " + nft + " with to = " + to + ", no value, until 2026-12-01T00:00:00Z"},
		{"more rules and a value", func() policy.Policy {
			p := mintPolicy()
			p.Function, p.ValueLimit = "buy(uint256 id, uint8 count, bytes note)", *uint256.NewInt(1e15)
			p.Rules = []policy.Rule{policy.Arg("count", policy.LessThanOrEqual, 5), policy.Arg("id", policy.NotEqual, 0), policy.Arg("note.length", policy.Equal, 0)}
			p.Window = policy.Between(time.Unix(1e9, 0), policyEnd)
			return p
		}, nil, "may call buy(uint256,uint8,bytes) on " + nft + " with count ≤ 5 and id ≠ 0 and note.length (in the standard encoding) = 0, up to 1000000000000000 wei, from 2001-09-09T01:46:40Z until 2026-12-01T00:00:00Z"},
		{"what is inside a value that is pinned", func() policy.Policy {
			p := mintPolicy()
			p.Function = "vote(string reason)"
			p.Rules = []policy.Rule{policy.Arg("reason.offset", policy.Equal, 32), policy.Arg("reason.length", policy.LessThanOrEqual, 5)}
			return p
		}, nil, "may call vote(string) on " + nft + " with the offset of reason = 32 and reason.length ≤ 5, no value, until 2026-12-01T00:00:00Z"},
		{"an offset in a leaf from elsewhere", func() policy.Policy {
			p := mintPolicy()
			p.Function = "vote(string reason, uint8 support)"
			p.Rules = []policy.Rule{policy.WordRule(0, policy.NotEqual, common.Hash{31: 42})}
			return p
		}, nil, "may call vote(string,uint8) on " + nft + " with the offset of reason ≠ 42, no value, until 2026-12-01T00:00:00Z"},
		{"no rules", func() policy.Policy {
			p := mintPolicy()
			p.Rules, p.Window = nil, policy.Forever()
			return p
		}, nil, "may call safeMint(address) on " + nft + " with any arguments, no value, for ever"},
		{"no arguments", func() policy.Policy {
			p := mintPolicy()
			p.Function, p.Rules = "stake()", nil
			return p
		}, nil, "may call stake() on " + nft + ", no value, until 2026-12-01T00:00:00Z"},
		{"function not known", func() policy.Policy { return mintPolicy() }, func(l *policy.Compiled) { l.Function = "" },
			"may call selector 0x40d097c3 on " + nft + " with the word at offset 0 = 0x0000000000000000000000003333333333333333333333333333333333333333, no value, until 2026-12-01T00:00:00Z"},
		{"condition that never holds", func() policy.Policy { return mintPolicy() }, func(l *policy.Compiled) { l.Data[64] = 9 },
			"may call safeMint(address) on " + nft + " with to condition 9 " + to + ", no value, until 2026-12-01T00:00:00Z"},
		{"missing rules", func() policy.Policy { return mintPolicy() }, func(l *policy.Compiled) { l.Data[61] = 3 },
			"may call safeMint(address) on " + nft + " with to = " + to + " and 2 rules that are missing, so that it always fails, no value, until 2026-12-01T00:00:00Z"},
		{"unreadable", func() policy.Policy { return mintPolicy() }, func(l *policy.Compiled) { l.Data = l.Data[:10] },
			"may do nothing: module 0x000006bC2eCdAe38113929293d241Cf252D91861 cannot read its 10 bytes of data, until 2026-12-01T00:00:00Z"},
		{"ERC-20", func() policy.Policy { return transferPolicy() }, nil,
			"may call any function on " + nft + " with first argument = " + to + " and second ≤ 100, no value, until 2026-12-01T00:00:00Z"},
		{"unknown module", func() policy.Policy {
			return policy.Raw{Module: policyNFT, Key: policyKey, Data: []byte{1, 2}, Window: policy.Forever()}
		}, nil, "may do what module " + nft + " makes of 2 bytes of data, for ever"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, err := tt.policy().Compile(policy.Modules{})
			require.NoError(t, err)
			if tt.change != nil {
				tt.change(&leaf)
			} else {
				require.Equal(t, tt.want, tt.policy().(interface{ String() string }).String())
			}
			require.Equal(t, tt.want, leaf.Describe(policy.Modules{}))
		})
	}
}

func TestDescribeWithFunctions(t *testing.T) {
	leaf, err := mintPolicy().Compile(policy.Modules{})
	require.NoError(t, err)
	want := leaf.Describe(policy.Modules{})
	leaf.Function = ""
	require.Equal(t, want, leaf.Describe(policy.Modules{}, abi.MustParseFunction("burn(uint256 id)"), abi.MustParseFunction("safeMint(address to)")))

	// Only the modules that the leaf may belong to are read.
	require.Contains(t, leaf.Describe(policy.Modules{ABI: common.Address{9}}), "may do what module ")
}
