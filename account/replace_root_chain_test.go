package account_test

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// What a session sent is replaced under the root that stands by now, and not once the session was revoked.
func TestReplaceUnderAnotherRoot(t *testing.T) {
	kind := stuckKinds()["session call"]
	another := account.WithLane(uint256.NewInt(7)) // the stuck operation keeps its nonce
	for _, key := range [][]account.Option{nil, {account.Once("k")}} {
		t.Run("another grant", func(t *testing.T) {
			t.Parallel()
			w, _, sess, stuck := newStuckWorld(t, kind, lostByMempool, key...)
			w.bundler.Resume()
			_, granted, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("another", w.nftPolicy())}, account.Sponsored(), another)
			require.NoError(t, err)
			require.NoError(t, activate(t.Context(), sess, granted))
			tx, err := kind.replace(w, t, sess, stuck, key...)
			require.NoError(t, err)
			require.Equal(t, stuck.Operation().Nonce, tx.Operation().Nonce)
			receipt, err := stuck.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, tx.Hash(), receipt.UserOpHash)
			require.EqualValues(t, 1, w.nfts(t))
		})
		t.Run("revoked", func(t *testing.T) {
			t.Parallel()
			w, door, sess, stuck := newStuckWorld(t, kind, lostByMempool, key...)
			w.bundler.Resume()
			revoked, err := w.owner.Revoke(t.Context(), sess, sess.Leaves()[0].ID, account.Sponsored(), another)
			require.NoError(t, err)
			handed := len(door.handed())
			_, err = kind.replace(w, t, sess, stuck, key...)
			require.ErrorIs(t, err, session.ErrNoLeaf)
			require.NoError(t, activate(t.Context(), sess, revoked))
			_, err = kind.replace(w, t, sess, stuck, key...)
			require.ErrorIs(t, err, session.ErrNoLeaf)
			require.Len(t, door.handed(), handed, "nothing was sent")
		})
		t.Run("revoked and cancelled", func(t *testing.T) {
			t.Parallel()
			w, _, sess, stuck := newStuckWorld(t, kind, lostByMempool, key...)
			w.bundler.Resume()
			done(t)(w.owner.Revoke(t.Context(), sess, sess.Leaves()[0].ID, account.Sponsored(), another))
			done(t)(w.owner.Cancel(t.Context(), stuck, key...))
			_, err := stuck.Wait(t.Context())
			require.ErrorIs(t, err, userop.ErrReplaced)
			require.Zero(t, w.nfts(t))
		})
	}
}
