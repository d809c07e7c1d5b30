//go:build e2e

package e2e

import (
	"context"
	"errors"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// Services that die, forget, change their mind and raise their price, one after the other in one world.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := Start(t)
	client := w.client(t, nil)
	a := w.actor(t, client)
	sess := a.grant(t, account.Sponsored())
	for _, story := range []struct {
		name string
		run  func(*testing.T, *actor, *session.Sessions)
	}{
		{"the bundler is killed and its pool lost", testPoolLost},
		{"the bundler is dead when its bundle lands", testDeadWhenItLands},
		{"rejected, and lands", testRejectedThenLands},
		{"the price rises before the send", testPriceRisesBeforeTheSend},
		{"the price rises after the send", testPriceRisesAfterTheSend},
	} {
		if !t.Run(story.name, func(t *testing.T) { story.run(t, a, sess) }) {
			return // the world is not as the next one wants it
		}
	}
}

// testPoolLost kills the bundler between a send and its wait. The wait does not conclude anything from a
// bundler that does not know the operation; the same bytes, handed over again by two other processes, land
// once.
func testPoolLost(t *testing.T, a *actor, sess *session.Sessions) {
	w, before := a.world, a.minted(t)
	require.NoError(t, w.Alto.Hold(soon(t), true))
	tx := a.send(t, sess)
	require.NoError(t, w.Alto.Kill())

	_, err := tx.Wait(within(t, 2*time.Second))
	require.ErrorAs(t, err, new(*userop.WaitError))
	require.True(t, userop.MayBeAccepted(err), "dead: %v", err)

	require.NoError(t, w.Alto.Start(t.Context()))
	_, err = tx.Wait(within(t, 2*time.Second))
	require.ErrorAs(t, err, new(*userop.WaitError))
	require.True(t, userop.MayBeAccepted(err), "alive, and forgot it: %v", err)
	a.requireMinted(t, before)

	// Another process has what the first one stored, and no more.
	for range 2 {
		other := w.client(t, nil).Account(a.user.Address())
		opened, err := session.Open(t.Context(), a.store, other.Ref())
		require.NoError(t, err)
		again, err := other.Resend(soon(t), opened, stored(t, tx.Operation()))
		require.NoError(t, err)
		require.Equal(t, tx.Hash(), again.Hash())
		requireDone(t, again)
	}
	requireDone(t, tx)
	a.requireMinted(t, before+1)
}

// testDeadWhenItLands kills the bundler when the node has its bundle: the chain tells what nobody else does.
func testDeadWhenItLands(t *testing.T, a *actor, sess *session.Sessions) {
	w, before := a.world, a.minted(t)
	require.NoError(t, w.Anvil.MineEach(t.Context(), false))
	tx := a.send(t, sess)
	w.untilInPool(t)
	require.NoError(t, w.Alto.Kill())
	require.NoError(t, w.Anvil.Mine(t.Context(), 1))
	requireDone(t, tx)
	a.requireMinted(t, before+1)

	require.NoError(t, w.Anvil.MineEach(t.Context(), true))
	require.NoError(t, w.Alto.Start(t.Context()))
	again, err := a.user.Resend(soon(t), sess, stored(t, tx.Operation())) // a bundler that knows nothing of it
	if err == nil {
		requireDone(t, again)
	}
	require.NoError(t, err)
	a.requireMinted(t, before+1)
}

// testRejectedThenLands has the bundler look at the operation again while its account cannot pay, and give it
// up. The bundle that it made before lands all the same. This node forgets what cannot pay the price of its
// next block; others would have kept it, and it comes back from one of them.
func testRejectedThenLands(t *testing.T, a *actor, sess *session.Sessions) {
	w, before := a.world, a.minted(t)
	ctx := soon(t)
	a.fund(t, ether(1))
	require.NoError(t, w.Anvil.MineEach(ctx, false))
	tx, err := a.user.Send(ctx, []account.Call{a.mint(t)}, account.WithSession(sess.Leaf(0)))
	require.NoError(t, err)
	bundle := w.untilInPool(t)
	fee := w.baseFee(t)

	a.fund(t, new(big.Int))
	w.blockAt(t, times(fee, 50)) // without the bundle, which pays less
	client := bundler.New(w.Alto.URL)
	defer client.Close()
	require.Eventually(t, func() bool {
		dropped, err := client.UserOperationDropped(ctx, tx.Hash())
		return err == nil && dropped
	}, patience, 100*time.Millisecond, "the bundler gives it up")
	a.requireMinted(t, before)

	_, err = tx.Wait(within(t, 10*time.Second)) // it is asked for its status after a few seconds
	require.ErrorIs(t, err, userop.ErrDropped)
	require.True(t, userop.MayBeAccepted(err), "a bundler's word ends nothing: %v", err)
	waited := make(chan error, 1)
	go func() {
		receipt, err := tx.Wait(ctx)
		if err == nil && !receipt.Confirmed {
			err = userop.ErrUnconfirmed
		}
		waited <- err
	}()
	a.fund(t, ether(1))
	w.blockAt(t, fee)
	require.NoError(t, w.Anvil.Node.SendTransaction(ctx, bundle))
	require.NoError(t, w.Anvil.Mine(ctx, 1))
	require.NoError(t, <-waited)
	a.requireMinted(t, before+1)

	a.fund(t, new(big.Int))
	require.NoError(t, w.Anvil.MineEach(ctx, true))
}

