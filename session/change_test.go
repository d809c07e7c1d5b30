package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// ledger is an account's chain in memory: the session root and the EntryPoint's nonce.
type ledger struct {
	root common.Hash
	next uint64
	time uint64 // of the block
	err  error
	// onNonce runs when the nonce is read.
	onNonce func(*ledger)
}

func (l *ledger) SessionRoot(context.Context, common.Address) (common.Hash, error) {
	return l.root, l.err
}

func (l *ledger) SessionRootAndNonce(_ context.Context, _ common.Address, nonce *uint256.Int) (session.OnChain, error) {
	if l.onNonce != nil {
		l.onNonce(l)
	}
	return session.OnChain{Root: l.root, NonceUsed: nonce.Uint64() < l.next, BlockTime: l.time}, l.err
}

func (l *ledger) SessionContracts() (entryPoint, manager common.Address) {
	d := contracts.Deployed()
	return d.EntryPoint, d.SessionKeyManager
}

// carrying is the n-th operation of the test account, which sets a root.
func carrying(root common.Hash, n uint64) *userop.Operation {
	return &userop.Operation{
		Sender: testRef.Account, Nonce: *uint256.NewInt(4 + n), Signature: []byte{byte(n)},
		CallData: contracts.Execute(contracts.Deployed().SessionKeyManager, uint256.Int{}, contracts.SetMerkleRoot(root)),
	}
}

// hashOf is the userOpHash of an operation on the test chain.
func hashOf(op *userop.Operation) common.Hash {
	return op.Hash(contracts.Deployed().EntryPoint, testRef.ChainID)
}

// begin begins a change with the n-th operation.
func begin(t *testing.T, change *session.RootChange, n uint64) *userop.Operation {
	t.Helper()
	op := carrying(change.Root(), n)
	require.NoError(t, change.Begin(t.Context(), op, hashOf(op)))
	return op
}

// opOf is the hash of the operation that the sessions' change waits for.
func opOf(sess *session.Sessions) common.Hash { return sess.Pending().OpHash }

// sent is an operation whose fate is given.
type sent struct {
	hash common.Hash
	err  error
}

func (s sent) Hash() common.Hash { return s.hash }

func (s sent) Wait(context.Context, ...userop.WaitOption) (*userop.Receipt, error) {
	if s.err != nil {
		return nil, s.err
	}
	return &userop.Receipt{UserOpHash: s.hash, Success: true}, nil
}

func policyOf(id string) policy.Policy { return session.Named(id, rawPolicy(id)) }

func rawPolicy(id string) policy.Raw {
	return policy.Raw{
		Key: keyAddress(testKey), Module: common.HexToAddress("0x2222222222222222222222222222222222222222"),
		Data: []byte(id), Window: policy.Forever(),
	}
}

// opened are sessions over a fresh store with a chain.
func opened(t *testing.T, chain session.Chain) (*session.Sessions, *memstore.Store) {
	t.Helper()
	store := memstore.New()
	_, err := store.ImportKey(t.Context(), testRef, testKey)
	require.NoError(t, err)
	sess, err := session.OpenOrNew(t.Context(), store, testRef, session.WithChain(chain))
	require.NoError(t, err)
	return sess, store
}

// begun grants policies up to the point where the operation would be sent.
func begun(t *testing.T, sess *session.Sessions, n uint64, ids ...string) *session.RootChange {
	t.Helper()
	policies := make([]policy.Policy, len(ids))
	for i, id := range ids {
		policies[i] = policyOf(id)
	}
	change, err := sess.PlanGrant(policy.Modules{}, policies...)
	require.NoError(t, err)
	require.Equal(t, ids, change.IDs())
	added := change.Added()
	require.Len(t, added, len(ids))
	for i := range added {
		require.Equal(t, ids[i], added[i].ID)
		added[i].Data[0]++ // a copy
	}
	begin(t, change, n)
	return change
}

