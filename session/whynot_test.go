package session_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// TestWhyNoSessionDoes has a call that no session allows: the error says why of those that are for it, and
// matches that.
func TestWhyNoSessionDoes(t *testing.T) {
	leaf := func(id string, change func(*session.Leaf)) session.Leaf {
		l := leafOf(t, id, mintPolicy())
		l.ValidUntil = 3000
		change(&l)
		return l
	}
	as := func(*session.Leaf) {}
	over := func(l *session.Leaf) { l.ValidUntil = 999 }
	early := func(l *session.Leaf) { l.ValidAfter = 2000 }
	revoked := func(l *session.Leaf) { l.Status = session.StatusRevoked }
	elsewhere := leafOf(t, "elsewhere", policy.ABI{Key: policyTo, Contract: policyTo, Function: "f()", Window: policy.Forever()})
	mint := func(to common.Address) abi.Call {
		data, err := abi.Pack("safeMint(address)", to)
		require.NoError(t, err)
		return abi.Call{To: policyNFT, Data: data}
	}
	own := mint(policyTo)
	for name, test := range map[string]struct {
		leaves []session.Leaf
		call   abi.Call
		is     error
		says   []string
	}{
		"over":              {[]session.Leaf{leaf("a", over)}, own, session.ErrExpired, []string{"session a of " + testRef.String() + " ended at 1970-01-01T00:16:39Z; grant a new session"}},
		"not begun":         {[]session.Leaf{leaf("a", early)}, own, session.ErrNotYetValid, []string{"starts at 1970-01-01T00:33:20Z; wait until then"}},
		"revoked":           {[]session.Leaf{leaf("a", revoked)}, own, session.ErrRevoked, []string{"it still stands on chain"}},
		"none at all":       {[]session.Leaf{elsewhere, leaf("a", revoked)}, abi.Call{To: common.Address{9}}, nil, []string{"session elsewhere: contract: 0x09"}},
		"all revoked":       {[]session.Leaf{leaf("a", revoked)}, abi.Call{To: common.Address{9}}, nil, []string{"has none; its owner has to grant one for call 0, to 0x09"}},
		"other argument":    {[]session.Leaf{leaf("a", as), elsewhere}, mint(common.Address{9}), nil, []string{"session a: rule 0 (to): 0x09", "must be ="}},
		"the newest, first": {[]session.Leaf{leaf("a", over), leaf("b", early)}, own, session.ErrExpired, []string{"starts at 1970-01-01T00:33:21Z; wait until then; session is expired: session a"}},
		"many": {
			[]session.Leaf{leaf("a", over), leaf("b", over), leaf("c", over), leaf("d", early), leaf("e", early)}, own, session.ErrExpired,
			[]string{"session e", "session d", "session c", "; and 2 others that do not either"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range test.leaves {
				test.leaves[i].ValidAfter += uint64(i) % 2 // leaves of one tree are not the same
			}
			_, err := sessionsOf(t, test.leaves...).Find(policy.Modules{}, test.call)
			require.ErrorIs(t, err, session.ErrNoLeaf)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			for _, text := range test.says {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), "%!")
		})
	}
	_, err := sessionsOf(t, leaf("a", as)).Find(policy.Modules{}, mint(common.Address{9}))
	var violation *policy.Violation
	require.ErrorAs(t, err, &violation)
	require.Equal(t, "a", violation.Session)
}