// raising is a bundler in front of which the price rises between the signature and the send, once.
type raising struct {
	userop.Bundler
	raise func()
	done  atomic.Bool
}

func (r *raising) Unwrap() userop.Bundler { return r.Bundler }

func (r *raising) SendUserOperation(ctx context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	if r.done.CompareAndSwap(false, true) {
		r.raise()
	}
	return r.Bundler.SendUserOperation(ctx, op, entryPoint)
}

// testPriceRisesBeforeTheSend has a bundler that refuses what would not pay: the caller is told so, and
// replaces what the bundler was given, which is signed and valid, with the fees of the day.
func testPriceRisesBeforeTheSend(t *testing.T, a *actor, sess *session.Sessions) {
	w, before := a.world, a.minted(t)
	ctx := soon(t)
	fee := w.baseFee(t)
	client := w.client(t, func(cfg *account.Config) {
		cfg.Bundler = &raising{Bundler: cfg.Bundler, raise: func() {
			w.blockAt(t, times(fee, 50))
			time.Sleep(priceMemory + 200*time.Millisecond) // until then the bundler takes the price of before
			require.NoError(t, w.Alto.call(ctx, "pimlico_getUserOperationGasPrice"))
		}}
	})
	user, calls := client.Account(a.user.Address()), []account.Call{a.mint(t)}
	opts := []account.Option{account.WithSession(sess.Leaf(0)), account.Sponsored()}
	_, err := user.Send(ctx, calls, opts...)
	require.ErrorIs(t, err, bundler.ErrInvalidParams) // Alto's code for it
	require.ErrorContains(t, err, "maxFeePerGas")
	failed, ok := errors.AsType[*userop.Error](err)
	require.True(t, ok)
	require.True(t, userop.MayBeAccepted(err), "it is the bundler's word alone: %v", err)

	tx, err := user.Replace(ctx, client.Sender().WatchOperation(failed.Operation), opts...)
	require.NoError(t, err)
	requireDone(t, tx)
	a.requireMinted(t, before+1)
	w.blockAt(t, fee)
}

// testPriceRisesAfterTheSend has the price rise while the bundle is in the node's pool: the wait goes on
// until the bundler pays more.
func testPriceRisesAfterTheSend(t *testing.T, a *actor, sess *session.Sessions) {
	w, before := a.world, a.minted(t)
	ctx := soon(t)
	fee := w.baseFee(t)
	require.NoError(t, w.Anvil.MineEach(ctx, false))
	tx := a.send(t, sess)
	w.untilInPool(t)
	w.blockAt(t, times(fee, 50))
	a.requireMinted(t, before)
	_, err := tx.Wait(within(t, time.Second))
	require.ErrorAs(t, err, new(*userop.WaitError))
	require.True(t, userop.MayBeAccepted(err))

	dearer := w.untilInPool(t)
	require.Positive(t, dearer.GasFeeCap().Cmp(times(fee, 50)))
	require.NoError(t, w.Anvil.MineEach(ctx, true))
	require.NoError(t, w.Anvil.Mine(ctx, 1))
	requireDone(t, tx)
	a.requireMinted(t, before+1)
	w.blockAt(t, fee)
}

// untilInPool waits for a transaction in the node's pool, and returns it.
func (w *World) untilInPool(t *testing.T) *types.Transaction {
	t.Helper()
	var pool []*types.Transaction
	require.Eventually(t, func() bool {
		var err error
		pool, err = w.Anvil.Pool(t.Context())
		return err == nil && len(pool) > 0
	}, patience, 50*time.Millisecond, "the bundler sends a bundle")
	require.Len(t, pool, 1)
	return pool[0]
}

// baseFee is the newest block's.
func (w *World) baseFee(t *testing.T) *big.Int {
	t.Helper()
	head, err := w.Anvil.Node.HeaderByNumber(t.Context(), nil)
	require.NoError(t, err)
	return head.BaseFee
}

// blockAt makes a block at a price.
func (w *World) blockAt(t *testing.T, fee *big.Int) {
	t.Helper()
	require.NoError(t, w.Anvil.SetBaseFee(t.Context(), fee))
	require.NoError(t, w.Anvil.Mine(t.Context(), 1))
}

func times(fee *big.Int, n int64) *big.Int { return new(big.Int).Mul(fee, big.NewInt(n)) }
