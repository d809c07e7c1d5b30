package account_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// counting is a laneWorld that counts how often it is given an operation, and takes its time.
type counting struct {
	*laneWorld
	takes time.Duration
	mu    *sync.Mutex
	given map[common.Hash]int
}

func newCounting() counting {
	return counting{laneWorld: newLaneWorld(), takes: 100 * time.Millisecond, mu: new(sync.Mutex), given: make(map[common.Hash]int)}
}

func (c counting) SendUserOperation(ctx context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	c.mu.Lock()
	c.given[op.Hash(at, 80002)]++
	c.mu.Unlock()
	time.Sleep(c.takes)
	return c.laneWorld.SendUserOperation(ctx, op, at)
}

func hashOf(op *userop.Operation) common.Hash { return op.Hash(contracts.Deployed().EntryPoint, 80002) }

// sendPlain sends outside of lanes; another price makes another operation.
func sendPlain(ctx context.Context, user *account.Account, price uint64, opts ...account.Option) (*userop.Pending, error) {
	opts = append(noServices(opts...), account.WithSigner(constSigner{}), account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(price)}))
	return user.Send(ctx, []account.Call{{To: stranger}}, opts...)
}

// losePlain is laneWorld.lose outside of lanes.
func (w *laneWorld) losePlain(t *testing.T, user *account.Account, price uint64) *userop.Operation {
	t.Helper()
	w.sendErr, w.again, w.away = errLost, 2, true
	_, err := sendPlain(t.Context(), user, price)
	w.away = false
	require.True(t, userop.MayBeAccepted(err))
	var failed *userop.Error
	require.ErrorAs(t, err, &failed)
	return failed.Operation
}

// Once the bundler has it, its nonce is still its own, wherever the account sends in the meantime.
func TestADoubtThatTheBundlerHasKeepsItsNonce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLaneWorld()
		user := w.client(t).Account(laneUser)
		lost := w.losePlain(t, user, 1)
		for n := range uint64(5) {
			_, err := sendPlain(t.Context(), user, 2+n)
			require.NoError(t, err)
			_, err = sendPlain(t.Context(), user, 2+n, account.WithLane(uint256.NewInt(5+n)))
			require.NoError(t, err)
		}
		require.Zero(t, w.nonceErrors)
		require.Contains(t, w.pool, hashOf(lost))
		w.land()
		require.Contains(t, w.landed, hashOf(lost))
		last, err := sendPlain(t.Context(), user, 9)
		require.NoError(t, err)
		require.EqualValues(t, 1, last.Operation().Nonce.Uint64())
	})
}

func TestADoubtIsSentAgainByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCounting()
		user := clientWith(t, w, w).Account(laneUser)
		lost := w.losePlain(t, user, 1)
		var sending sync.WaitGroup
		for n := range uint64(20) {
			sending.Go(func() {
				_, err := sendPlain(t.Context(), user, 2+n, account.WithLane(uint256.NewInt(5+n)))
				require.NoError(t, err)
			})
		}
		sending.Wait()
		require.Equal(t, 3+1, w.given[hashOf(lost)])
	})
}

// What the caller replaces is not brought back by the next send.
func TestAReplacedDoubtIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLaneWorld()
		user := w.client(t).Account(laneUser)
		lost := w.losePlain(t, user, 1)
		w.swallow = true
		replacing, err := sendPlain(t.Context(), user, 2, account.WithNonce(&lost.Nonce))
		require.NoError(t, err)
		_, err = sendPlain(t.Context(), user, 3)
		require.NoError(t, err)
		require.NotContains(t, w.pool, hashOf(lost))

		// The one that replaces it may be in doubt itself.
		w.sendErr, w.again, w.away = errLost, 2, true
		_, err = sendPlain(t.Context(), user, 4, account.WithNonce(&lost.Nonce))
		require.True(t, userop.MayBeAccepted(err))
		w.away = false
		var failed *userop.Error
		require.ErrorAs(t, err, &failed)
		_, err = sendPlain(t.Context(), user, 5)
		require.NoError(t, err)
		require.Contains(t, w.pool, failed.Hash)
		require.NotContains(t, w.pool, hashOf(lost))
		require.NotContains(t, w.pool, replacing.Hash())
	})
}

// A doubt that a wait ended is none any more.
func TestADoubtEndsWithItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newCounting()
		user := clientWith(t, w, w).Account(laneUser)
		tx, err := sendPlain(t.Context(), user, 1)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = tx.Wait(ctx)
		require.True(t, userop.MayBeAccepted(err))
		w.land()
		_, err = tx.Wait(t.Context())
		require.NoError(t, err)
		_, err = sendPlain(t.Context(), user, 2)
		require.NoError(t, err)
		require.Equal(t, 1, w.given[tx.Hash()])
	})
}

// A doubt of a lane that stays one is sent again by the one after the next.
func TestALanesDoubtIsNotForgotten(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		lost := w.lose(t, user, lanes, false)
		w.sendErr, w.again, w.away = errLost, 2, true
		_, err := sendInLane(t.Context(), user, lanes, account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(2)}))
		require.NoError(t, err, "a doubt that stays one holds nothing back")
		w.away = false
		require.NotContains(t, w.pool, hashOf(lost))
		w.land()
		mustSend(t, user, lanes)
		require.Contains(t, w.pool, hashOf(lost))
		require.Zero(t, w.nonceErrors)
	})
}

// An operation that is made anew while its lane went to another one takes no nonce of that one.
func TestALaneThatWasPassedOnIsNotCommittedAgain(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		first, err := lanes.Reserve(t.Context(), laneUser)
		require.NoError(t, err)
		op := &userop.Operation{Sender: laneUser}
		op.Nonce, err = first.Nonce(t.Context())
		require.NoError(t, err)
		require.NoError(t, first.Commit(op, hashOf(op)))
		require.NoError(t, first.Commit(op, hashOf(op)), "made anew")
		_, err = w.SendUserOperation(t.Context(), op, contracts.Deployed().EntryPoint)
		require.NoError(t, err)
		w.land() // what the bundler said to have refused
		second, err := lanes.Reserve(t.Context(), laneUser)
		require.NoError(t, err)
		require.ErrorIs(t, first.Commit(op, hashOf(op)), session.ErrLaneLost)
		_, err = first.Nonce(t.Context())
		require.ErrorIs(t, err, session.ErrLaneLost)
		first.Release(false)
		first.Doubt(userop.Doubt{Operation: op})
		next, err := second.Nonce(t.Context())
		require.NoError(t, err)
		require.Equal(t, new(uint256.Int).AddUint64(&op.Nonce, 1), &next)
		require.Empty(t, second.Doubts())
		second.Release(false)
		mustSend(t, user, lanes)
	})
}
