package session_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop"
)

// watched is a ledger that counts how often its root was read, and runs what is to happen before the next
// time.
type watched struct {
	*ledger
	reads  int
	before func()
}

func (w *watched) SessionRoot(ctx context.Context, account common.Address) (common.Hash, error) {
	w.reads++
	if before := w.before; before != nil {
		w.before = nil
		before()
	}
	return w.ledger.SessionRoot(ctx, account)
}

// grantElsewhere has another process grant one more session, from the plan to the end.
func grantElsewhere(t *testing.T, store session.Store, chain *ledger, n uint64, id string) {
	t.Helper()
	other, err := session.OpenOrNew(t.Context(), store, testRef)
	require.NoError(t, err)
	change := begun(t, other.On(chain), n, id)
	chain.root, chain.next = change.Root(), 6
	require.NoError(t, activate(t.Context(), other.On(chain), sent{hash: opOf(other)}))
}

// TestConfirmAsksAgain has a root be taken from memory again and again: it gets older by that.
func TestConfirmAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := &watched{ledger: &ledger{}}
		_, store := granted(t, chain.ledger, "a")
		sess, err := session.Open(t.Context(), store, testRef)
		require.NoError(t, err)
		for range 9 {
			require.NoError(t, sess.Confirm(t.Context(), chain, 2*time.Second))
			time.Sleep(time.Second)
		}
		require.Equal(t, 5, chain.reads, "once every two seconds")

		chain.root = common.Hash{9}
		time.Sleep(time.Second)
		require.ErrorIs(t, sess.Confirm(t.Context(), chain, 2*time.Second), session.ErrRootMismatch)
	})
}

func TestConfirmAsksTheChainOfWhatTheStoreHasNew(t *testing.T) {
	chain := &watched{ledger: &ledger{}}
	_, store := granted(t, chain.ledger, "a")
	sess, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	require.NoError(t, sess.Confirm(t.Context(), chain, time.Hour))
	grantElsewhere(t, store, chain.ledger, 2, "b")
	require.NoError(t, sess.Refresh(t.Context()))
	require.NoError(t, sess.Confirm(t.Context(), chain, time.Hour), "the root in memory is not the store's any more")
	require.Equal(t, 2, chain.reads)
	require.NoError(t, trySign(t, sess, "b"))
}

// TestRootsThatMoveMeanwhile has another process change the root, in the store and on chain, after the store
// was read and before the chain is.
func TestRootsThatMoveMeanwhile(t *testing.T) {
	for name, look := range map[string]func(context.Context, *session.Sessions, session.Store, session.Chain) error{
		"open": func(ctx context.Context, _ *session.Sessions, store session.Store, chain session.Chain) error {
			_, err := session.Open(ctx, store, testRef, session.WithChain(chain))
			return err
		},
		"confirm": func(ctx context.Context, sess *session.Sessions, _ session.Store, chain session.Chain) error {
			return sess.Confirm(ctx, chain, 0)
		},
		"reconcile": func(ctx context.Context, sess *session.Sessions, _ session.Store, chain session.Chain) error {
			return sess.On(chain).Reconcile(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			chain := &watched{ledger: &ledger{}}
			sess, store := granted(t, chain.ledger, "a")
			loaded := make(chan struct{})
			slow := &slowStore{Store: store, after: sync.OnceFunc(func() { close(loaded) })}
			chain.before = func() {
				if name == "open" {
					<-loaded
				}
				grantElsewhere(t, store, chain.ledger, 2, "b")
			}
			require.NoError(t, look(t.Context(), sess, slow, chain))
			require.Nil(t, chain.before)

			chain.root = common.Hash{9}
			require.ErrorIs(t, look(t.Context(), sess, store, chain), session.ErrRootMismatch)
		})
	}
}

// slowStore has other things happen before its first reading, and after each.
type slowStore struct {
	*memstore.Store
	before, after func()
}

func (s *slowStore) Load(ctx context.Context, ref session.Ref) (*session.State, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	if s.after != nil {
		defer s.after()
	}
	return s.Store.Load(ctx, ref)
}

// TestLandingLeavesTheNextChangeToTheSameRootAlone has another process finish the change, make one more and
// begin a third with the root of the first, before this one gets to finishing the first.
func TestLandingLeavesTheNextChangeToTheSameRootAlone(t *testing.T) {
	chain := &ledger{}
	_, store := granted(t, chain, "a")
	slow := &slowStore{Store: store}
	sess, err := session.Open(t.Context(), slow, testRef, session.WithChain(chain))
	require.NoError(t, err)
	revokeAll := func(sess *session.Sessions, n uint64) {
		change, err := sess.PlanRevokeAll()
		require.NoError(t, err)
		begin(t, change, n)
	}
	revokeAll(sess, 2)
	chain.root = common.Hash{}
	slow.before = func() {
		other, err := session.Open(t.Context(), store, testRef, session.WithChain(chain))
		require.NoError(t, err)
		require.NoError(t, other.Reconcile(t.Context()))
		grantElsewhere(t, store, chain, 3, "b")
		require.NoError(t, other.Refresh(t.Context()))
		revokeAll(other, 4)
	}
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Nil(t, slow.before)
	require.NotNil(t, sess.Pending(), "the third is still to land")
	require.Equal(t, hashOf(carrying(common.Hash{}, 4)), opOf(sess))
	require.Equal(t, chain.root, sess.Root())
}

