package account_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func TestFault01RevokedSessionsFailOnChainAndTheOthersWork(t *testing.T) {
	w := newWorld(t)
	second := w.nftPolicy()
	second.Window = policy.Forever()
	sess := w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy()), session.Named("second", second), session.Named("token", w.tokenPolicy())})
	calls := []account.Call{w.mint(t, w.user.Address())}

	// What a thief keeps: a signer with the proof under the old root, and a store of before.
	stolen := memstore.New()
	copyStore(t, w, stolen)
	thief, err := session.Open(t.Context(), stolen, w.user.Ref())
	require.NoError(t, err)

	tx, err := w.owner.Revoke(t.Context(), sess, "first", account.Sponsored())
	require.NoError(t, err)
	_, err = w.send(t, calls, account.WithSession(sess.ByID("first")), account.Unchecked())
	require.ErrorIs(t, err, session.ErrRevoked, "at once, whatever the chain still says")
	require.NoError(t, activate(t.Context(), sess, tx))

	_, err = w.send(t, calls, account.WithSession(thief.ByID("first")), account.Unchecked())
	require.ErrorContains(t, err, "SessionNotApproved")
	_, err = w.send(t, calls, account.WithSession(sess.ByID("second")))
	require.NoError(t, err)
	_, err = w.send(t, []account.Call{w.mintTokens(t, 1)}, account.WithSession(sess.ByID("token")))
	require.NoError(t, err)

	tx, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	root, err := w.client.SessionRoot(t.Context(), w.user.Address())
	require.NoError(t, err)
	require.Zero(t, root)
	_, err = w.owner.RevokeEach(t.Context(), sess, nil)
	require.ErrorIs(t, err, policy.ErrInvalid, "no ID is not all of them")
}

// copyStore copies the account's sessions and their key, as a thief or a backup would.
func copyStore(t *testing.T, w *world, to *memstore.Store) {
	t.Helper()
	state, err := w.store.Load(t.Context(), w.user.Ref())
	require.NoError(t, err)
	_, err = to.Apply(t.Context(), w.user.Ref(), 0, &session.Change{Header: state.Header, Put: state.Leaves})
	require.NoError(t, err)
}

func TestGrantSurvivesACrashAfterSending(t *testing.T) {
	w := newWorld(t)
	_, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	// The process died before Activate. The next one sees the pending root on chain: the session works as it
	// is, and Reconcile writes that down.
	sess, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	require.NotNil(t, sess.Pending())
	_, err = w.send(t, []account.Call{w.mint(t, w.user.Address())}, account.WithSession(sess.Leaf(0)))
	require.NoError(t, err)
	require.NoError(t, sess.On(w.client).Reconcile(t.Context()))
	require.NoError(t, sess.Refresh(t.Context()))
	require.Nil(t, sess.Pending())
	require.Equal(t, session.StatusActive, sess.Leaves()[0].Status)
}

func TestGrantThatCannotBeSentLeavesTheStoreAsItWas(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name string
		opts []account.Option
		text string
	}{
		{"the account cannot pay", nil, "AA21"},
		{"options that contradict", []account.Option{account.WithSession()}, "WithSession without a leaf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, tt.opts...)
			require.ErrorContains(t, err, tt.text)
			sess, err := session.OpenOrNew(t.Context(), w.store, w.owner.Ref())
			require.NoError(t, err)
			require.Empty(t, sess.Leaves())
			require.Nil(t, sess.Pending())
		})
	}
}

// TestReplaceRootBesideAChangeThatWasOvertaken has another backend set a root while a change of ours, which
// no bundler was seen to take, waits for its operation.
func TestReplaceRootBesideAChangeThatWasOvertaken(t *testing.T) {
	t.Parallel()
	for name, lane := range map[string]uint64{"by an operation with its nonce": 0, "by one of another lane": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sess := w.grant(t, []policy.Policy{session.Named("first", w.longer(1))})
			unsent, err := account.NewClient(withBundler(w.config, deadBundler{}))
			require.NoError(t, err)
			_, _, err = unsent.OwnedAccount(account.KeyOwner(w.ownerKey)).Grant(t.Context(), w.store, []policy.Policy{session.Named("second", w.longer(2))}, account.Sponsored())
			require.True(t, userop.MayBeAccepted(err), err)

			other := memstore.New()
			minting := w.tokenPolicy()
			minting.Key, err = other.NewKey(t.Context(), w.owner.Ref())
			require.NoError(t, err)
			theirs, tx, err := w.owner.Grant(t.Context(), other, []policy.Policy{session.Named("theirs", minting)}, account.Sponsored(), account.ReplaceRoot(), account.WithLane(uint256.NewInt(lane)))
			require.NoError(t, err)
			require.NoError(t, activate(t.Context(), theirs, tx))

			_, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored())
			require.ErrorIs(t, err, session.ErrRootMismatch)
			require.ErrorContains(t, err, "account.ReplaceRoot")
			if lane != 0 {
				_, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored(), account.ReplaceRoot())
				require.ErrorIs(t, err, session.ErrPending)
				require.ErrorContains(t, err, "have the owner cancel it first (account.OwnedAccount)")
				require.NoError(t, sess.Refresh(t.Context()))
				tx, err = w.owner.Cancel(t.Context(), nil, account.OfSessions(sess), account.Sponsored())
				require.NoError(t, err)
				_, err = tx.Wait(t.Context())
				require.NoError(t, err)
				require.NoError(t, sess.Refresh(t.Context()))
				require.Nil(t, sess.Pending(), "it was cancelled, whatever the root is")
			}
			tx, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored(), account.ReplaceRoot())
			require.NoError(t, err)
			require.NoError(t, activate(t.Context(), sess, tx))
			state, err := w.user.State(t.Context())
			require.NoError(t, err)
			require.Zero(t, state.SessionRoot)
			require.NoError(t, w.user.Reconcile(t.Context(), w.store))
		})
	}
}

func TestAnotherBackendsRootIsNotReplacedUnasked(t *testing.T) {
	w := newWorld(t)
	w.grant(t, []policy.Policy{w.nftPolicy()})

	other := memstore.New() // another backend of the same user knows nothing of the first
	minting := w.tokenPolicy()
	var err error
	minting.Key, err = other.NewKey(t.Context(), w.owner.Ref())
	require.NoError(t, err)
	_, _, err = w.owner.Grant(t.Context(), other, []policy.Policy{session.Named("token", minting)}, account.Sponsored())
	require.ErrorIs(t, err, session.ErrRootMismatch)
	var mismatch *session.RootMismatch
	require.ErrorAs(t, err, &mismatch)
	require.NotEqual(t, common.Hash{}, *mismatch.Chain)

	sess, tx, err := w.owner.Grant(t.Context(), other, []policy.Policy{session.Named("token", minting)}, account.Sponsored(), account.ReplaceRoot())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	_, err = session.Open(t.Context(), w.store, w.user.Ref(), session.WithChain(w.client))
	require.ErrorIs(t, err, session.ErrRootMismatch, "the first backend's sessions are cancelled")
}
