package account_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// TestARenewedSessionIsFollowed has the owner's process renew a session that another process uses, which
// neither chooses by ID nor reads its store again.
func TestARenewedSessionIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{session.Named("old", w.nftPolicy())})
	sess, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	mint := []account.Call{w.mint(t, w.user.Address())}
	signedBy := func(opts ...account.Option) string {
		t.Helper()
		op, err := w.user.Build(t.Context(), mint, append(opts, account.Sponsored())...)
		require.NoError(t, err)
		modules := w.client.Contracts().Session
		signed, err := contracts.DecodeSessionSignatures(op.Signature, modules.Manager, modules.Router)
		require.NoError(t, err)
		require.Len(t, signed, 1)
		for _, leaf := range sess.Leaves() {
			if leaf.Hash() == signed[0].LeafHash() {
				return leaf.ID
			}
		}
		return "none"
	}
	require.Equal(t, "old", signedBy(account.WithLeafOf(sess)))

	longer := w.nftPolicy()
	longer.Window = policy.Until(w.now().Add(24 * time.Hour))
	w.grant(t, []policy.Policy{session.Named("new", longer)})
	_, err = w.send(t, mint, account.WithLeafOf(sess))
	require.NoError(t, err)
	require.Equal(t, "new", signedBy(account.WithLeafOf(sess)))
	_, err = w.send(t, mint, account.WithOnlyLeafOf(sess))
	require.ErrorIs(t, err, session.ErrAmbiguous)
	require.ErrorContains(t, err, "[old new] of "+w.user.Ref().String())

	owners, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	require.NoError(t, owners.Suspend(t.Context(), "new"))
	_, err = w.send(t, mint, account.WithLeafOf(sess))
	require.NoError(t, err, "the old one is there still")
	require.Equal(t, "old", signedBy(account.WithLeafOf(sess)))
	require.Equal(t, uint64(2), w.nfts(t))
}