// TestActivateOfWhatAnotherProcessSettled has another process settle the change and make the next one, while
// this one reads the chain: the operation has landed, and that is all there is to say.
func TestActivateOfWhatAnotherProcessSettled(t *testing.T) {
	chain := &watched{ledger: &ledger{}}
	sess, store := opened(t, chain.ledger)
	change := begun(t, sess, 1, "a")
	first := opOf(sess)
	chain.root, chain.next = change.Root(), 6
	chain.before = func() {
		other, err := session.Open(t.Context(), store, testRef, session.WithChain(chain.ledger))
		require.NoError(t, err)
		require.NoError(t, other.Reconcile(t.Context()))
		grantElsewhere(t, store, chain.ledger, 2, "b")
	}
	require.NoError(t, activate(t.Context(), sess.On(chain), sent{hash: first}))
	require.Nil(t, chain.before)

	chain.root = common.Hash{9}
	require.NoError(t, sess.Refresh(t.Context()))
	change, err := sess.PlanRevoke("a")
	require.NoError(t, err)
	begin(t, change, 3)
	require.ErrorIs(t, activate(t.Context(), sess.On(chain), sent{hash: opOf(sess)}), session.ErrRootMismatch)
}

// lagging is a ledger whose root, read by itself, comes from a node that lags behind.
type lagging struct {
	*ledger
	stale common.Hash
}

func (l lagging) SessionRoot(context.Context, common.Address) (common.Hash, error) {
	return l.stale, nil
}

func TestANodeThatLagsBehindUndoesNothing(t *testing.T) {
	chain := &ledger{}
	sess, _ := opened(t, chain)
	change := begun(t, sess, 1, "a")
	stale := chain.root
	chain.root, chain.next = change.Root(), 6
	sess = sess.On(lagging{chain, stale})
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Nil(t, sess.Pending())
	require.Equal(t, map[string]session.Status{"a": session.StatusActive}, statuses(sess))
}

// readOnly is a store that takes no change.
type readOnly struct{ *memstore.Store }

func (readOnly) Apply(context.Context, session.Ref, uint64, *session.Change) (uint64, error) {
	return 0, errors.New("read-only")
}

// unsettling is a chain whose newest root settles nothing. It does something when it is asked.
type unsettling struct {
	*ledger
	err  error
	when func()
}

func (u unsettling) MaySettle(context.Context) error {
	u.when()
	return u.err
}

// TestConfirmSettlesWhatTheChainShows has the granter's process end once its operation was included.
func TestConfirmSettlesWhatTheChainShows(t *testing.T) {
	chain := &ledger{}
	_, store := granted(t, chain, "a")
	granter, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	chain.root = begun(t, granter.On(chain), 2, "b").Root()

	unsure, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	require.NoError(t, unsure.Confirm(t.Context(), unsettling{chain, userop.ErrWrongChain, func() {}}, 0))
	require.NotNil(t, unsure.Pending(), "the node may be of another chain")
	require.NoError(t, unsure.Refresh(t.Context()))

	reader, err := session.Open(t.Context(), readOnly{store}, testRef)
	require.NoError(t, err)
	require.NoError(t, reader.Confirm(t.Context(), chain, 0))
	require.NotNil(t, reader.Pending())
	require.NoError(t, reader.Refresh(t.Context()))

	sess, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	require.NoError(t, sess.Confirm(t.Context(), chain, 0))
	require.Nil(t, sess.Pending())
	require.Equal(t, chain.root, sess.Root())
	require.NoError(t, trySign(t, sess, "b"))
	require.NoError(t, trySign(t, reader.On(chain), "a"))
}

// TestTheRootOfBeforeSettlesNothing has all sessions be revoked where there are none, as to change modules:
// the chain shows that root before the operation is there.
func TestTheRootOfBeforeSettlesNothing(t *testing.T) {
	chain := &ledger{}
	sess, _ := opened(t, chain)
	change, err := sess.PlanRevokeAll()
	require.NoError(t, err)
	begin(t, change, 1)
	for range 2 {
		require.NoError(t, sess.Confirm(t.Context(), chain, 0))
		require.NotNil(t, sess.Pending(), "its operation is not on chain")
		require.ErrorIs(t, sess.On(chain).Reconcile(t.Context()), session.ErrPending)
	}
	chain.next = 100
	require.NoError(t, sess.On(chain).Reconcile(t.Context()))
	require.Nil(t, sess.Pending())
}

// TestConfirmSettlesWhatItSaw has another process settle the change, and perhaps begin the next one, after
// the chain was looked at.
func TestConfirmSettlesWhatItSaw(t *testing.T) {
	for name, test := range map[string]struct{ next, seen bool }{
		"settled":                {},
		"the next one is begun":  {next: true},
		"and is seen before all": {next: true, seen: true},
	} {
		t.Run(name, func(t *testing.T) {
			chain := &ledger{}
			sess, store := granted(t, chain, "a")
			chain.root, chain.next = begun(t, sess, 2, "b").Root(), 7
			looked := unsettling{ledger: chain, when: func() {
				other, err := session.Open(t.Context(), store, testRef, session.WithChain(chain))
				require.NoError(t, err)
				require.NoError(t, other.Reconcile(t.Context()))
				require.NoError(t, sess.Refresh(t.Context()))
				if test.next {
					begun(t, other, 3, "c")
				}
				if test.seen {
					require.NoError(t, sess.Refresh(t.Context()))
				}
			}}
			require.NoError(t, sess.Confirm(t.Context(), looked, 0))
			require.NoError(t, sess.Refresh(t.Context()))
			require.Equal(t, test.next, sess.Pending() != nil, "the next one has not landed")
			require.NoError(t, trySign(t, sess, "b"))
		})
	}
}
