package account_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// heldBack notes which operations were held back for a stop.
type heldBack struct {
	mu     sync.Mutex
	hashes map[common.Hash]bool
}

func (h *heldBack) moment(_ context.Context, e userop.Event) {
	if e.What == userop.MomentStopped && errors.Is(e.Err, session.ErrStopped) {
		h.mu.Lock()
		h.hashes[e.Hash] = true
		h.mu.Unlock()
	}
}

// take has the operations, and forgets them.
func (h *heldBack) take() map[common.Hash]bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	hashes := h.hashes
	h.hashes = make(map[common.Hash]bool)
	return hashes
}

// run has the client run, until it is stopped.
func (w *world) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.client.Run(ctx) }()
	return func() {
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	}
}

// lost has nothing be accepted, as it seems, and gone all the same.
func lost(context.Context, *userop.Operation, func() (common.Hash, error)) (common.Hash, error) {
	return common.Hash{}, errors.New("the connection is gone")
}

func (w *world) stop(t *testing.T, stop session.Stop) {
	t.Helper()
	stop.Name, stop.Who, stop.Why = "x", "alice", "a test"
	_, err := w.store.Stop(t.Context(), stop)
	require.NoError(t, err)
}

// TestWhatIsStoppedIsNotSentAgain has sends of a session, of the owner and of a grant be signed, and lost on
// their way, before the switch is thrown for each thing that it can be about: nobody hands them out until it
// is lifted.
func TestWhatIsStoppedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	held := &heldBack{hashes: make(map[common.Hash]bool)}
	w, door := onceWorld(t, func(c *account.Config) { c.Lease, c.Hooks.Moment = 500*time.Millisecond, held.moment })
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	call := []account.Call{w.mint(t, w.owner.Address())}
	sends := map[string]func() (*userop.Pending, error){
		"use": func() (*userop.Pending, error) { return w.sendOnce(t, sess, "use") },
		"send": func() (*userop.Pending, error) {
			return w.owner.Send(t.Context(), call, account.Sponsored(), account.Once("send"))
		},
		"grant": func() (*userop.Pending, error) {
			_, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{session.Named("more", w.nftPolicy())}, account.Sponsored(), account.Once("grant"))
			return tx, err
		},
	}
	all := []string{"use", "send", "grant"}
	door.set(lost)
	for _, key := range all {
		_, err := sends[key]()
		require.True(t, userop.MayBeAccepted(err), "%v", err)
	}
	door.set(nil)
	before, owner := len(door.handed()), account.KeyOwner(w.ownerKey).Address()
	for name, test := range map[string]struct {
		stop session.Stop
		held []string
	}{
		"everything":  {session.Stop{}, all},
		"the account": {session.Stop{Ref: w.user.Ref()}, all},
		"the session": {session.Stop{Key: w.key}, all[:1]},
		"the owner":   {session.Stop{Ref: w.user.Ref(), Key: owner}, all[1:]},
	} {
		w.stop(t, test.stop)
		for _, key := range test.held {
			tx, err := sends[key]()
			require.NoError(t, err, name)
			require.Equal(t, w.entry(t, key).Latest().Hash, tx.Hash(), name)
		}
		if test.held[0] == "use" {
			_, err := w.user.Resend(t.Context(), sess, w.entry(t, "use").Latest().Operation)
			require.ErrorIs(t, err, session.ErrStopped, name)
		}
		require.Len(t, door.handed(), before, name)
		require.NoError(t, w.store.Lift(t.Context(), "x"))
	}

	w.stop(t, session.Stop{})
	w.restart(t)
	held.take()
	stop := w.run(t)
	waiting := make(map[common.Hash]bool)
	for _, key := range all {
		waiting[w.entry(t, key).Latest().Hash] = true
	}
	require.Eventually(t, func() bool {
		for hash := range held.take() {
			delete(waiting, hash)
		}
		return len(waiting) == 0
	}, 30*time.Second, 10*time.Millisecond)
	stop()
	require.Len(t, door.handed(), before)
	require.NoError(t, w.store.Lift(t.Context(), "x"))
	w.restart(t)
	stop = w.run(t)
	require.Eventually(t, func() bool {
		for _, key := range all {
			if !w.entry(t, key).State.Included() {
				return false
			}
		}
		return true
	}, 60*time.Second, 10*time.Millisecond)
	stop()
	require.Equal(t, uint64(2), w.nfts(t))
}

