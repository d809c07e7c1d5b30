package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
	"github.com/go-sesame/sesame/userop"
)

// forceSign signs without regard to windows and to what the chain shows.
func forceSign(sess *session.Sessions, id string) error {
	signer, err := session.NewSigner(policy.Modules{}, sess.ByID(id))
	if err != nil {
		return err
	}
	_, err = signer.Force().Sign(context.Background(), &userop.Operation{Sender: testRef.Account}, common.Hash{1})
	return err
}

// TestSuspendBesideAPendingChange stops what stands and what is being granted; the grant then lands.
func TestSuspendBesideAPendingChange(t *testing.T) {
	chain := &ledger{}
	sess, store := granted(t, chain, "a", "b")
	change := begun(t, sess, 2, "c", "d")
	pending := sess.Pending()
	other, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)

	chain.err = errors.New("no chain is asked")
	require.NoError(t, sess.Suspend(t.Context(), "a", "c"))
	chain.err = nil
	require.Equal(t, pending, sess.Pending())
	for _, s := range []*session.Sessions{sess, other} {
		require.ErrorIs(t, forceSign(s, "a"), session.ErrRevoked)
		require.ErrorIs(t, forceSign(s, "c"), session.ErrRevoked)
		require.NoError(t, forceSign(s, "d"))
	}
	chain.root, chain.next = change.Root(), 7
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Equal(t, map[string]session.Status{
		"a": session.StatusRevoked, "b": session.StatusActive, "c": session.StatusRevoked, "d": session.StatusActive,
	}, statuses(sess))
	for _, leaf := range sess.Leaves() {
		require.True(t, leaf.InTree, leaf.ID)
		require.Equal(t, leaf.ID == "a" || leaf.ID == "c", leaf.Standing())
	}
	require.ErrorIs(t, forceSign(sess, "c"), session.ErrRevoked)
	require.NoError(t, trySign(t, sess, "d"))

	revoke, err := sess.PlanRevoke("a", "c")
	require.NoError(t, err, "what is stopped here is still to be revoked there")
	begin(t, revoke, 3)
	chain.root = revoke.Root()
	require.NoError(t, sess.Reconcile(t.Context()))
	require.NoError(t, trySign(t, sess, "b"))
	_, err = sess.PlanRevoke("a", "c")
	require.ErrorIs(t, err, session.ErrRevoked)
}

func TestASuspendedGrantThatFailsStaysATombstone(t *testing.T) {
	chain := &ledger{next: 5}
	sess, _ := opened(t, chain)
	begun(t, sess, 1, "a", "b")
	require.NoError(t, sess.Suspend(t.Context(), "a"))
	chain.next = 6
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Equal(t, map[string]session.Status{"a": session.StatusRevoked}, statuses(sess))
	_, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
	require.ErrorContains(t, err, `session ID "a" is taken`)
}

func TestSuspendSaysWhatItCannot(t *testing.T) {
	sess, store := granted(t, &ledger{}, "a", "b")
	require.ErrorIs(t, sess.Suspend(t.Context()), policy.ErrInvalid)
	err := sess.Suspend(t.Context(), "a", "x", "y")
	require.ErrorIs(t, err, session.ErrNoLeaf)
	require.EqualError(t, err, `no such session leaf: cannot suspend "x", "y" of `+testRef.String()+`, which has "a", "b"; the others are suspended`)
	require.ErrorIs(t, forceSign(sess, "a"), session.ErrRevoked, "the others are suspended all the same")
	version, err := store.Version(t.Context(), testRef)
	require.NoError(t, err)
	require.NoError(t, sess.Suspend(t.Context(), "a"), "it is already")
	again, err := store.Version(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, version, again)

	empty, _ := opened(t, &ledger{})
	require.NoError(t, empty.SuspendAll(t.Context()), "there is nothing to stop")
	require.ErrorIs(t, empty.Suspend(t.Context(), "a"), session.ErrNotFound)
}

