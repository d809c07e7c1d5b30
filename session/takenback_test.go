package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/userop"
)

// branch is an account's chain that can lose its last block. Each block has one operation.
type branch struct {
	ledger
	before []ledger
	// others are the nonces of operations that set no root.
	others map[uint64]bool
}

// land includes an operation that sets a root, if its nonce is next but for operations that set none.
func (b *branch) land(op *userop.Operation, root common.Hash) {
	for b.next < op.Nonce.Uint64() && b.others[b.next] {
		b.include(b.root)
	}
	if op.Nonce.Uint64() == b.next {
		b.include(root)
	}
}

// include makes a block that leaves that root.
func (b *branch) include(root common.Hash) {
	b.before = append(b.before, b.ledger)
	b.root, b.next = root, b.next+1
}

// reorg takes the last block out.
func (b *branch) reorg() {
	last := len(b.before) - 1
	b.ledger, b.before = b.before[last], b.before[:last]
}

func takenBack(err error) bool {
	mismatch, ok := errors.AsType[*session.RootMismatch](err)
	return ok && mismatch.TakenBack != (common.Hash{})
}

// reconcile settles what can be, as an account does: what may still land is sent again as it is kept.
func (b *branch) reconcile(ctx context.Context, sess *session.Sessions) error {
	err := sess.Reconcile(ctx)
	if below := sess.Landed(); takenBack(err) {
		b.land(below.Change.Operation, below.Change.Root)
		err = sess.Reconcile(ctx)
	}
	if pending := sess.Pending(); errors.Is(err, session.ErrPending) {
		b.land(pending.Operation, pending.Root)
		err = sess.Reconcile(ctx)
	}
	return err
}

// granted grants on a branch, and the change lands.
func (b *branch) granted(t *testing.T, sess *session.Sessions, ids ...string) {
	t.Helper()
	change := begun(t, sess, b.next-4, ids...)
	b.include(change.Root())
	require.NoError(t, sess.Reconcile(t.Context()))
}

// revoked revokes in the store, and returns the operation.
func revoked(t *testing.T, sess *session.Sessions, n uint64, ids ...string) *userop.Operation {
	t.Helper()
	require.NoError(t, sess.Suspend(t.Context(), ids...))
	change, err := sess.PlanRevoke(ids...)
	require.NoError(t, err)
	return begin(t, change, n)
}

func newBranch() *branch {
	return &branch{ledger: ledger{next: 4, time: 1000}, others: map[uint64]bool{}}
}

// TestAChangeThatWasTakenBack has the chain take back the last change of each kind.
func TestAChangeThatWasTakenBack(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *branch, *session.Sessions){
		"a grant": func(t *testing.T, b *branch, sess *session.Sessions) { b.granted(t, sess, "more") },
		"a revocation": func(t *testing.T, b *branch, sess *session.Sessions) {
			op := revoked(t, sess, b.next-4, "first")
			b.land(op, sess.Pending().Root)
			require.NoError(t, sess.Reconcile(t.Context()))
		},
		"of all": func(t *testing.T, b *branch, sess *session.Sessions) {
			require.NoError(t, sess.SuspendAll(t.Context()))
			change, err := sess.PlanRevokeAll()
			require.NoError(t, err)
			begin(t, change, b.next-4)
			b.include(common.Hash{})
			require.NoError(t, sess.Reconcile(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBranch()
			sess, store := opened(t, b)
			b.granted(t, sess, "first", "second")
			before := sess.Root()
			change(t, b, sess)
			landed, err := store.Load(t.Context(), testRef)
			require.NoError(t, err)
			b.reorg()
			require.Equal(t, before, b.root)

			err = sess.Confirm(t.Context(), b, 0)
			require.True(t, takenBack(err), err)
			require.ErrorIs(t, err, session.ErrRootMismatch)
			require.ErrorContains(t, err, "the chain went back to the root before the last change, or its node lags behind: it has "+before.Hex())
			require.ErrorContains(t, err, "call account.Account's Reconcile, which sends that again")
			require.NotContains(t, err.Error(), "another service")
			_, err = session.Open(t.Context(), store, testRef, session.WithChain(b))
			require.True(t, takenBack(err), err)
			state, err := store.Load(t.Context(), testRef)
			require.NoError(t, err)
			require.Equal(t, landed, state, "saying so changes nothing")

			err = sess.Reconcile(t.Context())
			require.ErrorIs(t, err, session.ErrPending)
			state, err = store.Load(t.Context(), testRef)
			require.NoError(t, err)
			require.Equal(t, before, state.Root)
			require.Equal(t, &landed.Landed.Change, state.Pending, "the same bytes")
			require.Nil(t, state.Landed)
			for i, leaf := range landed.Leaves {
				if leaf.Status == session.StatusRevoked {
					require.Equal(t, session.StatusRevoked, state.Leaves[i].Status)
					require.True(t, state.Leaves[i].Standing())
					require.ErrorIs(t, forceSign(sess, leaf.ID), session.ErrRevoked)
				}
			}
			if name == "a grant" {
				require.Equal(t, session.StatusPending, statuses(sess)["more"])
				require.ErrorIs(t, trySign(t, sess, "more"), session.ErrPending)
				require.NoError(t, trySign(t, sess, "first"))
			}

			require.NoError(t, b.reconcile(t.Context(), sess))
			state, err = store.Load(t.Context(), testRef)
			require.NoError(t, err)
			landed.Version = state.Version
			require.Equal(t, landed, state)
		})
	}
}