// TestAStoppedGrantIsNotSentAgain by who finishes what a crash left, or submits it once more.
func TestAStoppedGrantIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	door := &gate{Bundler: w.config.Bundler}
	w.config.Bundler = door
	w.restart(t)
	prepared, err := w.elsewhere(t).PrepareGrant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.NoError(t, err)
	signature := w.sign(t, prepared)
	door.set(lost)
	_, err = w.client.Submit(t.Context(), w.store, prepared, signature)
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	door.set(nil)
	before := len(door.handed())
	w.stop(t, session.Stop{Ref: w.user.Ref()})
	_, err = w.client.Submit(t.Context(), w.store, prepared, signature)
	require.ErrorIs(t, err, session.ErrStopped)
	require.ErrorIs(t, w.user.Reconcile(t.Context(), w.store), session.ErrStopped)
	require.Len(t, door.handed(), before)
	require.NoError(t, w.store.Lift(t.Context(), "x"))
	require.NoError(t, w.user.Reconcile(t.Context(), w.store))
}

// TestNothingStopsARevocation has one be lost, be sent again, and be replaced while everything is stopped.
func TestNothingStopsARevocation(t *testing.T) {
	t.Parallel()
	for name, onceMore := range map[string]func(t *testing.T, w *world, tx *userop.Pending) error{
		"sent again": func(t *testing.T, w *world, _ *userop.Pending) error {
			defer w.run(t)()
			require.Eventually(t, func() bool { return w.entry(t, "revoke").State.Included() }, 60*time.Second, 10*time.Millisecond)
			return nil
		},
		"replaced": func(t *testing.T, w *world, tx *userop.Pending) error {
			tx, err := w.owner.Replace(t.Context(), tx)
			if err == nil {
				_, err = tx.Wait(t.Context())
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, door := onceWorld(t, func(c *account.Config) { c.Lease = 500 * time.Millisecond })
			sess := w.grant(t, []policy.Policy{w.nftPolicy()})
			door.set(func(_ context.Context, op *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
				return op.Hash(w.client.Contracts().EntryPoint, w.chain.ChainID()), nil // and lost
			})
			tx, err := w.owner.RevokeAll(t.Context(), sess, account.Sponsored(), account.Once("revoke"))
			require.NoError(t, err)
			door.set(nil)
			w.stop(t, session.Stop{})
			w.restart(t)
			require.NoError(t, onceMore(t, w, tx))
			require.NoError(t, w.user.Reconcile(t.Context(), w.store))
			state, err := w.user.State(t.Context())
			require.NoError(t, err)
			require.Zero(t, state.SessionRoot)
		})
	}
}

// TestSubmitTogetherUnderBudgetsAndStops sends nothing where one chain's operation is over a budget, or
// stopped, and counts what it sends once.
func TestSubmitTogetherUnderBudgetsAndStops(t *testing.T) {
	t.Parallel()
	var worlds []*world
	var clients []*account.Client
	key := accounttest.Key("joint owner")
	owner := account.OwnerAddress(crypto.PubkeyToAddress(key.PublicKey))
	for i, id := range []uint64{137, 42161} {
		w := newWorldOf(t, accounttest.ChainConfig{ChainID: id})
		w.config.Outbox = w.store
		w.config.Budgets = &account.Budgets{Account: account.Budget{Operations: uint64(2 - i)}}
		w.client = w.clientWith(t, account.Contracts{})
		w.owner = w.client.OwnedAccount(owner, account.Multichain())
		w.user = w.client.Account(w.owner.Address())
		worlds, clients = append(worlds, w), append(clients, w.client)
	}
	prepare := func() (*account.Prepared, []byte) {
		var legs []account.Leg
		for _, w := range worlds {
			legs = append(legs, account.Leg{Account: w.owner, Calls: []account.Call{w.mint(t, stranger)}, Options: []account.Option{account.Sponsored()}})
		}
		p, err := account.PrepareTogether(t.Context(), legs...)
		require.NoError(t, err)
		signature, err := crypto.Sign(accounts.TextHash(common.FromHex(p.Request().Params[0])), key)
		require.NoError(t, err)
		return p, signature
	}
	ops := outbox.Counter{Unit: outbox.Operations}
	refused := func(p *account.Prepared, signature []byte, as error, spent uint64) {
		t.Helper()
		submitted, err := account.SubmitTogether(t.Context(), nil, p, signature, clients)
		require.Empty(t, submitted)
		var failed *account.LegsError
		require.ErrorAs(t, err, &failed)
		require.NoError(t, failed.Errs[0])
		require.ErrorIs(t, failed.Errs[1], as)
		for _, w := range worlds {
			w.usage(t, ops, n(spent), n(0))
		}
	}
	p, signature := prepare()
	worlds[1].stop(t, session.Stop{Ref: worlds[1].user.Ref()})
	refused(p, signature, session.ErrStopped, 0)
	require.NoError(t, worlds[1].store.Lift(t.Context(), "x"))

	var first []*account.Submitted
	for range 2 { // the second time gives what the first began, which has reserved what there is
		submitted, err := account.SubmitTogether(t.Context(), nil, p, signature, clients)
		require.NoError(t, err)
		for i := range worlds {
			require.Equal(t, p.Operations()[i].UserOpHash, submitted[i].Pending().Hash())
		}
		first = submitted
	}
	for i, w := range worlds {
		_, err := first[i].Wait(t.Context())
		require.NoError(t, err)
		w.usage(t, ops, n(1), n(0))
	}
	p, signature = prepare()
	refused(p, signature, outbox.ErrOverBudget, 1)
}