func statuses(sess *session.Sessions) map[string]session.Status {
	all := make(map[string]session.Status)
	for _, leaf := range sess.Leaves() {
		all[leaf.ID] = leaf.Status
	}
	return all
}

func trySign(t *testing.T, sess *session.Sessions, id string) error {
	t.Helper()
	signer, err := session.NewSigner(policy.Modules{}, sess.ByID(id))
	if err != nil {
		return err
	}
	_, err = signer.Sign(t.Context(), &userop.Operation{Sender: testRef.Account}, common.Hash{1})
	return err
}

func TestFault03LeavesAreActiveOnlyOnceTheChainShowsThem(t *testing.T) {
	chain := &ledger{}
	sess, store := opened(t, chain)
	change := begun(t, sess, 1, "a", "b")
	require.Equal(t, map[string]session.Status{"a": session.StatusPending, "b": session.StatusPending}, statuses(sess))
	require.Zero(t, sess.Root(), "the store believes in the old root still")
	require.ErrorIs(t, trySign(t, sess, "a"), session.ErrPending)

	chain.root = change.Root()
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))
	require.Equal(t, map[string]session.Status{"a": session.StatusActive, "b": session.StatusActive}, statuses(sess))
	require.Equal(t, change.Root(), sess.Root())
	require.Nil(t, sess.Pending())
	require.NoError(t, trySign(t, sess, "a"))

	again, err := session.Open(t.Context(), store, testRef, session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, trySign(t, again, "b"))
}

func TestActivateRollsBackWhatReverted(t *testing.T) {
	chain := &ledger{next: 5}
	sess, _ := opened(t, chain)
	begun(t, sess, 1, "a")
	reverted := &userop.RevertError{Receipt: &userop.Receipt{Reason: "out of gas"}}
	require.ErrorIs(t, activate(t.Context(), sess, sent{hash: opOf(sess), err: reverted}), reverted)
	require.NotNil(t, sess.Pending(), "its nonce is not used: that it reverted is a claim")

	chain.next = 6
	err := activate(t.Context(), sess, sent{hash: opOf(sess), err: reverted})
	require.ErrorIs(t, err, reverted)
	require.Empty(t, sess.Leaves())
	require.Nil(t, sess.Pending())
	begun(t, sess, 2, "a") // and the same can be granted again
}

func TestActivateTellsWhatBecameOfAnOperationThatAnotherProcessSettled(t *testing.T) {
	chain := &ledger{next: 6}
	sess, store := opened(t, chain)
	begun(t, sess, 1, "a")
	first := opOf(sess)
	other, err := session.OpenOrNew(t.Context(), store, testRef, session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, other.Reconcile(t.Context()), "which undoes it: its nonce is used")
	reverted := &userop.RevertError{Receipt: &userop.Receipt{Reason: "out of gas"}}
	require.ErrorIs(t, activate(t.Context(), sess, sent{hash: first, err: reverted}), reverted)
	require.Empty(t, sess.Leaves())

	change := begun(t, sess, 2, "a")
	second := opOf(sess)
	chain.root = change.Root()
	require.NoError(t, other.Reconcile(t.Context()))
	require.NoError(t, activate(t.Context(), sess, sent{hash: second}))
	require.Equal(t, map[string]session.Status{"a": session.StatusActive}, statuses(sess))
}

func TestAPolicyThatIsNotThereIsNotGranted(t *testing.T) {
	sess, _ := opened(t, &ledger{})
	_, err := sess.PlanGrant(policy.Modules{}, nil)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.EqualError(t, err, "policy 0: invalid input: it is nil")
}

