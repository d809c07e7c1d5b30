package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// newForgetfulWorld is a world whose bundler forgets what the chain takes back.
func newForgetfulWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	forgetful, err := accounttest.StartBundler(accounttest.BundlerConfig{Chain: w.chain, LosesReorged: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, forgetful.Close()) })
	w.bundler, w.config.Bundler = forgetful, bundler.New(forgetful.URL())
	w.client = w.clientWith(t, account.Contracts{})
	w.owner = w.client.OwnedAccount(account.KeyOwner(w.ownerKey))
	w.user = w.client.Account(w.owner.Address())
	return w
}

// stored is the state of the account's sessions, without its version.
func (w *world) stored(t *testing.T) *session.State {
	t.Helper()
	state, err := w.store.Load(t.Context(), w.user.Ref())
	require.NoError(t, err)
	state.Version = 0
	return state
}

// requireRoot wants the store to have the chain's root, and nothing to wait.
func (w *world) requireRoot(t *testing.T) {
	t.Helper()
	root, err := w.client.SessionRoot(t.Context(), w.user.Address())
	require.NoError(t, err)
	state := w.stored(t)
	require.Equal(t, root, state.Root)
	require.Nil(t, state.Pending)
}

// TestAGrantThatTheChainTookBack takes back a grant that deployed the account, and one on top of another.
func TestAGrantThatTheChainTookBack(t *testing.T) {
	t.Parallel()
	w := newForgetfulWorld(t)
	for n, id := range []string{"first", "second"} {
		t.Run(id, func(t *testing.T) {
			sess := w.grant(t, []policy.Policy{session.Named(id, w.longer(n+1))})
			before := w.stored(t)
			require.NoError(t, w.chain.Reorg(t.Context(), 1))
			w.chain.Commit()

			mint := []account.Call{w.mint(t, w.user.Address())}
			_, err := w.user.Send(t.Context(), mint, account.WithSession(sess.ByID(id)), account.Sponsored())
			require.ErrorIs(t, err, session.ErrRootMismatch)
			require.ErrorContains(t, err, "the chain went back to the root before the last change, or its node lags behind")
			require.ErrorContains(t, err, before.Landed.Change.OpHash.Hex())
			require.ErrorContains(t, err, "call account.Account's Reconcile, which sends that again")
			require.False(t, userop.MayBeAccepted(err))
			require.Equal(t, before, w.stored(t), "a send changes nothing")

			require.NoError(t, w.user.Reconcile(t.Context(), w.store))
			require.Equal(t, before, w.stored(t))
			w.requireRoot(t)
			_, err = w.send(t, mint, account.WithSession(sess.ByID(id)))
			require.NoError(t, err)
			require.Equal(t, uint64(n+1), w.nfts(t))
		})
	}
}

