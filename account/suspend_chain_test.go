package account_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// stillStands is what a revocation says that stopped the sessions and got no further.
const stillStands = "; the sessions are stopped here and never sign again, but still stand on chain until the owner's revocation lands: "

// silentOwner never signs.
type silentOwner struct{ account.Owner }

func (silentOwner) SignMessage(ctx context.Context, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestARevocationStopsTheSessionWhateverElseFails has each thing fail that the revocation's operation needs:
// the session is stopped all the same, at every replica, and revoked on chain by the next Revoke.
func TestARevocationStopsTheSessionWhateverElseFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	refusing, err := accounttest.StartPaymaster(accounttest.PaymasterConfig{Chain: w.chain, Policy: func(*userop.Operation) error { return errors.New("budget is spent") }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, refusing.Close()) })
	with := func(change func(*account.Config)) *account.OwnedAccount {
		config := w.config
		change(&config)
		client, err := account.NewClient(config)
		require.NoError(t, err)
		return client.OwnedAccount(account.KeyOwner(w.ownerKey))
	}
	silent := w.client.OwnedAccount(silentOwner{account.KeyOwner(w.ownerKey)})
	for _, test := range []struct {
		id    string
		owner *account.OwnedAccount
		opts  []account.Option
	}{
		{id: "bundler down", owner: with(func(c *account.Config) { c.Bundler = deadBundler{} })},
		{id: "node down", owner: with(func(c *account.Config) { c.Chain = deadChain{} })},
		{id: "not sponsored", owner: with(func(c *account.Config) { c.Paymaster = paymaster.New(refusing.URL()) })},
		{id: "signer silent", owner: silent},
		{id: "options contradict", owner: w.owner, opts: []account.Option{account.WithSession()}},
	} {
		t.Run(test.id, func(t *testing.T) {
			sess := w.grant(t, []policy.Policy{session.Named(test.id, w.nftPolicy())})
			replica, err := session.Open(t.Context(), w.store, w.user.Ref())
			require.NoError(t, err)
			call := []account.Call{w.mint(t, w.user.Address())}
			_, err = w.send(t, call, account.WithSession(replica.ByID(test.id)))
			require.NoError(t, err)

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = test.owner.Revoke(ctx, sess, test.id, append(test.opts, account.Sponsored())...)
			doubt := sess.Pending() != nil // the operation was given away, and its fate is not known
			if doubt {
				require.ErrorContains(t, err, stillStands+"once the change that waits for the chain is settled, call Revoke again for those that do")
			} else {
				require.ErrorContains(t, err, stillStands+"call Revoke again")
			}
			_, err = w.send(t, call, account.WithSession(replica.ByID(test.id)), account.Unchecked())
			require.ErrorIs(t, err, session.ErrRevoked)
			require.ErrorContains(t, err, "it still stands on chain until its owner's revocation lands")
			page, err := w.store.List(t.Context(), session.Query{Standing: true})
			require.NoError(t, err)
			require.Len(t, page.Items, 1)

			var tx *userop.Pending
			if doubt { // which is ended by sending what was kept of it
				tx, err = w.client.Sender().Resend(t.Context(), sess.Pending().Operation)
			} else {
				tx, err = w.owner.Revoke(t.Context(), sess, test.id, account.Sponsored())
			}
			require.NoError(t, err)
			require.NoError(t, activate(t.Context(), sess.On(w.client), tx))
			page, err = w.store.List(t.Context(), session.Query{Standing: true})
			require.NoError(t, err)
			require.Empty(t, page.Items)
			_, err = w.owner.Revoke(t.Context(), sess, test.id, account.Sponsored())
			require.ErrorIs(t, err, session.ErrRevoked)
			require.NotContains(t, err.Error(), stillStands, "it is gone on chain too")
		})
	}
}