// TestSuspendInAStoreThatDoesNotFitItsLeaves stops a key where nothing else can be done.
func TestSuspendInAStoreThatDoesNotFitItsLeaves(t *testing.T) {
	sess, store := granted(t, &ledger{}, "a", "b")
	state, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	state.Leaves[1].Data = []byte("more rights")
	_, err = store.Apply(t.Context(), testRef, state.Version, &session.Change{Header: state.Header, Put: state.Leaves})
	require.NoError(t, err)
	require.NoError(t, sess.Suspend(t.Context(), "b"))
	state, err = store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, session.StatusRevoked, state.Leaves[1].Status)
	require.ErrorIs(t, trySign(t, sess, "b"), session.ErrRootMismatch)

	_, err = session.Open(t.Context(), store, testRef)
	require.ErrorIs(t, err, session.ErrRootMismatch)
	require.NoError(t, session.Suspend(t.Context(), store, testRef, "a"), "nor is it to be opened for that")
	state, err = store.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, session.StatusRevoked, state.Leaves[0].Status)
	require.ErrorIs(t, session.Suspend(t.Context(), store, testRef), policy.ErrInvalid)
	require.ErrorIs(t, session.Suspend(t.Context(), nil, testRef, "a"), policy.ErrInvalid)
	require.ErrorIs(t, session.Suspend(t.Context(), memstore.New(), testRef, "a"), session.ErrNotFound)
}

func TestARevokedLeafSaysWhetherItStands(t *testing.T) {
	chain := &ledger{}
	sess, store := granted(t, chain, "a", "b")
	require.NoError(t, sess.Suspend(t.Context(), "a"))
	const does = "may do what module 0x2222222222222222222222222222222222222222 makes of 1 bytes of data, for ever"
	described := func(i int) string {
		leaf := sess.Leaves()[i]
		return leaf.Describe(policy.Modules{})
	}
	require.Equal(t, "revoked here; it still stands on chain until its owner's revocation lands: "+does, described(0))
	require.Equal(t, does, described(1))
	require.EqualError(t, trySign(t, sess, "a"), "session is revoked: session a of "+testRef.String()+"; it still stands on chain until its owner's revocation lands")
	page, err := store.List(t.Context(), session.Query{Standing: true})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Equal(t, "a", page.Items[0].Leaf.ID)

	revoke, err := sess.PlanRevoke("a")
	require.NoError(t, err)
	begin(t, revoke, 2)
	chain.root = revoke.Root()
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Equal(t, "revoked; it does not stand on chain: "+does, described(0))
	require.EqualError(t, trySign(t, sess, "a"), "session is revoked: session a of "+testRef.String()+"; it does not stand on chain")
	page, err = store.List(t.Context(), session.Query{Standing: true})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}