// stoppingOwner is an owner who has the switch thrown while it signs.
type stoppingOwner struct {
	account.Owner
	stop func()
}

func (o stoppingOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	defer o.stop()
	return o.Owner.SignMessage(ctx, message)
}

// hiddenSwitch is a store that wraps another, and hides what it can do beside its interface.
type hiddenSwitch struct {
	session.Store
	sends account.Outbox
}

func (h hiddenSwitch) Outbox() outbox.Outbox { return h.sends.Outbox() }

func (h hiddenSwitch) ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (uint64, *outbox.Entry, error) {
	return h.sends.ApplyRecording(ctx, ref, version, change, recording)
}

// TestAStopThatComesWhileAnOwnerSigns has nobody get the signature, also where the store is wrapped.
func TestAStopThatComesWhileAnOwnerSigns(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]func(account.Outbox) account.Outbox{
		"a store":           func(store account.Outbox) account.Outbox { return store },
		"one that wraps it": func(store account.Outbox) account.Outbox { return hiddenSwitch{store, store} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, door := onceWorld(t, func(c *account.Config) { c.Outbox = store(c.Outbox) })
			signed := 0
			owner := w.client.OwnedAccount(stoppingOwner{account.KeyOwner(w.ownerKey), func() {
				signed++
				w.stop(t, session.Stop{Ref: w.user.Ref()})
			}})
			call := []account.Call{w.mint(t, owner.Address())}
			for what, sign := range map[string]func() error{
				"an operation": func() error {
					_, err := owner.Send(t.Context(), call, account.Sponsored())
					return err
				},
				"a message": func() error {
					_, err := owner.SignMessage(t.Context(), []byte("a permit"))
					return err
				},
			} {
				before := signed
				require.ErrorIs(t, sign(), session.ErrStopped, what)
				require.Equal(t, before+1, signed, what)
				require.NoError(t, w.store.Lift(t.Context(), "x"))
			}
			require.Empty(t, door.handed())
			w.stop(t, session.Stop{})
			_, err := owner.Send(t.Context(), call, account.Sponsored())
			require.ErrorIs(t, err, session.ErrStopped)
			require.Equal(t, 2, signed, "it was not asked")
		})
	}
}

// hiddenSigner is a wrapper that does not say what it wraps.
type hiddenSigner struct{ userop.Signer }

// TestASessionSignerThatAWrapperHides has neither its key's budget nor a stop of its key be passed by.
func TestASessionSignerThatAWrapperHides(t *testing.T) {
	t.Parallel()
	w, door := budgetWorld(t, account.Budgets{Key: account.Budget{Operations: 1}})
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	signer, err := session.NewSigner(w.client.Contracts().Session, sess.Leaf(0))
	require.NoError(t, err)
	before := len(door.handed())
	send := func() error {
		_, err := w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithSigner(hiddenSigner{signer}), account.Sponsored())
		return err
	}
	err = send()
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "give the wrapper an Unwrap")
	w.config.Budgets = nil
	w.restart(t)
	w.stop(t, session.Stop{Key: common.Address{1}}) // as it may be that one
	require.ErrorIs(t, send(), session.ErrStopped)
	require.Len(t, door.handed(), before)
	require.NoError(t, w.store.Lift(t.Context(), "x"))
	require.NoError(t, send())
}
