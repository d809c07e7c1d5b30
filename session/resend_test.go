package session_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func TestCheckSigned(t *testing.T) {
	m, key, ref := policy.Modules{}.WithDefaults(), common.Address{9}, session.Ref{ChainID: 1, Account: common.Address{7}}
	leafOf := func(id, function string, status session.Status) session.Leaf {
		p := policy.ABI{Key: key, Contract: common.Address{8}, Function: function, Window: policy.Until(time.Now().Add(time.Hour))}
		compiled, err := p.Compile(m)
		require.NoError(t, err)
		return session.Leaf{ID: id, Status: status, Key: key, Compiled: compiled}
	}
	good, gone, again := leafOf("good", "play()", session.StatusActive), leafOf("gone", "stop()", session.StatusRevoked), leafOf("again", "go()", session.StatusRevoked)
	granted := again.Clone()
	granted.ID, granted.Status = "granted again", session.StatusPending
	store := memstore.New()
	_, err := store.Apply(t.Context(), ref, 0, &session.Change{Put: []session.Leaf{good, gone, again, granted}})
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err)

	authorization := func(l session.Leaf) contracts.Authorization {
		return contracts.Authorization{ValidUntil: l.ValidUntil, ValidAfter: l.ValidAfter, Module: l.Module, Data: l.Data, Proof: []common.Hash{{1}}}
	}
	signed := func(leaves ...session.Leaf) *userop.Operation {
		op := &userop.Operation{Sender: ref.Account}
		if len(leaves) == 1 {
			a := authorization(leaves[0])
			op.Signature = contracts.WrapSignature(contracts.SessionSignature(&a, make([]byte, 65)), m.Manager)
			return op
		}
		var calls []contracts.CallAuthorization
		for _, l := range leaves {
			calls = append(calls, contracts.CallAuthorization{Authorization: authorization(l), CallData: []byte{1}})
		}
		op.Signature = contracts.WrapSignature(contracts.BatchSignature(m.Manager, calls, make([]byte, 65)), m.Router)
		return op
	}
	check := func(op *userop.Operation) error { return sess.CheckSigned(t.Context(), policy.Modules{}, op) }
	require.NoError(t, check(signed(good)))
	require.NoError(t, check(signed(good, good)))
	require.NoError(t, check(signed(again)), "the same leaf was granted once more")
	require.ErrorIs(t, check(signed(gone)), session.ErrRevoked)
	require.ErrorIs(t, check(signed(good, gone)), session.ErrRevoked, "one of a batch is enough")
	require.ErrorIs(t, check(signed(leafOf("new", "other()", session.StatusActive))), session.ErrNoLeaf)
	require.ErrorIs(t, check(signed()), policy.ErrInvalid, "a batch of none")
	require.ErrorIs(t, check(&userop.Operation{Sender: ref.Account, Signature: contracts.WrapSignature(make([]byte, 65), common.Address{3})}), policy.ErrInvalid)
	foreign := signed(good)
	foreign.Sender = common.Address{1}
	require.ErrorIs(t, check(foreign), policy.ErrInvalid)

	// A signer's own leaves are looked at first, and are not all there is.
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	require.NoError(t, signer.CheckSigned(t.Context(), signed(good)))
	require.NoError(t, signer.CheckSigned(t.Context(), signed(again)))
	require.NoError(t, signer.CheckSigned(t.Context(), signed(good, again)))
	require.ErrorIs(t, signer.CheckSigned(t.Context(), signed(gone)), session.ErrRevoked)
	require.ErrorIs(t, signer.CheckSigned(t.Context(), signed(good, gone)), session.ErrRevoked)

	// The store is asked as it is now, not as it was read.
	good.Status = session.StatusRevoked
	_, err = store.Apply(t.Context(), ref, 1, &session.Change{Put: []session.Leaf{good}})
	require.NoError(t, err)
	require.ErrorIs(t, check(signed(good)), session.ErrRevoked)
	require.ErrorIs(t, signer.CheckSigned(t.Context(), signed(good)), session.ErrRevoked)
}