// TestBeginComparesTheOperation has one begin with operations that do not carry the change out.
func TestBeginComparesTheOperation(t *testing.T) {
	manager, root := contracts.Deployed().SessionKeyManager, common.Hash{}
	call := func(to common.Address, data []byte) abi.Call { return abi.Call{To: to, Data: data} }
	batch := func(calls ...abi.Call) func(op *userop.Operation) {
		return func(op *userop.Operation) { op.CallData = contracts.ExecuteBatch(calls) }
	}
	for name, test := range map[string]struct {
		change func(op *userop.Operation)
		want   string // empty for an operation that is right
	}{
		"one call":   {func(*userop.Operation) {}, ""},
		"deployment": {func(op *userop.Operation) { op.InitCode = []byte{1, 2, 3} }, ""},
		"with a module": {func(op *userop.Operation) {
			batch(call(testRef.Account, contracts.EnableModule(manager)), call(manager, contracts.SetMerkleRoot(root)))(op)
		}, ""},
		"twice the same": {func(op *userop.Operation) {
			batch(call(manager, contracts.SetMerkleRoot(root)), call(manager, contracts.SetMerkleRoot(root)))(op)
		}, ""},
		"long name":       {func(op *userop.Operation) { copy(op.CallData, []byte{0xb6, 0x1d, 0x27, 0xf6}) }, ""},
		"another account": {func(op *userop.Operation) { op.Sender[0]++ }, "does not set the session root of"},
		"another root":    {batch(call(manager, contracts.SetMerkleRoot(common.Hash{7}))), "sets the session root 0x0700000000000000000000000000000000000000000000000000000000000000, the change is to"},
		"another root last": {func(op *userop.Operation) {
			batch(call(manager, contracts.SetMerkleRoot(root)), call(manager, contracts.SetMerkleRoot(common.Hash{7})))(op)
		}, "call 1 of operation"},
		"without a module": {func(op *userop.Operation) {
			batch(call(testRef.Account, contracts.DisableModule(contracts.SentinelModule, manager)), call(manager, contracts.SetMerkleRoot(root)), call(testRef.Account, nil))(op)
		}, ""},
		"another root through itself": {func(op *userop.Operation) {
			viaModule, err := abi.MustParseFunction("function execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation)").Pack(manager, uint64(0), contracts.SetMerkleRoot(common.Hash{7}), uint64(0))
			require.NoError(t, err)
			batch(call(manager, contracts.SetMerkleRoot(root)), call(testRef.Account, contracts.EnableModule(testRef.Account)), call(testRef.Account, viaModule))(op)
		}, "calls the account itself with"},
		"two roots": {func(op *userop.Operation) {
			batch(call(manager, contracts.SetMerkleRoot(common.Hash{7})), call(manager, contracts.SetMerkleRoot(root)))(op)
		}, "call 0 of operation"},
		"a cut root":      {func(op *userop.Operation) { batch(call(manager, contracts.SetMerkleRoot(root)[:35]))(op) }, "call 0 of operation"},
		"no root":         {batch(call(manager, nil)), "does not call setMerkleRoot of session key manager"},
		"another manager": {func(op *userop.Operation) { batch(call(common.Address{9}, contracts.SetMerkleRoot(root)))(op) }, "does not call setMerkleRoot of session key manager"},
		"no calls":        {func(op *userop.Operation) { op.CallData = nil }, "not a call of execute or executeBatch"},
	} {
		t.Run(name, func(t *testing.T) {
			sess, store := opened(t, &ledger{})
			change, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
			require.NoError(t, err)
			root = change.Root()
			op := carrying(root, 1)
			test.change(op)
			err = change.Begin(t.Context(), op, hashOf(op))
			if test.want == "" {
				require.NoError(t, err)
				require.Equal(t, op, sess.Pending().Operation)
				return
			}
			require.ErrorIs(t, err, policy.ErrInvalid)
			require.ErrorContains(t, err, test.want)
			version, err := store.Version(t.Context(), testRef)
			require.NoError(t, err)
			require.Zero(t, version, "nothing is stored")
		})
	}
	sess, _ := opened(t, &ledger{})
	change, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
	require.NoError(t, err)
	op := carrying(change.Root(), 1)
	require.ErrorIs(t, change.Begin(t.Context(), op, common.Hash{1}), policy.ErrInvalid)
	require.ErrorIs(t, change.Begin(t.Context(), nil, common.Hash{1}), policy.ErrInvalid)
	elsewhere := op.Hash(contracts.Deployed().EntryPoint, testRef.ChainID+1)
	require.ErrorContains(t, change.Begin(t.Context(), op, elsewhere), "the operation is not "+elsewhere.Hex()+" but "+hashOf(op).Hex())
}

// TestBeginKnowsTheContractsOfItsChain has one begin without a chain to ask.
func TestBeginKnowsTheContractsOfItsChain(t *testing.T) {
	ref := session.Ref{ChainID: 88888, Account: testRef.Account}
	sess, err := session.OpenOrNew(t.Context(), memstore.New(), ref)
	require.NoError(t, err)
	change, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
	require.NoError(t, err)
	op := carrying(change.Root(), 1)
	err = change.Begin(t.Context(), op, op.Hash(contracts.Deployed().EntryPoint, ref.ChainID))
	require.ErrorContains(t, err, "at EntryPoint 0x00000061FEfce24A79343c27127435286BB7A4E1 on chain 88888; for contracts of your own give the sessions their chain, with WithChain or On")
	require.NoError(t, change.Begin(t.Context(), op, op.Hash(contracts.DeployedOn(ref.ChainID).EntryPoint, ref.ChainID)))
}

