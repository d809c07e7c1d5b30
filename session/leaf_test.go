package session_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
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

// buyPolicy allows buy(id, count) with id = 7 and count ≤ 5 for at most 100 wei.
func buyPolicy() policy.ABI {
	p := mintPolicy()
	p.Function, p.ValueLimit = "buy(uint256 id, uint8 count)", *uint256.NewInt(100)
	p.Rules = []policy.Rule{policy.Arg("id", policy.Equal, 7), policy.Arg("count", policy.LessThanOrEqual, 5)}
	return p
}

func buyCall(t *testing.T, id, count any) abi.Call {
	t.Helper()
	data, err := abi.Pack("buy(uint256,uint8)", id, count)
	require.NoError(t, err)
	return abi.Call{To: policyNFT, Value: *uint256.NewInt(100), Data: data}
}

// leafOf is the policy as an active leaf of the account's tree.
func leafOf(t *testing.T, id string, p policy.Policy) session.Leaf {
	t.Helper()
	compiled, err := p.Compile(policy.Modules{})
	require.NoError(t, err)
	return session.Leaf{ID: id, Status: session.StatusActive, InTree: true, Key: p.SessionKey(), Compiled: compiled}
}

func TestLeafPolicy(t *testing.T) {
	leaf := leafOf(t, "abc", transferPolicy())
	back, err := leaf.Policy(policy.Modules{})
	require.NoError(t, err)
	require.Equal(t, transferPolicy(), back)

	raw := policy.Raw{Module: policyNFT, Key: policyKey, Data: []byte{1}, Window: policy.Forever()}
	leaf = leafOf(t, "abc", raw)
	back, err = leaf.Policy(policy.Modules{})
	require.NoError(t, err)
	require.Equal(t, raw, back)
}

// What cannot be read back says of which session.
func TestLeafPolicyRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*session.Leaf)
		want   string
	}{
		{"data", func(l *session.Leaf) { l.Data = l.Data[:61] }, "session abc: invalid input: ABI session key data of 61 bytes; it has at least 62"},
		{"key", func(l *session.Leaf) { l.Key = policyTo }, "session abc: invalid input: it belongs to key 0x3333333333333333333333333333333333333333, but its data names 0x1111111111111111111111111111111111111111"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaf := leafOf(t, "abc", mintPolicy())
			tt.change(&leaf)
			p, err := leaf.Policy(policy.Modules{})
			require.Nil(t, p)
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.EqualError(t, err, tt.want)
		})
	}
}

// A call against a policy says whose policy it is.
func TestViolationsNameTheSession(t *testing.T) {
	leaf := leafOf(t, "abc", buyPolicy())
	leaf.ValidUntil = 0
	sess, _ := fixed(t, testRef, testKey, []session.Leaf{leaf})
	call := buyCall(t, 7, 6)
	const want = "session abc: rule 1 (count): 6 must be ≤ 5 (the contract would say: ABISV Arg Rule Violated)"

	single, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	err = single.CheckCalls(contracts.Execute(call.To, call.Value, call.Data), []abi.Call{call})
	require.EqualError(t, err, want)
	var v *policy.Violation
	require.ErrorAs(t, err, &v)
	require.Equal(t, "abc", v.Session)

	batch, err := session.NewBatchSigner(policy.Modules{}, sess.Leaf(0), sess.Leaf(0))
	require.NoError(t, err)
	err = batch.CheckCalls(nil, []abi.Call{buyCall(t, 7, 5), call})
	require.EqualError(t, err, "call 1: "+want)
	require.ErrorAs(t, err, &v)
	require.Equal(t, "abc", v.Session)
}

func TestNamed(t *testing.T) {
	sess, err := session.OpenOrNew(t.Context(), memstore.New(), testRef, session.WithClock(func() time.Time { return policyEnd }))
	require.NoError(t, err)
	change, err := sess.PlanGrant(policy.Modules{}, session.Named("outer", session.Named("inner", mintPolicy())), session.Named("", transferPolicy()))
	require.NoError(t, err)
	require.Equal(t, "outer", change.IDs()[0])
	require.Len(t, change.IDs()[1], 32, "a random one")
	require.Equal(t, mintPolicy().String(), session.Named("a", mintPolicy()).(interface{ String() string }).String())

	_, err = sess.PlanGrant(policy.Modules{}, session.Named("a", nil))
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "policy 0: invalid input: it is nil")
}