func TestActivateLeavesPendingWhatIsUnknown(t *testing.T) {
	other := common.Hash{0xee}
	tests := []struct {
		name string
		op   func(begun common.Hash) sent
		root func(session.RootChange) common.Hash
		is   error
	}{
		{name: "the wait ended", op: func(begun common.Hash) sent { return sent{begun, &userop.WaitError{Err: context.DeadlineExceeded}} }, is: context.DeadlineExceeded},
		{name: "another operation", op: func(common.Hash) sent { return sent{hash: common.Hash{2}} }, is: session.ErrPending},
		{name: "another root on chain", op: func(begun common.Hash) sent { return sent{hash: begun} }, root: func(session.RootChange) common.Hash { return other }, is: session.ErrRootMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chain := &ledger{}
			sess, _ := opened(t, chain)
			change := begun(t, sess, 1, "a")
			if tt.root != nil {
				chain.root = tt.root(*change)
			}
			require.ErrorIs(t, activate(t.Context(), sess, tt.op(opOf(sess))), tt.is)
			require.NotNil(t, sess.Pending())
			require.Equal(t, map[string]session.Status{"a": session.StatusPending}, statuses(sess))
		})
	}
}

func TestActivateWaitsForANodeThatLagsBehind(t *testing.T) {
	chain := &ledger{}
	sess, _ := opened(t, chain)
	begun(t, sess, 1, "a")
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	err := activate(ctx, sess, sent{hash: opOf(sess)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "the operation landed, but the node does not show root")
}

func TestReconcile(t *testing.T) {
	tests := []struct {
		name    string
		chain   func(l *ledger, pending common.Hash)
		is      error
		text    string
		want    map[string]session.Status
		settled bool
	}{
		{name: "it landed", chain: func(l *ledger, pending common.Hash) { l.root, l.next = pending, 6 },
			want: map[string]session.Status{"a": session.StatusActive}, settled: true},
		{name: "it failed: its nonce is used and the root is not there", chain: func(l *ledger, _ common.Hash) { l.next = 6 },
			want: map[string]session.Status{}, settled: true},
		{name: "it may still land", chain: func(l *ledger, _ common.Hash) { l.next = 5 },
			is: session.ErrPending, text: " has not landed yet, and may; wait for it; have account.Account's Reconcile send it again, or have the owner replace or cancel it (account.OwnedAccount), which takes its nonce 0x5, and Reconcile",
			want: map[string]session.Status{"a": session.StatusPending}},
		{name: "it lands after the store was read", chain: func(l *ledger, pending common.Hash) {
			l.onNonce = func(l *ledger) { l.root, l.next = pending, 6 }
		}, want: map[string]session.Status{"a": session.StatusActive}, settled: true},
		{name: "someone else's root", chain: func(l *ledger, _ common.Hash) { l.root, l.next = common.Hash{9}, 6 },
			is: session.ErrRootMismatch, text: "the chain has 0x0900000000000000000000000000000000000000000000000000000000000000, the store has 0x0000000000000000000000000000000000000000000000000000000000000000: another service changed the account's sessions, or the chain went back by more than one change; Adopt that service's document, or set another root with account.ReplaceRoot",
			want: map[string]session.Status{"a": session.StatusPending}},
		{name: "the node is out of reach", chain: func(l *ledger, _ common.Hash) { l.err = errors.New("connection refused") },
			text: "reconcile account 0x1111111111111111111111111111111111111111 on chain 80002: connection refused",
			want: map[string]session.Status{"a": session.StatusPending}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chain := &ledger{}
			sess, store := opened(t, chain)
			change := begun(t, sess, 1, "a")

			// The process dies here; the next one opens the store.
			restarted, err := session.OpenOrNew(t.Context(), store, testRef)
			require.NoError(t, err)
			tt.chain(chain, change.Root())
			restarted = restarted.On(chain)
			err = restarted.Reconcile(t.Context())
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			}
			if tt.text != "" {
				require.ErrorContains(t, err, tt.text)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tt.want, statuses(restarted))
			require.Equal(t, tt.settled, restarted.Pending() == nil)
			if tt.settled {
				require.NoError(t, restarted.Reconcile(t.Context()), "reconciling twice changes nothing")
			}
		})
	}
}

