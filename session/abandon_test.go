package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// overtaken are sessions whose next change, which revokes a and grants c beside b, waits with nonce 6 while
// another service's root is to be set. It can land until a block of that time.
func overtaken(t *testing.T, chain *ledger) (*session.Sessions, *session.RootChange) {
	t.Helper()
	const until = 1_700_000_000
	sess, _ := granted(t, chain, "a", "b")
	chain.time = until
	require.NoError(t, sess.Suspend(t.Context(), "a"))
	change, err := sess.PlanGrant(policy.Modules{}, policyOf("c"))
	require.NoError(t, err)
	op := carrying(change.Root(), 2)
	sponsored := contracts.VerifyingPaymasterData{Paymaster: contracts.Deployed().VerifyingPaymaster, ValidUntil: until, Signature: make([]byte, 65)}
	op.PaymasterAndData = sponsored.Pack()
	require.NoError(t, change.Begin(t.Context(), op, hashOf(op)))
	return sess, change
}

// TestAbandon has another service set the root while a change waits.
func TestAbandon(t *testing.T) {
	theirs := common.Hash{9}
	waits := map[string]session.Status{"a": session.StatusRevoked, "b": session.StatusActive, "c": session.StatusPending}
	undone := map[string]session.Status{"a": session.StatusRevoked, "b": session.StatusActive}
	landed := map[string]session.Status{"a": session.StatusRevoked, "b": session.StatusActive, "c": session.StatusActive}
	// later changes the chain after it was read once.
	later := func(change func(*ledger)) func(*ledger) {
		reads := 0
		return func(l *ledger) {
			if reads++; reads == 2 {
				change(l)
			}
		}
	}
	for name, tt := range map[string]struct {
		chain func(l *ledger, pending common.Hash)
		is    error
		text  string
		want  map[string]session.Status
	}{
		"with its nonce":       {func(l *ledger, _ common.Hash) { l.root, l.next = theirs, 7 }, nil, "", undone},
		"and its time is over": {func(l *ledger, _ common.Hash) { l.root, l.time = theirs, l.time+1 }, nil, "", undone},
		"and all are revoked":  {func(l *ledger, _ common.Hash) { l.root, l.next = common.Hash{}, 7 }, nil, "", undone},
		"and it may still land": {
			func(l *ledger, _ common.Hash) { l.root = theirs }, session.ErrPending,
			" has not landed yet, and may, in the place of root " + theirs.Hex() + ", which the store does not know; it cannot any more in a block later than 2023-11-14T22:13:20Z; " +
				"have the owner cancel it first (account.OwnedAccount), which takes its nonce 0x6", waits,
		},
		"and that again meanwhile": {func(l *ledger, _ common.Hash) {
			l.root, l.next, l.onNonce = theirs, 7, later(func(l *ledger) { l.root = common.Hash{8} })
		}, session.ErrRootMismatch, theirs.Hex(), waits},
		"and the node fails then": {func(l *ledger, _ common.Hash) {
			l.root, l.next, l.onNonce = theirs, 7, later(func(l *ledger) { l.err = errors.New("connection refused") })
		}, nil, "read session root of account 0x1111111111111111111111111111111111111111 on chain 80002: connection refused", waits},
		"nobody, and it landed":       {func(l *ledger, pending common.Hash) { l.root, l.next = pending, 7 }, nil, "", landed},
		"nobody, and it failed":       {func(l *ledger, _ common.Hash) { l.next = 7 }, nil, "", undone},
		"nobody, and it may land yet": {func(*ledger, common.Hash) {}, session.ErrPending, "wait for it", waits},
	} {
		t.Run(name, func(t *testing.T) {
			chain := &ledger{}
			sess, change := overtaken(t, chain)
			tt.chain(chain, change.Root())
			err := sess.Abandon(t.Context())
			if tt.text == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.text)
			}
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			require.Equal(t, tt.want, statuses(sess))
			require.Equal(t, len(tt.want) == len(waits) && tt.want["c"] == session.StatusPending, sess.Pending() != nil)
			require.ErrorIs(t, trySign(t, sess, "a"), session.ErrRevoked)
		})
	}
}

// Without a change that waits it is Reconcile.
func TestAbandonNothing(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a")
	require.NoError(t, sess.Abandon(t.Context()))
	chain.root = common.Hash{9}
	require.ErrorIs(t, sess.Abandon(t.Context()), session.ErrRootMismatch)
	require.NoError(t, trySign(t, sess.On(nil), "a"))
	require.ErrorIs(t, sess.On(nil).Abandon(t.Context()), policy.ErrInvalid)
}

// TestAbandonLeavesToReconcileWhatTheChainTookBack has the chain go back below a change that waits.
func TestAbandonLeavesToReconcileWhatTheChainTookBack(t *testing.T) {
	chain := &ledger{next: 5}
	sess, _ := opened(t, chain)
	first := begun(t, sess, 1, "a")
	chain.root, chain.next = first.Root(), 6
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))
	begun(t, sess, 2, "b")
	chain.root, chain.next = common.Hash{}, 5
	err := sess.Abandon(t.Context())
	var mismatch *session.RootMismatch
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, sess.Landed().Change.OpHash, mismatch.TakenBack)
	require.NotNil(t, sess.Pending())
}

