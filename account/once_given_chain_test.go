package account_test

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// The one that recorded a send reaches no service; another process found it meanwhile, and gave it to one.
func TestOnceFreesNothingThatAnotherGaveAway(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	other := w.client.Account(w.owner.Address())
	closed := bundler.New("http://127.0.0.1:1/")
	t.Cleanup(closed.Close)
	first, door := *w, &gate{Bundler: w.config.Bundler}
	first.config.Bundler = door
	first.restart(t)
	w.bundler.Pause()

	calls := []account.Call{w.mint(t, w.owner.Address())}
	opts := []account.Option{account.WithLeafOf(sess), account.Sponsored(), account.Once("order")}
	found := make(chan error, 1)
	var meanwhile sync.Once
	door.set(func(ctx context.Context, op *userop.Operation, _ func() (common.Hash, error)) (common.Hash, error) {
		meanwhile.Do(func() {
			_, err := other.Send(t.Context(), calls, opts...)
			found <- err
		})
		return closed.SendUserOperation(ctx, op, w.client.Contracts().EntryPoint)
	})
	_, err := first.user.Send(t.Context(), calls, opts...)
	require.NoError(t, <-found)
	require.Error(t, err)
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	require.NotContains(t, err.Error(), "is free again")
	require.NotNil(t, w.entry(t, "order"))

	w.bundler.Resume()
	door.set(nil)
	tx, err := first.user.Send(t.Context(), calls, opts...)
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))
	require.Equal(t, outbox.StateLanded, w.entry(t, "order").State)
}

// failing is a store that cannot be written to, or read, for a while.
type failing struct {
	*memstore.Store
	down, unreadable atomic.Bool
}

func (f *failing) Load(ctx context.Context, ref session.Ref) (*session.State, error) {
	if f.unreadable.Load() {
		return nil, errors.New("the store is down")
	}
	return f.Store.Load(ctx, ref)
}

func (f *failing) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	if f.down.Load() {
		return 0, errors.New("the store is down")
	}
	return f.Store.Apply(ctx, ref, version, change)
}

// A grant is signed anew, and that is written down, but the sessions do not wait for it yet: whoever goes on
// has them wait for it.
func TestOnceGoesOnWithAGrantThatTheSessionsDoNotWaitFor(t *testing.T) {
	t.Parallel()
	for _, byRun := range []bool{false, true} {
		store := &failing{Store: memstore.New()}
		w, door := onceWorld(t, func(c *account.Config) { c.Outbox, c.Lease = store, 300*time.Millisecond })
		grant := func(opts ...account.Option) (*session.Sessions, *userop.Pending, error) {
			opts = append(opts, account.Sponsored(), account.Once("grant"))
			return w.owner.Grant(t.Context(), store, []policy.Policy{w.nftPolicy()}, opts...)
		}
		door.set(func(context.Context, *userop.Operation, func() (common.Hash, error)) (common.Hash, error) {
			return common.Hash{}, errFeeTooLow
		})
		_, _, err := grant()
		require.True(t, userop.MayBeAccepted(err), "%v", err)
		store.down.Store(true)
		_, _, err = grant(account.WithMargins(userop.Margins{MaxFeePerGas: 30, MaxPriorityFeePerGas: 30}))
		require.ErrorContains(t, err, "the store is down")
		require.True(t, userop.MayBeAccepted(err), "%v", err)
		store.down.Store(false)
		entry := func() *outbox.Entry {
			found, err := store.Outbox().Find(t.Context(), w.chain.ChainID(), w.owner.Address(), "grant")
			require.NoError(t, err)
			return found.Entry
		}
		require.Len(t, entry().Attempts, 2)

		door.set(nil)
		w.restart(t)
		if byRun {
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.client.Run(ctx) }()
			require.Eventually(t, func() bool { return entry().State != outbox.StateOpen }, 90*time.Second, 20*time.Millisecond)
			stop()
			require.ErrorIs(t, <-ended, context.Canceled)
		}
		sess, tx, err := grant()
		require.NoError(t, err)
		require.NoError(t, activate(t.Context(), sess, tx))
		require.Equal(t, outbox.StateLanded, entry().State)
		require.Equal(t, entry().Attempts[1].Hash, entry().Outcome.Hash)
		require.Len(t, sess.Leaves(), 1)
	}
}