// TestACarriedChangeEndsWithTheLastOfItsOperations has one that took the place of another end before it.
func TestACarriedChangeEndsWithTheLastOfItsOperations(t *testing.T) {
	const until = 1_700_000_000
	for name, test := range map[string]struct{ first, second, want uint64 }{
		"the later one lasts longer":   {until, until + 5, until + 5},
		"the earlier one lasts longer": {until, until - 5, until},
		"the earlier one has no end":   {0, until, 0},
		"the later one has no end":     {until, 0, 0},
	} {
		sess, _ := opened(t, &ledger{next: 5, time: until})
		change, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
		require.NoError(t, err)
		lasting := func(until uint64, fee uint64) *userop.Operation {
			op := carrying(change.Root(), 5)
			op.MaxFeePerGas.SetUint64(fee)
			if until != 0 {
				sponsored := contracts.VerifyingPaymasterData{Paymaster: contracts.Deployed().VerifyingPaymaster, ValidUntil: until, Signature: make([]byte, 65)}
				op.PaymasterAndData = sponsored.Pack()
			}
			return op
		}
		first, second := lasting(test.first, 1), lasting(test.second, 2)
		require.NoError(t, change.Begin(t.Context(), first, hashOf(first)))
		require.NoError(t, sess.CarryBy(t.Context(), second, hashOf(second)), name)
		require.Equal(t, hashOf(second), sess.Pending().OpHash, name)
		require.Equal(t, test.want, sess.Pending().Until, name)
	}
}

// TestAWindowThatIsOverEndsAChange has the operation's end pass by the time of a block, and not by any clock.
func TestAWindowThatIsOverEndsAChange(t *testing.T) {
	const until = 1_700_000_000 // long ago
	chain := &ledger{next: 5, time: until}
	sess, _ := opened(t, chain)
	change, err := sess.PlanGrant(policy.Modules{}, policyOf("a"))
	require.NoError(t, err)
	op := carrying(change.Root(), 1)
	sponsored := contracts.VerifyingPaymasterData{Paymaster: contracts.Deployed().VerifyingPaymaster, ValidUntil: until, Signature: make([]byte, 65)}
	op.PaymasterAndData = sponsored.Pack()
	require.NoError(t, change.Begin(t.Context(), op, hashOf(op)))
	require.EqualValues(t, until, sess.Pending().Until)

	err = sess.Reconcile(t.Context())
	require.ErrorIs(t, err, session.ErrPending)
	require.ErrorContains(t, err, "it cannot any more in a block later than 2023-11-14T22:13:20Z")
	require.ErrorIs(t, activate(t.Context(), sess, sent{opOf(sess), &userop.WaitError{Err: context.DeadlineExceeded}}), context.DeadlineExceeded)
	require.NotNil(t, sess.Pending())

	chain.time++
	require.NoError(t, sess.Reconcile(t.Context()))
	require.Nil(t, sess.Pending())
	require.Empty(t, sess.Leaves())
}

// TestTombstonesStay makes random sequences of everything that changes sessions, in two stores that hand
// documents to each other, and requires that what was revoked in a store never signs again there.
func TestTombstonesStay(t *testing.T) {
	stores := map[string]func(t *testing.T) session.Store{
		"memory": func(*testing.T) session.Store { return memstore.New() },
		"SDK": func(t *testing.T) session.Store {
			store, err := tsstore.OpenPlaintext(t.TempDir(), testRef.ChainID)
			require.NoError(t, err)
			return store
		},
	}
	for name, open := range stores {
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				w := &graveyard{t: t, random: rand.New(rand.NewPCG(seed, 7)), chain: &ledger{next: 5, time: uint64(time.Now().Unix())}}
				w.backends = []*backend{w.backend(memstore.New()), w.backend(open(t))}
				for range 120 {
					w.step(w.backends[w.random.IntN(2)])
				}
				require.NotZero(t, len(w.backends[0].dead)+len(w.backends[1].dead))
			})
		}
	}
}

// graveyard is one account, its chain, and two backends of it.
type graveyard struct {
	t        *testing.T
	random   *rand.Rand
	chain    *ledger
	backends []*backend
	n        uint64
}

type backend struct {
	sess, replica *session.Sessions
	keys          session.Keyring
	change        *session.RootChange // begun last
	documents     []*session.Document
	dead          map[string]bool
}