// TestTheFirstGrantIsTakenBack has the chain go back to no root at all, and another operation take the nonce.
func TestTheFirstGrantIsTakenBack(t *testing.T) {
	b := newBranch()
	sess, store := opened(t, b)
	b.granted(t, sess, "first")
	b.reorg()
	require.ErrorIs(t, sess.Reconcile(t.Context()), session.ErrPending)
	b.include(common.Hash{})
	require.NoError(t, sess.Reconcile(t.Context()), "undone")
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, session.Header{}, state.Header)
	require.Empty(t, state.Leaves)
}

// TestTheRootOfBeforeIsSetAgain has another service do so: its operation is on top of the change's.
func TestTheRootOfBeforeIsSetAgain(t *testing.T) {
	b := newBranch()
	sess, store := opened(t, b)
	b.granted(t, sess, "first")
	before := sess.Root()
	b.granted(t, sess, "second")
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	b.include(before)
	for _, err := range []error{sess.Confirm(t.Context(), b, 0), sess.Reconcile(t.Context())} {
		require.ErrorIs(t, err, session.ErrRootMismatch)
		require.False(t, takenBack(err))
		require.ErrorContains(t, err, "another service changed the account's sessions, or the chain went back by more than one change")
	}
	after, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, state, after)
}

// TestARestoredSessionIsTakenBack has a session leave the tree and come back to it: when the chain takes that
// back, and another operation its nonce, it is left out again, and not forgotten.
func TestARestoredSessionIsTakenBack(t *testing.T) {
	b := newBranch()
	sess, store := opened(t, b)
	b.granted(t, sess, "first", "second")
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	kept, left := state.Leaves[0], state.Leaves[1]
	left.InTree = false // as after another backend's root was adopted
	_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{
		Header: session.Header{Root: kept.Hash(), Order: []string{kept.ID}}, Put: []session.Leaf{left},
	})
	require.NoError(t, err)
	b.include(kept.Hash())
	require.NoError(t, sess.Reconcile(t.Context()))
	adopted, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	change, err := sess.PlanRestore("second")
	require.NoError(t, err)
	b.land(begin(t, change, b.next-4), change.Root())
	require.NoError(t, sess.Reconcile(t.Context()))
	require.NoError(t, trySign(t, sess, "second"))

	b.reorg()
	require.ErrorIs(t, sess.Reconcile(t.Context()), session.ErrPending)
	require.Error(t, trySign(t, sess, "second"))
	b.include(b.root)
	require.NoError(t, sess.Reconcile(t.Context()))
	state, err = store.Load(t.Context(), testRef)
	require.NoError(t, err)
	adopted.Version = state.Version
	require.Equal(t, adopted, state)
}

// TestTheChangeBelowIsTakenBack has one wait on top of the one that the chain takes back.
func TestTheChangeBelowIsTakenBack(t *testing.T) {
	setup := func(t *testing.T) (*branch, *session.Sessions) {
		b := newBranch()
		sess, _ := opened(t, b)
		b.granted(t, sess, "first")
		b.granted(t, sess, "second")
		begun(t, sess, b.next-4, "third")
		b.reorg()
		return b, sess
	}
	t.Run("and lands again", func(t *testing.T) {
		b, sess := setup(t)
		waits := sess.Pending()
		err := sess.Reconcile(t.Context())
		require.True(t, takenBack(err), err)
		require.Equal(t, waits, sess.Pending(), "nothing is changed while both may land")
		require.NoError(t, b.reconcile(t.Context(), sess))
		require.Equal(t, b.root, sess.Root())
		require.Equal(t, map[string]session.Status{"first": session.StatusActive, "second": session.StatusActive, "third": session.StatusActive}, statuses(sess))
	})
	t.Run("and neither does", func(t *testing.T) {
		b, sess := setup(t)
		b.include(b.root)
		b.include(b.root)
		err := sess.Reconcile(t.Context())
		require.ErrorIs(t, err, session.ErrRootMismatch)
		require.False(t, takenBack(err), "which of them is the cause cannot be told")
	})
}

// TestARevocationWaitsOnTopOfItsGrant has the chain take the grant back: it shows the root that the
// revocation is to set, which has not landed for all that.
func TestARevocationWaitsOnTopOfItsGrant(t *testing.T) {
	b := newBranch()
	sess, _ := opened(t, b)
	b.granted(t, sess, "first")
	b.granted(t, sess, "second")
	revoked(t, sess, b.next-4, "second")
	waits := sess.Pending()
	b.reorg()
	require.Equal(t, waits.Root, b.root)
	require.NoError(t, sess.Confirm(t.Context(), b, 0), "what stays can sign under it")
	require.NoError(t, trySign(t, sess, "first"))
	require.Equal(t, waits, sess.Pending())
	require.True(t, takenBack(sess.Reconcile(t.Context())))
	require.Equal(t, waits, sess.Pending())
	require.NoError(t, b.reconcile(t.Context(), sess))
	require.Equal(t, waits.Nonce.Uint64()+1, b.next, "both landed")
	require.Equal(t, b.root, sess.Root())
	require.ErrorIs(t, forceSign(sess, "second"), session.ErrRevoked)
}