// What else a change of the root does is part of what is asked for.
func TestOnceTellsTheRouterApart(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, nil)
	policies := []policy.Policy{w.nftPolicy()}
	sess, tx, err := w.owner.Grant(t.Context(), w.store, policies, account.Sponsored(), account.Once("grant"))
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	_, _, err = w.owner.Grant(t.Context(), w.store, policies, account.ForBatches(), account.Sponsored(), account.Once("grant"))
	require.ErrorIs(t, err, account.ErrKeyReused)

	tx, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored(), account.Once("revoke"))
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	_, err = w.owner.RevokeAll(t.Context(), sess, account.KeepRouter(), account.Sponsored(), account.Once("revoke"))
	require.ErrorIs(t, err, account.ErrKeyReused)
	_, err = w.owner.RevokeAll(t.Context(), sess, account.Sponsored(), account.Once("revoke"))
	require.NoError(t, err)
}

// staleChain is a node that shows several reads as of one block, and that of an earlier one for a while.
type staleChain struct {
	*ethclient.Client
	at *atomic.Int64 // the block that is shown, 0 for the newest
}

func (c staleChain) CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error) {
	if at := c.at.Load(); at > 0 && msg.To == nil && block == nil {
		block = big.NewInt(at)
	}
	return c.Client.CallContract(ctx, msg, block)
}

// A node that lags behind shows no new root yet: nothing is reported before the sessions are settled.
func TestRunSettlesSessionsBeforeItReports(t *testing.T) {
	t.Parallel()
	at, reports := new(atomic.Int64), make(chan bool, 4)
	var w *world
	w, _ = onceWorld(t, func(c *account.Config) {
		c.Lease = 300 * time.Millisecond
		c.Report = func(ctx context.Context, report account.Report) error {
			state, err := c.Outbox.Load(ctx, report.Ref)
			reports <- err == nil && state.Pending == nil
			return err
		}
	})
	w.config.Chain = staleChain{w.chain.Client(), at}
	w.restart(t)
	before, err := w.chain.Client().BlockNumber(t.Context())
	require.NoError(t, err)
	_, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored(), account.Once("grant"))
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	at.Store(int64(before))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.client.Run(ctx) }()
	require.Eventually(t, func() bool { return w.entry(t, "grant").Version > 3 }, 20*time.Second, 20*time.Millisecond, "claimed again")
	require.Empty(t, reports)
	at.Store(0)
	require.True(t, <-reports)
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
}

// A client for another EntryPoint cannot tell what became of a send.
func TestRunLeavesOtherEntryPointsAlone(t *testing.T) {
	t.Parallel()
	w, _ := onceWorld(t, func(c *account.Config) { c.Lease = 100 * time.Millisecond })
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	w.bundler.Pause()
	_, err := w.sendOnce(t, sess, "order")
	require.NoError(t, err)
	other := &gate{Bundler: w.config.Bundler}
	w.config.Bundler = other
	elsewhere := w.clientWith(t, account.Contracts{EntryPoint: common.Address{0xee}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- elsewhere.Run(ctx) }()
	require.Eventually(t, func() bool { return w.entry(t, "order").Version > 2 }, 20*time.Second, 20*time.Millisecond, "claimed twice")
	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Empty(t, other.handed())
	require.Equal(t, outbox.StateOpen, w.entry(t, "order").State)
}

// readOnly is an outbox of a process that may only read.
type readOnly struct{ *memstore.Store }

func (r readOnly) Outbox() outbox.Outbox { return readOnlyBox{r.Store.Outbox()} }

type readOnlyBox struct{ outbox.Outbox }

func (readOnlyBox) Record(context.Context, outbox.Recording) (*outbox.Entry, error) {
	return nil, outbox.ErrReadOnly
}

func (readOnlyBox) Claim(context.Context, uint64, outbox.Lease, int) ([]*outbox.Entry, error) {
	return nil, outbox.ErrReadOnly
}

func TestOnceWhereNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	w, door := onceWorld(t, nil)
	sess := w.grant(t, []policy.Policy{w.nftPolicy()})
	store := readOnly{w.store}
	w.config.Outbox = store
	w.restart(t)
	var err error
	sess, err = session.Open(t.Context(), store, sess.Ref())
	require.NoError(t, err)
	handed := len(door.handed())
	_, err = w.sendOnce(t, sess, "order")
	require.ErrorIs(t, err, outbox.ErrReadOnly)
	require.False(t, userop.MayBeAccepted(err), "%v", err)
	require.NotContains(t, err.Error(), "is open: send under it again")
	require.Len(t, door.handed(), handed)
	require.ErrorIs(t, w.client.Run(t.Context()), outbox.ErrReadOnly)
}