func (w *graveyard) backend(store session.Store) *backend {
	keys := memstore.New()
	_, err := keys.ImportKey(w.t.Context(), testRef, testKey)
	require.NoError(w.t, err)
	b := &backend{keys: keys, dead: make(map[string]bool)}
	for _, sess := range []**session.Sessions{&b.sess, &b.replica} {
		*sess, err = session.OpenOrNew(w.t.Context(), store, testRef, session.WithKeyring(keys))
		require.NoError(w.t, err)
		*sess = (*sess).On(w.chain)
	}
	return b
}

// step does something to a backend; that it is refused is fine.
func (w *graveyard) step(b *backend) {
	ctx := w.t.Context()
	if w.random.IntN(2) == 0 {
		b.sess, b.replica = b.replica, b.sess
	}
	ids := func() (ids []string) {
		for _, leaf := range b.sess.Leaves() {
			if w.random.IntN(3) == 0 {
				ids = append(ids, leaf.ID)
			}
		}
		return ids
	}
	switch w.random.IntN(12) {
	case 0, 1:
		w.begin(b, func() (*session.RootChange, error) {
			return b.sess.PlanGrant(policy.Modules{}, policyOf(fmt.Sprint("s", w.random.IntN(30))))
		})
	case 2:
		w.begin(b, func() (*session.RootChange, error) { return b.sess.PlanRevoke(ids()...) })
	case 3:
		if w.random.IntN(4) == 0 {
			w.begin(b, b.sess.PlanRevokeAll)
		}
	case 4:
		w.begin(b, func() (*session.RootChange, error) { return b.sess.PlanRestore(ids()...) })
	case 5:
		_ = b.sess.Suspend(ctx, ids()...)
	case 6, 7:
		w.happen(b)
	case 8:
		_ = b.sess.Reconcile(ctx)
	case 9:
		if b.change != nil {
			_ = b.change.Rollback(ctx)
		}
	case 10:
		if d, err := b.sess.Export(); err == nil {
			b.documents = append(b.documents, d)
		}
	case 11:
		from := w.backends[w.random.IntN(2)]
		if len(from.documents) > 0 {
			_ = b.sess.Adopt(ctx, from.documents[w.random.IntN(len(from.documents))])
		}
	}
	w.check(b)
}

// begin refreshes the sessions now and then, so that some plans are made on an old version.
func (w *graveyard) begin(b *backend, plan func() (*session.RootChange, error)) {
	if w.random.IntN(4) > 0 {
		_ = b.sess.Refresh(w.t.Context())
	}
	change, err := plan()
	if err != nil {
		return
	}
	w.n++
	op := carrying(change.Root(), w.n)
	op.Nonce = *uint256.NewInt(w.chain.next)
	if change.Begin(w.t.Context(), op, hashOf(op)) == nil {
		b.change = change
	}
}

// happen has the pending operation land, fail, or be said to have failed.
func (w *graveyard) happen(b *backend) {
	pending := b.sess.Pending()
	if pending == nil {
		return
	}
	var said error
	if w.random.IntN(2) == 0 {
		said = &userop.RevertError{Receipt: &userop.Receipt{}}
	}
	switch usable := pending.Nonce.Uint64() == w.chain.next; {
	case usable && w.random.IntN(3) > 0:
		w.chain.root, w.chain.next = pending.Root, w.chain.next+1
	case usable:
		w.chain.next++
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Millisecond)
	defer cancel()
	_, _ = b.sess.Activate(ctx, sent{pending.OpHash, said})
}

// check compares with what was dead before.
func (w *graveyard) check(b *backend) {
	for _, sess := range []*session.Sessions{b.sess, b.replica} {
		if err := sess.Refresh(w.t.Context()); err != nil {
			require.ErrorIs(w.t, err, session.ErrNotFound)
		}
		for _, leaf := range sess.Leaves() {
			if leaf.Status == session.StatusRevoked {
				b.dead[leaf.ID] = true
			}
		}
	}
	for id := range b.dead {
		require.ErrorIs(w.t, trySign(w.t, b.sess, id), session.ErrRevoked, id)
		require.ErrorIs(w.t, forceSign(b.replica, id), session.ErrRevoked, id)
	}
}