// TestARevocationThatTheChainTookBack has the key of a revoked session stay stopped, and its leaf be said to
// stand, until the revocation has landed again.
func TestARevocationThatTheChainTookBack(t *testing.T) {
	t.Parallel()
	w := newForgetfulWorld(t)
	sess := w.grant(t, []policy.Policy{session.Named("stops", w.longer(1)), session.Named("stays", w.longer(2))})
	tx, err := w.owner.Revoke(t.Context(), sess, "stops", account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	before := w.stored(t)
	require.NoError(t, w.chain.Reorg(t.Context(), 1))
	w.chain.Commit()
	mint := []account.Call{w.mint(t, w.user.Address())}
	stopped := func() {
		t.Helper()
		_, err := w.user.Send(t.Context(), mint, account.WithSession(sess.ByID("stops")), account.Sponsored())
		require.ErrorIs(t, err, session.ErrRevoked)
		signer, err := session.NewSigner(policy.Modules{}, sess.ByID("stops"))
		require.NoError(t, err)
		_, err = signer.Force().Sign(t.Context(), &userop.Operation{Sender: w.user.Address()}, common.Hash{1})
		require.ErrorIs(t, err, session.ErrRevoked)
	}
	standing := func() int {
		t.Helper()
		page, err := w.store.List(t.Context(), session.Query{Standing: true})
		require.NoError(t, err)
		return len(page.Items)
	}
	stopped()

	w.bundler.Pause()
	_ = testutil.Patiently(t, 500*time.Millisecond, session.ErrPending, func(ctx context.Context) error { return w.user.Reconcile(ctx, w.store) })
	stopped()
	require.Equal(t, 1, standing())
	refs, err := w.store.ListPending(t.Context(), session.Ref{}, 0)
	require.NoError(t, err)
	require.Equal(t, []session.Ref{w.user.Ref()}, refs)
	w.bundler.Resume()

	var processes errgroup.Group // which find it at once
	for range 2 {
		processes.Go(func() error { return w.client.ReconcileAll(t.Context(), w.store) })
	}
	require.NoError(t, processes.Wait())
	require.Zero(t, standing())
	require.Equal(t, before, w.stored(t))
	w.requireRoot(t)
	stopped()
	_, err = w.send(t, mint, account.WithSession(sess.ByID("stays")))
	require.NoError(t, err)
}

// TestOwnersFindWhatTheChainTookBack has the owner grant and revoke after the chain took a grant back.
func TestOwnersFindWhatTheChainTookBack(t *testing.T) {
	t.Parallel()
	w := newForgetfulWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.longer(1))})
	sess := w.grant(t, []policy.Policy{session.Named("second", w.longer(2))})
	more := func() error {
		_, _, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("third", w.longer(3))}, account.Sponsored())
		return err
	}
	revoke := func() error {
		_, err := w.owner.Revoke(t.Context(), sess, "second", account.Sponsored())
		return err
	}
	for name, change := range map[string]func() error{"grant": more, "revoke": revoke} {
		t.Run(name, func(t *testing.T) {
			op := w.stored(t).Landed.Change
			require.NoError(t, w.chain.Reorg(t.Context(), 1))
			w.chain.Commit()
			err := change()
			require.ErrorIs(t, err, session.ErrPending)
			require.ErrorContains(t, err, "operation "+op.OpHash.Hex()+" has not landed yet, and may")
			require.ErrorContains(t, err, "have account.Account's Reconcile send it again")
			require.Equal(t, &op, w.stored(t).Pending)
			require.NoError(t, w.user.Reconcile(t.Context(), w.store))
			w.requireRoot(t)
		})
	}
	require.NoError(t, sess.Refresh(t.Context()))
	tx, err := w.owner.Revoke(t.Context(), sess, "second", account.Sponsored())
	require.NoError(t, err, "the owner's revocation, which is still to be sent")
	require.NoError(t, activate(t.Context(), sess.On(w.client), tx))
	w.requireRoot(t)
}

// TestAChangeOnTopOfOneThatTheChainTookBack has both sent again, the lower one first.
func TestAChangeOnTopOfOneThatTheChainTookBack(t *testing.T) {
	t.Parallel()
	w := newForgetfulWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.longer(1))})
	w.grant(t, []policy.Policy{session.Named("second", w.longer(2))})
	unsent, err := account.NewClient(withBundler(w.config, deadBundler{}))
	require.NoError(t, err)
	_, _, err = unsent.OwnedAccount(account.KeyOwner(w.ownerKey)).Grant(t.Context(), w.store, []policy.Policy{session.Named("third", w.longer(3))}, account.Sponsored())
	require.True(t, userop.MayBeAccepted(err), err)
	require.NoError(t, w.chain.Reorg(t.Context(), 1))
	w.chain.Commit()

	err = unsent.Account(w.user.Address()).Reconcile(t.Context(), w.store)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, "the chain went back to the root before the last change")
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
	w.requireRoot(t)
	for _, leaf := range w.stored(t).Leaves {
		require.Equal(t, session.StatusActive, leaf.Status, leaf.ID)
		require.True(t, leaf.InTree, leaf.ID)
	}
}

// TestAGrantWhoseNonceAnotherTook has the owner use the nonce of a grant that was taken back.
func TestAGrantWhoseNonceAnotherTook(t *testing.T) {
	t.Parallel()
	w := newForgetfulWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.longer(1))})
	w.grant(t, []policy.Policy{session.Named("second", w.longer(2))})
	require.NoError(t, w.chain.Reorg(t.Context(), 1))
	w.chain.Commit()
	unsent, err := account.NewClient(withBundler(w.config, deadBundler{}))
	require.NoError(t, err)
	require.ErrorIs(t, unsent.Account(w.user.Address()).Reconcile(t.Context(), w.store), session.ErrPending)
	pending := w.stored(t).Pending
	tx, err := w.owner.Send(t.Context(), []account.Call{{To: stranger}}, account.Sponsored(), account.WithNonce(&pending.Nonce))
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.user.Reconcile(t.Context(), w.store), "undone")
	w.requireRoot(t)
	require.Len(t, w.stored(t).Leaves, 1)
}