// Without its bytes an operation cannot be cancelled by what it was.
func TestAbandonBesideAnOperationThatWasNotKept(t *testing.T) {
	chain := &ledger{}
	sess, _ := overtaken(t, chain)
	state, err := sess.Store().Load(t.Context(), testRef)
	require.NoError(t, err)
	state.Pending.Operation = nil
	_, err = sess.Store().Apply(t.Context(), testRef, state.Version, &session.Change{Header: state.Header})
	require.NoError(t, err)
	chain.root = common.Hash{9}
	err = sess.Abandon(t.Context())
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "its bytes were not kept: have the owner use its nonce 0x6 for another operation first (account.WithNonce)")
}

// waited is an operation for which something happens while it is waited for.
type waited struct {
	sent
	meanwhile func()
}

func (w waited) Wait(ctx context.Context, opts ...userop.WaitOption) (*userop.Receipt, error) {
	w.meanwhile()
	return w.sent.Wait(ctx, opts...)
}

// TestActivateOfWhatAnotherRootLeftOut has another process settle a change, beside a root that was set after
// it, while this one waits for its operation.
func TestActivateOfWhatAnotherRootLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		settle func(t *testing.T, other *session.Sessions, document *session.Document, chain *ledger, change common.Hash)
		way    string
	}{
		"given up": {func(t *testing.T, other *session.Sessions, _ *session.Document, chain *ledger, _ common.Hash) {
			chain.root = common.Hash{9}
			require.NoError(t, other.Abandon(t.Context()))
		}, "grant it again"},
		"adopted": {func(t *testing.T, other *session.Sessions, document *session.Document, chain *ledger, _ common.Hash) {
			chain.root = document.Root
			require.NoError(t, other.Adopt(t.Context(), document))
		}, "grant it again"},
		"landed, and adopted": {func(t *testing.T, other *session.Sessions, document *session.Document, chain *ledger, change common.Hash) {
			chain.root = change
			require.NoError(t, other.Reconcile(t.Context()))
			chain.root = document.Root
			require.NoError(t, other.Adopt(t.Context(), document))
		}, "have the owner Restore it"},
	} {
		t.Run(name, func(t *testing.T) {
			chain := &ledger{}
			sess, change := overtaken(t, chain)
			theirs, _ := granted(t, &ledger{}, "x")
			document := handOver(t, theirs)
			other, err := session.Open(t.Context(), sess.Store(), testRef)
			require.NoError(t, err)
			receipt, err := sess.Activate(t.Context(), waited{sent{hash: opOf(sess)}, func() {
				chain.next = 7 // it landed, and then theirs
				c.settle(t, other.On(chain), document, chain, change.Root())
				chain.root = change.Root() // for a node that lags behind
			}})
			require.ErrorIs(t, err, session.ErrConflict)
			require.ErrorContains(t, err, " landed, and another root of "+testRef.String()+" was set since, without session \"c\"; "+c.way)
			require.NotNil(t, receipt)
		})
	}
}

// TestAdoptOverAChangeThatWaits has the other service's document arrive while a change waits for an
// operation, with or without what that was to grant.
func TestAdoptOverAChangeThatWaits(t *testing.T) {
	for name, has := range map[string][]string{"without it": {"x"}, "with it": {"b", "c", "x"}} {
		t.Run(name, func(t *testing.T) {
			chain := &ledger{}
			sess, _ := overtaken(t, chain)
			theirs, _ := granted(t, &ledger{}, has...)
			document := handOver(t, theirs)
			chain.root = document.Root
			err := sess.Adopt(t.Context(), document)
			require.ErrorIs(t, err, session.ErrPending)
			require.ErrorContains(t, err, "adopt session document: ")
			require.ErrorContains(t, err, "have the owner cancel it first")
			require.NotNil(t, sess.Pending())

			chain.next = 7
			require.ErrorIs(t, sess.Reconcile(t.Context()), session.ErrRootMismatch)
			require.NotNil(t, sess.Pending(), "nobody has decided on the other root yet")
			require.NoError(t, sess.Adopt(t.Context(), document))
			require.Nil(t, sess.Pending())
			for _, id := range has {
				require.NoError(t, trySign(t, sess, id))
			}
			require.ErrorIs(t, trySign(t, sess, "a"), session.ErrRevoked)
			require.NoError(t, sess.Reconcile(t.Context()))

			if len(has) == 1 {
				require.Equal(t, map[string]session.Status{"a": session.StatusRevoked, "b": session.StatusActive, "x": session.StatusActive}, statuses(sess))
				restore, err := sess.PlanRestore()
				require.NoError(t, err)
				require.Equal(t, []string{"b"}, restore.IDs(), "nobody knows whether c landed")
			}
		})
	}
}