// TestUndoingLeavesAChangeThatWasBegunAnewAlone has another process give the first operation up and send the
// same change again while this one learns that the first has failed.
func TestUndoingLeavesAChangeThatWasBegunAnewAlone(t *testing.T) {
	chain := &ledger{next: 5}
	sess, store := opened(t, chain)
	begun(t, sess, 1, "a")
	other, err := session.OpenOrNew(t.Context(), store, testRef, session.WithChain(chain))
	require.NoError(t, err)
	chain.onNonce = func(l *ledger) {
		l.onNonce, l.next = nil, 6
		require.NoError(t, other.Reconcile(t.Context()), "it has failed")
		begun(t, other, 2, "a")
	}
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Equal(t, hashOf(carrying(sess.Pending().Root, 2)), opOf(sess))
	require.Equal(t, map[string]session.Status{"a": session.StatusPending}, statuses(sess))

	chain.root = sess.Pending().Root
	require.NoError(t, sess.Reconcile(t.Context()))
	require.NoError(t, trySign(t, sess, "a"))
}

// granted are sessions whose grants landed.
func granted(t *testing.T, chain *ledger, ids ...string) (*session.Sessions, *memstore.Store) {
	t.Helper()
	sess, store := opened(t, chain)
	change := begun(t, sess, 1, ids...)
	chain.root, chain.next = change.Root(), 6
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))
	return sess, store
}

func TestFault01RevokingTakesTheLeafOutOfTheTree(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a", "b", "c", "d")
	oldRoot, leaves := sess.Root(), sess.Leaves()
	change, err := sess.PlanRevoke("b", "c", "b")
	require.NoError(t, err)
	require.Equal(t, merkle.New([]common.Hash{leaves[0].Hash(), leaves[3].Hash()}).Root(), change.Root(), "all of the IDs are out")

	begin(t, change, 2)
	require.ErrorIs(t, trySign(t, sess, "b"), session.ErrRevoked, "at once")
	require.NoError(t, trySign(t, sess, "a"), "under the old root")
	require.Equal(t, oldRoot, sess.Root())

	chain.root = change.Root()
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))
	require.NoError(t, trySign(t, sess, "a"))
	require.NoError(t, trySign(t, sess, "d"))
	_, err = sess.Proof(1)
	require.ErrorIs(t, err, session.ErrNoLeaf, "a revoked leaf has no proof")
	_, err = sess.PlanRevoke("b", "c")
	require.ErrorIs(t, err, session.ErrRevoked)
	require.EqualError(t, err, "session is revoked already, on chain too: nothing to revoke for account 0x1111111111111111111111111111111111111111 on chain 80002")
	_, err = sess.PlanRevoke("b", "d")
	require.NoError(t, err)
	for _, i := range []int{0, 3} {
		proof, err := sess.Proof(i)
		require.NoError(t, err)
		require.True(t, merkle.Verify(chain.root, leaves[i].Hash(), proof))
	}
}

func TestARevocationThatFailsStillStopsSigning(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a", "b")
	change, err := sess.PlanRevoke("a")
	require.NoError(t, err)
	begin(t, change, 2)
	require.NoError(t, change.Rollback(t.Context()))
	require.ErrorIs(t, trySign(t, sess, "a"), session.ErrRevoked)
	require.NoError(t, trySign(t, sess, "b"))

	next, err := sess.PlanGrant(policy.Modules{}, policyOf("c"))
	require.NoError(t, err)
	leaves := sess.Leaves()
	added, err := policyOf("c").Compile(policy.Modules{})
	require.NoError(t, err)
	require.Equal(t, merkle.New([]common.Hash{leaves[1].Hash(), added.Hash()}).Root(), next.Root(), "the next root leaves it out")
}