// A store that cannot say whether the session was revoked leaves the operation unsent: that is told.
func TestOnceTellsThatItCouldNotAsk(t *testing.T) {
	t.Parallel()
	store := new(failing)
	w, door := onceWorld(t, func(c *account.Config) {
		store.Store = c.Outbox.(*memstore.Store)
		c.Outbox = store
	})
	sess, tx, err := w.owner.Grant(t.Context(), store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	door.set(func(context.Context, *userop.Operation, func() (common.Hash, error)) (common.Hash, error) {
		return common.Hash{}, errFeeTooLow
	})
	_, err = w.sendOnce(t, sess, "order")
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	handed := len(door.handed())
	store.unreadable.Store(true)
	_, err = w.sendOnce(t, sess, "order")
	require.ErrorContains(t, err, "the store is down")
	require.True(t, userop.MayBeAccepted(err), "%v", err)
	require.Len(t, door.handed(), handed)

	store.unreadable.Store(false)
	require.NoError(t, sess.Suspend(t.Context(), sess.Leaves()[0].ID))
	tx, err = w.sendOnce(t, sess, "order")
	require.NoError(t, err)
	require.Equal(t, w.entry(t, "order").Attempts[0].Hash, tx.Hash())
	require.Len(t, door.handed(), handed, "it was revoked since")
}

// blind is a store whose outbox cannot be read for a while.
type blind struct {
	*memstore.Store
	down *atomic.Bool
}

func (b blind) Outbox() outbox.Outbox { return blindBox{b.Store.Outbox(), b.down} }

type blindBox struct {
	outbox.Outbox
	down *atomic.Bool
}

func (b blindBox) Find(ctx context.Context, chainID uint64, account common.Address, key string) (outbox.Found, error) {
	if b.down.Load() {
		return outbox.Found{}, errors.New("the outbox is down")
	}
	return b.Outbox.Find(ctx, chainID, account, key)
}

// What an earlier process sent under a key that cannot be looked up may be accepted: nobody may send it anew
// under another one.
func TestAKeyThatCannotBeLookedUpMayBeAccepted(t *testing.T) {
	t.Parallel()
	var store blind
	w, _ := onceWorld(t, func(c *account.Config) {
		store = blind{c.Outbox.(*memstore.Store), new(atomic.Bool)}
		c.Outbox = store
	})
	grant := func() (*session.Sessions, *userop.Pending, error) {
		return w.owner.Grant(t.Context(), store, []policy.Policy{w.nftPolicy()}, account.Sponsored(), account.Once("grant"))
	}
	sess, tx, err := grant()
	require.NoError(t, err)
	require.NoError(t, activate(t.Context(), sess, tx))
	_, err = w.sendOnce(t, sess, "order")
	require.NoError(t, err)

	store.down.Store(true)
	_, err = w.sendOnce(t, sess, "order")
	require.ErrorContains(t, err, "the outbox is down; whether something was sent under it is open: send under it again")
	require.True(t, userop.MayBeAccepted(err))
	require.False(t, userop.SafeToRetry(err))
	_, _, err = grant()
	require.True(t, userop.MayBeAccepted(err), "%v", err)

	store.down.Store(false)
	tx, err = w.sendOnce(t, sess, "order")
	require.NoError(t, err)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))
}
