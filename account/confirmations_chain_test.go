package account_test

import (
	"context"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// deepen has the world's client ask for n confirmations, of a bundler that loses what a reorg undoes or takes
// it back into its mempool. What it returns is told when blocks are counted.
func (w *world) deepen(t *testing.T, n uint64, loses bool) (counts <-chan struct{}) {
	t.Helper()
	own := accounttest.NewBundler(t, accounttest.BundlerConfig{Chain: w.chain, LosesReorged: loses})
	w.bundler = own
	counting := heightChain{w.chain.Client(), make(chan struct{})}
	w.config.Bundler, w.config.Confirmations, w.config.Chain = bundler.New(own.URL()), n, counting
	w.client = w.clientWith(t, account.Contracts{})
	w.owner = w.client.OwnedAccount(account.KeyOwner(w.ownerKey))
	w.user = w.client.Account(w.owner.Address())
	return counting.asked
}

// heightChain tells when the number of its newest block is asked for.
type heightChain struct {
	*ethclient.Client
	asked chan struct{}
}

func (c heightChain) BlockNumber(ctx context.Context) (uint64, error) {
	number, err := c.Client.BlockNumber(ctx)
	select {
	case c.asked <- struct{}{}:
	default:
	}
	return number, err
}

// bury makes empty blocks on top.
func (w *world) bury(n uint64) {
	for range n {
		w.chain.Commit()
	}
}

func (w *world) soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until it is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for start := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		require.Less(t, time.Since(start), time.Minute, what)
	}
}

// waitFor waits in the background.
func waitFor(ctx context.Context, tx *userop.Pending) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := tx.Wait(ctx)
		done <- err
	}()
	return done
}

// theEndOf waits, and returns how the wait ended.
func theEndOf(tx *userop.Pending) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := tx.Wait(ctx)
		return err
	}
}

// An operation that a session key signed is taken out of the chain while its wait counts: it lands again,
// once, whether the bundler still has it or the wait has to send it again.
func TestReorgOfAUse(t *testing.T) {
	t.Parallel()
	for name, loses := range map[string]bool{"the bundler has it": false, "the bundler lost it": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			sess := w.grant(t, []policy.Policy{w.nftPolicy()}, account.Sponsored())
			counts := w.deepen(t, 2, loses)
			tx, err := w.user.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, account.WithSession(sess.Leaf(0)), account.Sponsored())
			require.NoError(t, err)
			_, err = tx.Wait(t.Context(), userop.Confirmations(1))
			require.NoError(t, err)
			before := w.nfts(t)

			done := waitFor(w.soon(t, time.Minute), tx)
			<-counts
			w.bundler.Pause()
			require.NoError(t, w.chain.Reorg(t.Context(), 1))
			w.bury(2)
			require.Equal(t, before-1, w.nfts(t))
			w.bundler.Resume()
			eventually(t, "it lands again", func() bool { return w.nfts(t) == before })
			select {
			case err := <-done:
				t.Fatalf("the wait ended before there was a block on top: %v", err)
			default:
			}
			w.bury(1)
			require.NoError(t, <-done)
			require.Equal(t, before, w.nfts(t), "once")
		})
	}
}

// The branch that wins has another operation with the nonce.
func TestReplacedInAnotherBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deepen(t, 3, true)
	first, err := w.owner.Send(t.Context(), []account.Call{{To: common.Address{3}}}, account.Sponsored())
	require.NoError(t, err)
	_, err = first.Wait(t.Context(), userop.Confirmations(1))
	require.NoError(t, err)
	tx, err := w.owner.Send(t.Context(), []account.Call{{To: common.Address{1}}}, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context(), userop.Confirmations(1))
	require.NoError(t, err)
	require.NoError(t, w.chain.Reorg(t.Context(), 1))
	other, err := w.owner.Send(t.Context(), []account.Call{{To: common.Address{2}}}, account.Sponsored(), account.WithNonce(&tx.Operation().Nonce))
	require.NoError(t, err)
	_, err = other.Wait(t.Context(), userop.Confirmations(1))
	require.NoError(t, err)
	_, err = tx.Wait(w.soon(t, 7*time.Second))
	require.NotErrorIs(t, err, userop.ErrReplaced, "a block may be lost again")
	require.True(t, userop.MayBeAccepted(err))
	w.bury(2)
	_, err = tx.Wait(w.soon(t, time.Minute))
	require.ErrorIs(t, err, userop.ErrReplaced)
	_, err = other.Wait(t.Context())
	require.NoError(t, err)
}

