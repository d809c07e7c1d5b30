package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

const (
	long  = time.Hour       // a lease that outlasts every test
	short = time.Nanosecond // one that is over before anybody can look
)

func (c *Config) testLanes(t *testing.T) {
	if _, ok := c.Open(t).(session.LaneLeaser); !ok {
		return // leases no lanes
	}
	t.Run("lease", c.testLease)
	t.Run("leases that ended", c.testEndedLeases)
	t.Run("who leases", c.testLeaseRefused)
	t.Run("lanes stay", c.testLanesStay)
	t.Run("many holders", c.testManyHolders)
}

// leasers returns the store under test as a leaser, twice where it can be joined.
func (c *Config) leasers(t *testing.T) (leasers []session.LaneLeaser) {
	for _, store := range c.stores(t) {
		leasers = append(leasers, store.(session.LaneLeaser))
	}
	return leasers
}

func lease(t *testing.T, l session.LaneLeaser, ref session.Ref, holder string, ttl time.Duration) uint256.Int {
	t.Helper()
	key, err := l.LeaseLane(t.Context(), ref, holder, ttl)
	require.NoError(t, err)
	return key
}

func (c *Config) testLease(t *testing.T) {
	lanes, ref := c.leasers(t), c.ref(0)
	first, second := lease(t, lanes[0], ref, "a", long), lease(t, lanes[1], ref, "a", long)
	require.NotEqual(t, first, second, "a lane is leased once, to one holder too")
	foreign := lease(t, lanes[1], c.ref(1), "a", long)
	for _, key := range []uint256.Int{first, second, foreign} {
		require.LessOrEqual(t, key.BitLen(), 8*storekit.LaneKeySize)
		require.Greater(t, key.BitLen(), 64, "a lane that a caller would choose by hand")
	}

	require.NoError(t, lanes[1].ReleaseLane(t.Context(), ref, first, "a"))
	require.Equal(t, first, lease(t, lanes[0], ref, "b", long), "a lane that was released comes before a new one")
	require.NotEqual(t, second, lease(t, lanes[0], ref, "b", long))

	// Holder b has it now.
	err := lanes[0].RenewLane(t.Context(), ref, first, "a", long)
	require.ErrorIs(t, err, session.ErrLaneLost)
	require.ErrorContains(t, err, fmt.Sprintf("lane lost: lane %s of %s is not leased to a any more; lease another one", first.Hex(), ref))
	require.ErrorIs(t, lanes[0].ReleaseLane(t.Context(), ref, first, "a"), session.ErrLaneLost)
	require.NoError(t, lanes[0].RenewLane(t.Context(), ref, first, "b", long))
	require.ErrorIs(t, lanes[0].RenewLane(t.Context(), c.ref(1), first, "b", long), session.ErrLaneLost, "it is a lane of one account")
	require.ErrorIs(t, lanes[0].RenewLane(t.Context(), ref, *uint256.NewInt(1), "b", long), session.ErrLaneLost)
}

func (c *Config) testEndedLeases(t *testing.T) {
	lanes, ref := c.leasers(t), c.ref(0)
	first := lease(t, lanes[0], ref, "a", short)
	require.NoError(t, lanes[0].RenewLane(t.Context(), ref, first, "a", long), "nobody else got it")
	second := lease(t, lanes[1], ref, "b", short)
	require.NotEqual(t, first, second)

	require.Equal(t, second, lease(t, lanes[0], ref, "c", long))
	require.ErrorIs(t, lanes[0].RenewLane(t.Context(), ref, second, "b", long), session.ErrLaneLost)
	require.ErrorIs(t, lanes[0].ReleaseLane(t.Context(), ref, second, "b"), session.ErrLaneLost)

	// A lane that was released has nothing on its way; one whose lease ended may have.
	require.NoError(t, lanes[0].RenewLane(t.Context(), ref, second, "c", short))
	require.NoError(t, lanes[0].ReleaseLane(t.Context(), ref, first, "a"))
	require.Equal(t, first, lease(t, lanes[1], ref, "d", long))
	require.Equal(t, second, lease(t, lanes[1], ref, "d", long))
}

func (c *Config) testLeaseRefused(t *testing.T) {
	lanes, ref := c.leasers(t)[0], c.ref(0)
	key := lease(t, lanes, ref, "a", long)
	for _, bad := range []struct {
		ref    session.Ref
		holder string
		ttl    time.Duration
		err    string
	}{
		{ref, "", long, "leased to nobody"},
		{ref, "a", 0, "leased for 0s"},
		{ref, "a", -time.Second, "leased for -1s"},
		{session.Ref{}, "a", long, "without a chain ID"},
	} {
		_, err := lanes.LeaseLane(t.Context(), bad.ref, bad.holder, bad.ttl)
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.ErrorContains(t, err, bad.err)
		require.ErrorIs(t, lanes.RenewLane(t.Context(), bad.ref, key, bad.holder, bad.ttl), policy.ErrInvalid)
	}
	require.NoError(t, lanes.ReleaseLane(t.Context(), ref, key, "a"))
	require.ErrorIs(t, lanes.ReleaseLane(t.Context(), ref, key, ""), session.ErrLaneLost, "a released lane is nobody's")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := lanes.LeaseLane(ctx, ref, "a", long)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, lanes.RenewLane(ctx, ref, key, "a", long), context.Canceled)
	require.ErrorIs(t, lanes.ReleaseLane(ctx, ref, key, "a"), context.Canceled)
}

// testLanesStay reopens the store: a lease outlives the process that made it.
func (c *Config) testLanesStay(t *testing.T) {
	if c.Reopen == nil {
		return // forgets
	}
	store, ref := c.Open(t), c.ref(0)
	lanes := store.(session.LaneLeaser)
	held, released := lease(t, lanes, ref, "a", long), lease(t, lanes, ref, "a", long)
	require.NoError(t, lanes.ReleaseLane(t.Context(), ref, released, "a"))

	lanes = c.Reopen(t, store).(session.LaneLeaser)
	require.Equal(t, released, lease(t, lanes, ref, "b", long))
	require.NotEqual(t, held, lease(t, lanes, ref, "b", long))
	require.NoError(t, lanes.RenewLane(t.Context(), ref, held, "a", long))
}

// testManyHolders lets many holders lease and release at once: no lane has two of them.
func (c *Config) testManyHolders(t *testing.T) {
	const holders, rounds = 16, 10
	lanes, ref := c.leasers(t), c.ref(0)
	var mu sync.Mutex
	held := make(map[uint256.Int]string)
	seen := make(map[uint256.Int]bool)
	hold := func(key uint256.Int, holder string) error {
		mu.Lock()
		defer mu.Unlock()
		if other := held[key]; other != "" {
			return fmt.Errorf("lane %s is leased to %s and to %s", key.Hex(), other, holder)
		}
		held[key], seen[key] = holder, true
		return nil
	}
	group, ctx := errgroup.WithContext(t.Context())
	for n := range holders {
		holder, leaser := fmt.Sprintf("holder %d", n), lanes[n%len(lanes)]
		group.Go(func() error {
			for range rounds {
				key, err := leaser.LeaseLane(ctx, ref, holder, long)
				if err == nil {
					err = errors.Join(hold(key, holder), leaser.RenewLane(ctx, ref, key, holder, long))
				}
				if err != nil {
					return err
				}
				mu.Lock()
				delete(held, key)
				mu.Unlock()
				if err := leaser.ReleaseLane(ctx, ref, key, holder); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.LessOrEqual(t, len(seen), holders, "free lanes are leased again")
}