// TestARevocationBesideAGrantThatIsUnderWay stops what stands and what is being granted, and follows once the
// grant has landed.
func TestARevocationBesideAGrantThatIsUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := w.nftPolicy()
	second.Window = policy.Forever()
	w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
	w.bundler.Pause()
	sess, grant, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("second", second), session.Named("token", w.tokenPolicy())}, account.Sponsored())
	require.NoError(t, err)
	pending := sess.Pending()
	require.NotNil(t, pending.Operation)
	require.NotZero(t, pending.Until, "the sponsorship's end")

	_, err = w.owner.RevokeEach(t.Context(), sess, []string{"first", "second"}, account.Sponsored())
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "operation "+pending.OpHash.Hex()+" has not landed yet, and may")
	require.ErrorContains(t, err, stillStands+"once the change that waits for the chain is settled, call Revoke again for those that do")
	require.Equal(t, pending, sess.Pending())

	w.bundler.Resume()
	require.NoError(t, activate(t.Context(), sess, grant))
	call := []account.Call{w.mint(t, w.user.Address())}
	for _, id := range []string{"first", "second"} {
		leaf, err := sess.ByID(id).Leaf()
		require.NoError(t, err)
		require.True(t, leaf.Standing(), "it landed, and is stopped here")
		_, err = w.send(t, call, account.WithSession(sess.ByID(id)), account.Unchecked())
		require.ErrorIs(t, err, session.ErrRevoked)
	}
	_, err = w.send(t, []account.Call{w.mintTokens(t, 1)}, account.WithSession(sess.ByID("token")))
	require.NoError(t, err)

	tx, err := w.owner.RevokeEach(t.Context(), sess, []string{"first", "second"}, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	_, err = w.send(t, []account.Call{w.mintTokens(t, 1)}, account.WithSession(sess.ByID("token")))
	require.NoError(t, err)

	w.bundler.Pause()
	_, grant, err = w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("third", second)}, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, sess.Refresh(t.Context()))
	_, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored())
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, stillStands)
	w.bundler.Resume()
	require.NoError(t, activate(t.Context(), sess, grant))
	for _, leaf := range sess.Leaves() {
		require.Equal(t, session.StatusRevoked, leaf.Status, leaf.ID)
	}
}

// TestAGrantWhoseSponsorshipIsOverIsUndone has a grant be given to a bundler that never sends it: until the
// chain's blocks are past its end it may land, and then it never does.
func TestAGrantWhoseSponsorshipIsOverIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	config := w.config
	config.Bundler, config.UnidentifiedBundler = deadBundler{}, true
	client, err := account.NewClient(config)
	require.NoError(t, err)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))
	_, _, err = owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("minting", w.nftPolicy())}, account.Sponsored())
	require.True(t, userop.MayBeAccepted(err), err)

	sess, err := session.Open(t.Context(), w.store, w.user.Ref(), session.WithChain(w.client))
	require.NoError(t, err)
	until := sess.Pending().Until
	require.ErrorIs(t, sess.Reconcile(t.Context()), session.ErrPending)

	kept := sess.Pending().Operation
	require.NoError(t, w.chain.AdjustTime(2*time.Hour)) // a sponsorship is good for one
	w.chain.Commit()
	now, err := w.chain.Now(t.Context())
	require.NoError(t, err)
	require.Greater(t, uint64(now.Unix()), until)
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Nil(t, sess.Pending())
	require.Empty(t, sess.Leaves())
	_, err = w.client.Sender().Resend(t.Context(), kept)
	require.ErrorContains(t, err, "AA32", "and the contracts agree")
}

// TestARevocationThatStoppedSomeSaysSo has it fail for an ID that there is not, and in a store that fits its
// leaves no more, of which only an older reading is at hand.
func TestARevocationThatStoppedSomeSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant(t, []policy.Policy{session.Named("first", w.nftPolicy())})
	stale, err := session.Open(t.Context(), w.store, w.user.Ref())
	require.NoError(t, err)
	sess := w.grant(t, []policy.Policy{session.Named("second", w.tokenPolicy())})

	_, err = w.owner.RevokeEach(t.Context(), sess, []string{"first", "typo"}, account.Sponsored())
	require.ErrorIs(t, err, session.ErrNoLeaf)
	require.ErrorContains(t, err, `cannot suspend "typo" of `+w.user.Ref().String()+`, which has "first", "second"; the others are suspended`+stillStands+"call Revoke again")
	_, err = w.owner.Revoke(t.Context(), sess, "typo", account.Sponsored())
	require.ErrorIs(t, err, session.ErrNoLeaf)
	require.NotContains(t, err.Error(), stillStands, "nothing was")
	_, err = w.owner.Revoke(t.Context(), nil, "first")
	require.ErrorIs(t, err, account.ErrConfig)

	state, err := w.store.Load(t.Context(), w.user.Ref())
	require.NoError(t, err)
	spoilt := state.Leaves[0].Clone()
	spoilt.Data = append(spoilt.Data, 1)
	_, err = w.store.Apply(t.Context(), w.user.Ref(), state.Version, &session.Change{Header: state.Header, Put: []session.Leaf{spoilt}})
	require.NoError(t, err)
	_, err = w.owner.Revoke(t.Context(), stale, "second", account.Sponsored())
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, stillStands+"call Revoke again")
	state, err = w.store.Load(t.Context(), w.user.Ref())
	require.NoError(t, err)
	require.Equal(t, session.StatusRevoked, state.Leaves[1].Status)
}