func TestFault02RevokedAndExpiredLeavesDoNotEnterTheNextTree(t *testing.T) {
	chain, now := &ledger{}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	store := memstore.New()
	sess, err := session.OpenOrNew(t.Context(), store, testRef, session.WithChain(chain), session.WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	short := rawPolicy("short")
	short.Window = policy.Until(now.Add(time.Minute))
	change, err := sess.PlanGrant(policy.Modules{}, session.Named("short", short), policyOf("long"))
	require.NoError(t, err)
	begin(t, change, 1)
	chain.root = change.Root()
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))

	now = now.Add(time.Hour)
	require.ErrorIs(t, trySign(t, sess, "short"), session.ErrExpired)
	next, err := sess.PlanGrant(policy.Modules{}, policyOf("new"))
	require.NoError(t, err)
	added, err := policyOf("new").Compile(policy.Modules{})
	require.NoError(t, err)
	require.Equal(t, merkle.New([]common.Hash{sess.Leaves()[1].Hash(), added.Hash()}).Root(), next.Root())
}

func TestRevokeAllSetsTheRootZero(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a", "b")
	change, err := sess.PlanRevokeAll()
	require.NoError(t, err)
	require.Zero(t, change.Root())
	begin(t, change, 2)
	chain.root = common.Hash{}
	require.NoError(t, activate(t.Context(), sess, sent{hash: opOf(sess)}))
	require.Equal(t, map[string]session.Status{"a": session.StatusRevoked, "b": session.StatusRevoked}, statuses(sess))
}

func TestOneChangeAtATime(t *testing.T) {
	sess, _ := opened(t, &ledger{})
	begun(t, sess, 1, "a")
	_, err := sess.PlanGrant(policy.Modules{}, policyOf("b"))
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "waits for operation "+opOf(sess).Hex()+"; call Reconcile to settle it")
}

func TestTwoPlansOnOneVersionConflict(t *testing.T) {
	sess, store := opened(t, &ledger{})
	other, err := session.OpenOrNew(t.Context(), store, testRef)
	require.NoError(t, err)
	mine, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
	require.NoError(t, err)
	theirs, err := other.PlanGrant(policy.Modules{}, policyOf("b"))
	require.NoError(t, err)
	begin(t, mine, 1)
	op := carrying(theirs.Root(), 2)
	require.ErrorIs(t, theirs.Begin(t.Context(), op, hashOf(op)), session.ErrConflict)
	require.NoError(t, sess.Refresh(t.Context()))
	require.Len(t, sess.Leaves(), 1)
}

func TestPlansRefuseBadInput(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "a")
	over := rawPolicy("over")
	over.Window = policy.Until(time.Now().Add(-time.Hour))
	noWindow := rawPolicy("none")
	noWindow.Window = policy.Window{}
	tests := map[string]struct {
		plan func() error
		is   error
	}{
		"no policy":      {func() error { _, err := sess.PlanGrant(policy.Modules{}); return err }, policy.ErrInvalid},
		"taken ID":       {func() error { _, err := sess.PlanGrant(policy.Modules{}, policyOf("a")); return err }, policy.ErrInvalid},
		"ID twice":       {func() error { _, err := sess.PlanGrant(policy.Modules{}, policyOf("x"), policyOf("x")); return err }, policy.ErrInvalid},
		"over already":   {func() error { _, err := sess.PlanGrant(policy.Modules{}, session.Named("over", over)); return err }, policy.ErrInvalid},
		"no window":      {func() error { _, err := sess.PlanGrant(policy.Modules{}, session.Named("none", noWindow)); return err }, policy.ErrInvalid},
		"revoke nobody":  {func() error { _, err := sess.PlanRevoke(); return err }, policy.ErrInvalid},
		"revoke a ghost": {func() error { _, err := sess.PlanRevoke("ghost"); return err }, session.ErrNoLeaf},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, tt.plan(), tt.is) })
	}
}

func TestFault04IDsAre128RandomBitsAndRefsHaveTheirChain(t *testing.T) {
	sess, _ := opened(t, new(ledger))
	policies := make([]policy.Policy, 1000)
	for i := range policies {
		policies[i] = rawPolicy("any")
	}
	change, err := sess.PlanGrant(policy.Modules{}, policies...)
	require.NoError(t, err)
	require.Len(t, change.IDs(), len(policies))
	seen := make(map[string]bool)
	for _, id := range change.IDs() {
		require.Regexp(t, "^[0-9a-f]{32}$", id)
		require.False(t, seen[id])
		seen[id] = true
	}
	_, store := granted(t, &ledger{}, "a")
	elsewhere := testRef
	elsewhere.ChainID = 1
	_, err = session.Open(t.Context(), store, elsewhere)
	require.ErrorIs(t, err, session.ErrNotFound)
	require.ErrorContains(t, err, "no session stored for account 0x1111111111111111111111111111111111111111 on chain 1; grant or import one first")
}

