package account_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
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

// failing is a store that cannot be written to for a while.
type failing struct {
	*memstore.Store
	down atomic.Bool
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
			require.Eventually(t, func() bool { return entry().State != outbox.StateOpen }, 20*time.Second, 20*time.Millisecond)
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
