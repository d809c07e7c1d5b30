package memstore

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
)

func holdFromNow(ctx context.Context, l *holdLock) (round uint64, err error) {
	span := fromNow(ctx)
	return l.hold(ctx, &span)
}

// TestHoldLockInOrder has a change wait for a hold, and a later hold for the change.
func TestHoldLockInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l holdLock
		first, err := holdFromNow(t.Context(), &l)
		require.NoError(t, err)
		var order []string
		go func() {
			require.NoError(t, l.change(t.Context()))
			order = append(order, "change")
			l.changed()
		}()
		synctest.Wait()
		go func() {
			round, err := holdFromNow(t.Context(), &l)
			require.NoError(t, err)
			order = append(order, "hold")
			require.True(t, l.release(round))
		}()
		synctest.Wait()
		require.Empty(t, order)
		require.True(t, l.release(first))
		synctest.Wait()
		require.Equal(t, []string{"change", "hold"}, order)
	})
}

// TestHoldLockBreaksHolds has holds hang, one that began behind another change among them: each change waits
// for as long as a hold may last, and no hold that was broken ends another.
func TestHoldLockBreaksHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l holdLock
		hung, err := holdFromNow(t.Context(), &l)
		require.NoError(t, err)
		begin := time.Now()
		go func() {
			require.NoError(t, l.change(t.Context()))
			require.Equal(t, session.MaxHold, time.Since(begin))
			l.changed()
		}()
		synctest.Wait()
		second := make(chan uint64, 1)
		go func() {
			round, _ := holdFromNow(t.Context(), &l)
			second <- round
		}()
		synctest.Wait()
		require.NoError(t, l.change(t.Context()))
		require.Equal(t, 2*session.MaxHold, time.Since(begin))
		require.False(t, l.release(hung))
		require.False(t, l.release(<-second))
		l.changed()
		require.Zero(t, l.holds)
	})
}

// TestAHoldThatWaitedLastsAsLong has a signer wait behind a change that waits for one that hangs: the wait is
// not taken from its own time.
func TestAHoldThatWaitedLastsAsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ref := New(), session.Ref{Account: common.Address{1}, ChainID: 1}
		lasts := func(long time.Duration) func(uint64) error {
			return func(uint64) error { time.Sleep(long); return nil }
		}
		var group errgroup.Group
		group.Go(func() error { return store.Hold(t.Context(), ref, lasts(2*session.MaxHold)) })
		synctest.Wait()
		group.Go(func() error {
			_, err := store.Stop(t.Context(), session.Stop{Name: "other", Ref: ref, Key: common.Address{2}, Who: "test", Why: "to wait"})
			return err
		})
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, store.HoldKey(t.Context(), ref, common.Address{3}, lasts(session.MaxHold-1)))
		require.Equal(t, 2*session.MaxHold-1, time.Since(begin))
		require.ErrorContains(t, group.Wait(), "were not held to the end: the signer took longer than 10s")
	})
}

// TestAStopOfEverythingWaitsForAHoldThatWaited is the same with a stop of everything that waits for it, or
// that broke its place among those who sign while it waited for its account.
func TestAStopOfEverythingWaitsForAHoldThatWaited(t *testing.T) {
	for name, test := range map[string]struct{ first, stopAt time.Duration }{
		"waits": {session.MaxHold / 2, session.MaxHold/2 + time.Second},
		"broke": {2 * session.MaxHold, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, ref := New(), session.Ref{Account: common.Address{1}, ChainID: 1}
				stop := func(name string, of session.Ref) error {
					_, err := store.Stop(t.Context(), session.Stop{Name: name, Ref: of, Key: common.Address{2}, Who: "test", Why: "to wait"})
					return err
				}
				var group errgroup.Group
				go func() {
					_ = store.Hold(t.Context(), ref, func(uint64) error { time.Sleep(test.first); return nil })
				}()
				synctest.Wait()
				group.Go(func() error { return stop("one", ref) })
				synctest.Wait()
				group.Go(func() error { time.Sleep(test.stopAt); return stop("all", session.Ref{}) })
				require.NoError(t, store.HoldKey(t.Context(), ref, common.Address{3}, func(uint64) error {
					time.Sleep(session.MaxHold - 1)
					return nil
				}), "it began later")
				require.NoError(t, group.Wait())
				time.Sleep(session.MaxHold)
			})
		})
	}
}

// TestHoldLockGivesUp has some wait with contexts that end: whoever comes next is let in.
func TestHoldLockGivesUp(t *testing.T) {
	var l holdLock
	round, err := holdFromNow(t.Context(), &l)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var group errgroup.Group
	for range 3 {
		group.Go(func() error { return l.change(ctx) })
	}
	group.Go(func() error { _, err := holdFromNow(ctx, &l); return err })
	time.Sleep(10 * time.Millisecond)
	cancel()
	require.ErrorIs(t, group.Wait(), context.Canceled)
	require.True(t, l.release(round))
	require.NoError(t, l.change(t.Context()))
	l.changed()
	round, err = holdFromNow(t.Context(), &l)
	require.NoError(t, err)
	require.True(t, l.release(round))
}

// TestHoldLockUnderLoad has many hold, change and give up at once: nobody is beside a change.
func TestHoldLockUnderLoad(t *testing.T) {
	var l holdLock
	var holding, changing atomic.Int32
	var group errgroup.Group
	for n := range 8 {
		group.Go(func() error {
			for i := range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%7*n)*100*time.Microsecond)
				if (n+i)%4 == 0 {
					if l.change(ctx) == nil {
						if changing.Add(1) != 1 || holding.Load() != 0 {
							t.Error("beside a change")
						}
						changing.Add(-1)
						l.changed()
					}
				} else if round, err := holdFromNow(context.WithoutCancel(ctx), &l); err == nil {
					holding.Add(1)
					if changing.Load() != 0 {
						t.Error("a hold beside a change")
					}
					holding.Add(-1)
					l.release(round)
				}
				cancel()
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Zero(t, l.holds)
	require.Empty(t, l.waiting)
	require.False(t, l.changing)
}