func TestOpenComparesRoots(t *testing.T) {
	chain := &ledger{}
	_, store := granted(t, chain, "a")
	_, err := session.Open(t.Context(), store, testRef, session.WithChain(chain))
	require.NoError(t, err)
	chain.root = common.Hash{7}
	_, err = session.Open(t.Context(), store, testRef, session.WithChain(chain))
	var mismatch *session.RootMismatch
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, common.Hash{7}, *mismatch.Chain)
	require.Equal(t, []string{"a"}, mismatch.Lost)
	_, err = session.Open(t.Context(), store, testRef)
	require.NoError(t, err, "the comparison can be left out")
}

func TestOpenRefusesAStoreThatWasChangedFromOutside(t *testing.T) {
	_, store := granted(t, &ledger{}, "a", "b")
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	state.Leaves[1].Data = []byte("more rights")
	_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: state.Header, Put: state.Leaves})
	require.NoError(t, err)
	_, err = session.Open(t.Context(), store, testRef)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.ErrorContains(t, err, "the store was changed from outside; restore it from a backup, and suspend again what was stopped since")
}

// TestActivateTakesNoBundlersWord has a wait end with an error of whatever kind: the chain alone decides.
func TestActivateTakesNoBundlersWord(t *testing.T) {
	for name, said := range map[string]error{
		"dropped":  errors.New("dropped"),
		"reverted": &userop.RevertError{Receipt: &userop.Receipt{Reason: "out of gas"}},
	} {
		t.Run(name, func(t *testing.T) {
			chain := &ledger{next: 5}
			sess, _ := opened(t, chain)
			change := begun(t, sess, 1, "a")
			require.ErrorIs(t, activate(t.Context(), sess, sent{hash: opOf(sess), err: said}), said)
			require.NotNil(t, sess.Pending(), "the chain shows neither its root nor its nonce")

			chain.root, chain.next = change.Root(), 6
			require.ErrorIs(t, activate(t.Context(), sess, sent{hash: opOf(sess), err: said}), said)
			require.Nil(t, sess.Pending(), "it landed all the same")
			require.NoError(t, trySign(t, sess, "a"))
		})
	}
}

// silent is an operation that says nothing of its end.
type silent struct{ sent }

func (silent) Wait(context.Context, ...userop.WaitOption) (*userop.Receipt, error) { return nil, nil }

// A receipt is there whenever the error is nil, also of a change that another process has settled.
func TestActivateReturnsTheReceipt(t *testing.T) {
	chain := new(ledger)
	sess, store := opened(t, chain)
	chain.root = begun(t, sess, 1, "a").Root()
	op := sent{hash: opOf(sess)}
	receipt, err := sess.Activate(t.Context(), silent{op})
	require.Nil(t, receipt)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.NotNil(t, sess.Pending(), "nothing is known of it")

	other, err := session.Open(t.Context(), store, testRef, session.WithChain(chain))
	require.NoError(t, err)
	require.NoError(t, other.Reconcile(t.Context()))
	receipt, err = sess.Activate(t.Context(), op)
	require.NoError(t, err)
	require.Equal(t, op.hash, receipt.UserOpHash)
}

// activate makes a change final, and sees to it that there is a receipt where there is no error.
func activate(ctx context.Context, sess *session.Sessions, op session.Operation) error {
	receipt, err := sess.Activate(ctx, op)
	if err == nil && (receipt == nil || receipt.UserOpHash != op.Hash()) {
		return errors.New("activated without the operation's receipt")
	}
	return err
}
