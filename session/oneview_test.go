package session_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// TestAPlanIsOfOneVersion has another process grant and suspend a session while the same ID is planned here,
// and what it did be read here meanwhile: the plan does not take the place of the tombstone.
func TestAPlanIsOfOneVersion(t *testing.T) {
	chain := &ledger{}
	other, store := granted(t, chain, "a")
	var once sync.Once
	elsewhere := func() {}
	clock := func() time.Time { once.Do(elsewhere); return time.Now() }
	sess, err := session.Open(t.Context(), store, testRef, session.WithChain(chain), session.WithClock(clock))
	require.NoError(t, err)
	elsewhere = func() {
		change := begun(t, other, 2, "x")
		chain.root = change.Root()
		require.NoError(t, other.Reconcile(t.Context()))
		require.NoError(t, other.Suspend(t.Context(), "x"))
		require.NoError(t, sess.Refresh(t.Context()))
	}
	change, err := sess.PlanGrant(policy.Modules{}, policyOf("x"))
	require.NoError(t, err)
	op := carrying(change.Root(), 3)
	require.ErrorIs(t, change.Begin(t.Context(), op, hashOf(op)), session.ErrConflict)
	require.Equal(t, session.StatusRevoked, statuses(sess)["x"])
}

// TestAdoptBesideSuspend adopts a document while a session is suspended through the same view.
func TestAdoptBesideSuspend(t *testing.T) {
	ids := make([]string, 150)
	for i := range ids {
		ids[i] = fmt.Sprint("s", i)
	}
	sess, store := granted(t, &ledger{}, ids...)
	document, err := sess.Export()
	require.NoError(t, err)
	for i, id := range ids {
		var adopting sync.WaitGroup
		adopting.Go(func() { _ = sess.Adopt(t.Context(), document) }) // a conflict is fine
		require.NoError(t, sess.Suspend(t.Context(), id))
		adopting.Wait()
		state, err := store.Load(t.Context(), testRef)
		require.NoError(t, err)
		require.Equal(t, session.StatusRevoked, state.Leaves[i].Status, id)
	}
}

// TestImportOfTheSameSessionsSuspends hands the document over again after a session was suspended where it
// comes from.
func TestImportOfTheSameSessionsSuspends(t *testing.T) {
	chain := &ledger{}
	from, _ := granted(t, chain, "a", "b")
	_, store := granted(t, chain, "a", "b")
	require.NoError(t, from.Suspend(t.Context(), "b"))
	acting, err := session.Import(t.Context(), store, handOver(t, from), session.WithSealedKeys(testAEAD(t)), session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, trySign(t, acting, "a"))
	require.ErrorIs(t, trySign(t, acting, "b"), session.ErrRevoked)
	require.Equal(t, map[string]session.Status{"a": session.StatusActive, "b": session.StatusRevoked}, statuses(acting))
}

// TestASessionWhoseIDNoOneMayChooseAnyMore takes one that was stored before through everything.
func TestASessionWhoseIDNoOneMayChooseAnyMore(t *testing.T) {
	const id, quoted = "a\x1b[2J\nb", `"a\x1b[2J\nb"`
	chain := &ledger{}
	sess, store := granted(t, chain, "a", "b")
	_, err := sess.PlanGrant(policy.Modules{}, policyOf(id))
	require.ErrorIs(t, err, policy.ErrInvalid)
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	old := state.Leaves[0]
	old.ID, old.InTree = id, false
	_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: state.Header, Put: []session.Leaf{old}})
	require.NoError(t, err)

	require.NoError(t, sess.Refresh(t.Context()))
	restore, err := sess.PlanRestore(id)
	require.NoError(t, err)
	begin(t, restore, 2)
	chain.root = restore.Root()
	require.NoError(t, sess.Reconcile(t.Context()))
	require.NoError(t, trySign(t, sess, id))
	_, err = sess.ByKey(keyAddress(testKey)).Leaf()
	require.ErrorContains(t, err, "[a b "+quoted+"]")
	err = sess.Confirm(t.Context(), &ledger{root: common.Hash{1}}, 0)
	require.ErrorContains(t, err, "sessions that cannot be proven: a, b, "+quoted)
	document := handOver(t, sess)
	require.Equal(t, []string{"a", "b", quoted}, []string{document.Leaves[0].ID, document.Leaves[1].ID, document.Leaves[2].ID})
	require.NoError(t, sess.Adopt(t.Context(), document))
	require.NoError(t, trySign(t, sess, id), "it keeps its ID here")

	require.NoError(t, sess.Suspend(t.Context(), id))
	require.EqualError(t, trySign(t, sess, id), "session is revoked: session "+quoted+" of "+sess.Ref().String()+"; it still stands on chain until its owner's revocation lands")
	revoke, err := sess.PlanRevoke(id)
	require.NoError(t, err)
	begin(t, revoke, 3)
	chain.root = revoke.Root()
	require.NoError(t, sess.Reconcile(t.Context()))
	require.EqualError(t, trySign(t, sess, id), "session is revoked: session "+quoted+" of "+sess.Ref().String()+"; it does not stand on chain")
}