// TestAdoptBesideAChangeThatLands has the change that waits land while the document is adopted.
func TestAdoptBesideAChangeThatLands(t *testing.T) {
	chain := &ledger{}
	sess, change := overtaken(t, chain)
	theirs, _ := granted(t, &ledger{}, "x")
	document := handOver(t, theirs)
	chain.root = document.Root
	chain.onNonce = func(l *ledger) { l.root, l.next = change.Root(), 7 }
	require.ErrorIs(t, sess.Adopt(t.Context(), document), session.ErrRootMismatch)
	require.NoError(t, trySign(t, sess, "c"))

	// The root alone is of a node behind the others; and then all is, until the change is seen there.
	require.ErrorIs(t, sess.On(lagging{chain, document.Root}).Adopt(t.Context(), document), session.ErrPending)
	behind := &ledger{root: document.Root, next: 6}
	err := sess.On(behind).Adopt(t.Context(), document)
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "it lags behind, or the chain took that back, and it may land once more; it cannot any more in a block later than 2023-11-14T22:13:20Z; wait, or have the owner use its nonce 0x6 for another operation (account.WithNonce)")
	err = sess.On(lagging{behind, document.Root}).Adopt(t.Context(), document)
	require.ErrorIs(t, err, session.ErrPending)
	deep := &ledger{root: change.Root(), next: 7}
	err = sess.On(lagging{deep, document.Root}).Adopt(t.Context(), document)
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "the newest block of "+testRef.String()+" has root "+document.Root.Hex()+", the one that settles changes still "+change.Root().Hex()+"; try again some blocks later")
	require.ErrorContains(t, sess.On(failing{behind}).Adopt(t.Context(), document), "no answer")
	require.NoError(t, sess.Reconcile(t.Context()))
	require.NoError(t, trySign(t, sess, "c"))
	behind.time = 1_700_000_001
	require.NoError(t, sess.On(behind).Adopt(t.Context(), document), "the change cannot land any more")
}

// failing is a chain that tells the root, and not whether a nonce is used.
type failing struct{ *ledger }

func (failing) SessionRootAndNonce(context.Context, common.Address, *uint256.Int) (session.OnChain, error) {
	return session.OnChain{}, errors.New("no answer")
}

// TestAdoptBesideAChangeThatAnotherProcessLands has it land between the looks at the chain and at the store.
func TestAdoptBesideAChangeThatAnotherProcessLands(t *testing.T) {
	chain := &ledger{}
	sess, change := overtaken(t, chain)
	other, err := session.Open(t.Context(), sess.Store(), testRef)
	require.NoError(t, err)
	theirs, _ := granted(t, &ledger{}, "x")
	document := handOver(t, theirs)
	chain.root = document.Root
	err = sess.On(reading{chain, func() {
		chain.root, chain.next = change.Root(), 7
		require.NoError(t, other.On(chain).Reconcile(t.Context()))
	}}).Adopt(t.Context(), document)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.NoError(t, sess.Reconcile(t.Context()))
	require.NoError(t, trySign(t, sess, "c"))
}

// TestAdoptOfARootThatIsReplaced has another one be set while a change is given up for it.
func TestAdoptOfARootThatIsReplaced(t *testing.T) {
	chain := &ledger{}
	sess, _ := opened(t, chain)
	begun(t, sess, 1, "a")
	theirs, _ := granted(t, &ledger{}, "x")
	document := handOver(t, theirs)
	chain.root = document.Root
	again := reading{chain, func() { chain.root, chain.next = common.Hash{8}, 7 }}
	require.ErrorIs(t, sess.On(again).Adopt(t.Context(), document), session.ErrRootMismatch)
	require.Equal(t, "0x0000000000000000000000000000000000000000000000000000000000000000", sess.Root().Hex())
}

// TestActivateOfARevocationThatAnotherRootUndid has another service, which does not know of it, set a root.
func TestActivateOfARevocationThatAnotherRootUndid(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a", "b")
	revoke, err := sess.PlanRevoke("a")
	require.NoError(t, err)
	begin(t, revoke, 2)
	other, err := session.Open(t.Context(), sess.Store(), testRef)
	require.NoError(t, err)
	theirs, _ := granted(t, &ledger{}, "a", "x")
	document := handOver(t, theirs)
	_, err = sess.Activate(t.Context(), waited{sent{hash: opOf(sess)}, func() {
		chain.root, chain.next = document.Root, 7
		require.NoError(t, other.On(chain).Adopt(t.Context(), document))
		chain.root = revoke.Root() // for a node that lags behind
	}})
	require.ErrorIs(t, err, session.ErrConflict)
	require.ErrorContains(t, err, " landed, and another root of "+testRef.String()+" was set since, with session \"a\"; revoke it again")
	require.ErrorIs(t, trySign(t, sess, "a"), session.ErrRevoked)
}

// reading is a chain on which something happens after its root was read, once.
type reading struct {
	*ledger
	then func()
}

func (r reading) SessionRoot(ctx context.Context, account common.Address) (common.Hash, error) {
	root, err := r.ledger.SessionRoot(ctx, account)
	if root != (common.Hash{}) && r.next != 7 {
		r.then()
	}
	return root, err
}