// A grant is settled with its confirmations, by Activate and by Reconcile alike.
func TestReorgOfAGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	counts := w.deepen(t, 3, true)
	sess, tx, err := w.owner.Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(t.Context(), userop.Confirmations(1))
	require.NoError(t, err)
	w.bury(1)
	require.NoError(t, sess.Confirm(t.Context(), w.client, 0), "what a send does")
	require.NoError(t, sess.Refresh(t.Context()))
	require.NotNil(t, sess.Pending(), "it settles nothing")
	require.ErrorIs(t, sess.Reconcile(t.Context()), session.ErrPending, "the chain shows it, and may lose it")
	_, err = sess.Activate(w.soon(t, 2*time.Second), tx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "which had not 3 confirmations after ")
	require.NotNil(t, sess.Pending())

	done := waitFor(w.soon(t, time.Minute), tx)
	<-counts
	require.NoError(t, w.chain.Reorg(t.Context(), 2))
	w.bury(1)
	require.ErrorIs(t, sess.Reconcile(t.Context()), session.ErrPending)
	root := func() common.Hash {
		root, err := w.client.SessionRoot(t.Context(), w.owner.Address())
		require.NoError(t, err)
		return root
	}
	eventually(t, "the wait has it sent again", func() bool { return root() == sess.Pending().Root })
	w.bury(2)
	require.NoError(t, <-done)
	receipt, err := sess.Activate(t.Context(), tx)
	require.NoError(t, err)
	require.True(t, receipt.Confirmed)
	require.NoError(t, w.chain.Reorg(t.Context(), 2), "what is shallower")
	require.Equal(t, sess.Root(), root())
	require.NoError(t, sess.Reconcile(t.Context()))
}

// The nonce of what a reorg undid is not given to another operation: it may land again.
func TestALaneNeverCountsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deepen(t, 2, true)
	lanes := w.client.NewLanes(account.LanesConfig{Size: 1})
	defer func() { require.NoError(t, lanes.Close(context.Background())) }()
	send := func(to byte) (*userop.Pending, error) {
		return w.owner.Send(w.soon(t, 20*time.Second), []account.Call{{To: common.Address{to}}}, account.Sponsored(), account.InLane(lanes))
	}
	land := func(to byte) *userop.Pending {
		tx, err := send(to)
		require.NoError(t, err)
		_, err = tx.Wait(t.Context(), userop.Confirmations(1))
		require.NoError(t, err)
		return tx
	}
	land(1)
	land(2)
	lost := land(3)
	require.NoError(t, w.chain.Reorg(t.Context(), 1))
	require.NotEqual(t, lost.Operation().Nonce, land(4).Operation().Nonce, "that of the lane is ahead of the chain's")
	require.NotEqual(t, lost.Operation().Nonce, land(5).Operation().Nonce)
	_, err := w.client.Sender().Resend(t.Context(), lost.Operation())
	require.NoError(t, err)
	_, err = lost.Wait(t.Context(), userop.Confirmations(1))
	require.NoError(t, err, "it lands again")
}

func TestConfirmationsOfAClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.deepen(t, 1<<63, false) // more than there are blocks: block 0 is what counts
	tx, err := w.owner.Send(t.Context(), []account.Call{{To: common.Address{3}}}, account.Sponsored())
	require.NoError(t, err)
	_, err = tx.Wait(w.soon(t, 2*time.Second))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	seen, err := w.client.SessionRootAndNonce(t.Context(), w.owner.Address(), new(uint256.Int))
	require.NoError(t, err)
	require.False(t, seen.NonceUsed)
}