// TestANodeThatLagsBehindTakesNothingBack shows one that does not know of the last change yet.
func TestANodeThatLagsBehindTakesNothingBack(t *testing.T) {
	b := newBranch()
	sess, store := opened(t, b)
	b.granted(t, sess, "first")
	b.granted(t, sess, "second")
	behind := &branch{ledger: b.before[len(b.before)-1]}
	before, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	there, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	require.ErrorIs(t, there.On(behind).Reconcile(t.Context()), session.ErrPending)
	// Whoever looks at another node makes it final by that.
	require.NoError(t, sess.Refresh(t.Context()))
	require.NoError(t, sess.Confirm(t.Context(), b, 0))
	require.NoError(t, trySign(t, sess, "second"))
	after, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	before.Version = after.Version
	require.Equal(t, before, after)
}

// TestRandomChangesThatAreTakenBack has two processes grant, revoke and reconcile on a chain that takes
// blocks back: no session that was stopped signs again, and in the end the store has the chain's root.
func TestRandomChangesThatAreTakenBack(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newTides(t, seed)
			for range 40 {
				w.step()
				w.check()
			}
			for range 3 { // one may settle what is below, one what waits
				if err := w.reconcile(t.Context(), w.each[0]); err == nil {
					break
				}
			}
			require.NoError(t, w.each[0].Reconcile(t.Context()), w.log)
			require.Equal(t, w.root, w.each[0].Root(), w.log)
			require.Nil(t, w.each[0].Pending())
			w.check()
		})
	}
}

// tides is the world of [TestRandomChangesThatAreTakenBack].
type tides struct {
	*branch
	t       *testing.T
	random  *rand.Rand
	store   *memstore.Store
	each    [2]*session.Sessions
	n       int
	stopped []string
	log     []string
}

func newTides(t *testing.T, seed uint64) *tides {
	w := &tides{branch: newBranch(), t: t, random: rand.New(rand.NewPCG(seed, 1))}
	w.each[0], w.store = opened(t, w.branch)
	w.granted(t, w.each[0], "first")
	sess, err := session.Open(t.Context(), w.store, testRef)
	require.NoError(t, err)
	w.each[1] = sess.On(w.branch)
	return w
}

func (w *tides) step() {
	sess := w.each[w.random.IntN(2)]
	require.NoError(w.t, sess.Refresh(w.t.Context()))
	what := []string{"grant", "revoke", "land", "reorg", "reorg", "reconcile", "settle", "replace", "send"}[w.random.IntN(9)]
	w.log = append(w.log, what)
	switch pending := sess.Pending(); what {
	case "grant", "revoke":
		if pending != nil || sess.Confirm(w.t.Context(), w.branch, 0) != nil {
			return
		}
		w.change(sess, what)
	case "land":
		if pending != nil {
			w.land(pending.Operation, pending.Root)
		}
	case "reorg":
		if w.mayLose(sess) {
			w.reorg()
		}
	case "reconcile":
		_ = w.reconcile(w.t.Context(), sess)
	case "settle":
		_ = sess.Reconcile(w.t.Context())
	case "replace": // another operation takes the nonce of the change that waits
		if pending != nil && pending.Nonce.Uint64() == w.next {
			w.others[w.next] = true
			w.include(w.root)
		}
	case "send":
		_ = sess.Confirm(w.t.Context(), w.branch, 0)
	}
}

func (w *tides) change(sess *session.Sessions, what string) {
	if what == "grant" {
		w.n++
		begun(w.t, sess, w.next-4, fmt.Sprint("session ", w.n))
		return
	}
	var active []string
	for id, status := range statuses(sess) {
		if status == session.StatusActive {
			active = append(active, id)
		}
	}
	if len(active) == 0 {
		return
	}
	revoked(w.t, sess, w.next-4, active[0])
	w.stopped = append(w.stopped, active[0])
}

// mayLose reports whether the last block may go: one change is kept to go back by.
func (w *tides) mayLose(sess *session.Sessions) bool {
	if len(w.before) == 0 {
		return false
	}
	pending, landed, was := sess.Pending(), sess.Landed(), w.before[len(w.before)-1].root
	return was == w.root || pending != nil && pending.Root == w.root && sess.Root() == was ||
		landed != nil && landed.Change.Root == w.root && sess.Root() == w.root && landed.Before == was
}

func (w *tides) check() {
	w.t.Helper()
	for _, sess := range w.each {
		require.NoError(w.t, sess.Refresh(w.t.Context()), w.log)
		for _, id := range w.stopped {
			require.ErrorIs(w.t, forceSign(sess, id), session.ErrRevoked, w.log)
		}
	}
}
