package memstore

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session"
)

// TestHoldLockInOrder has a change wait for a hold, and a later hold for the change.
func TestHoldLockInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l holdLock
		first, err := l.hold(t.Context())
		require.NoError(t, err)
		var order []string
		go func() {
			require.NoError(t, l.change(t.Context()))
			order = append(order, "change")
			l.changed()
		}()
		synctest.Wait()
		go func() {
			round, err := l.hold(t.Context())
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
		hung, err := l.hold(t.Context())
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
			round, _ := l.hold(t.Context())
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

// TestHoldLockGivesUp has some wait with contexts that end: whoever comes next is let in.
func TestHoldLockGivesUp(t *testing.T) {
	var l holdLock
	round, err := l.hold(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var group errgroup.Group
	for range 3 {
		group.Go(func() error { return l.change(ctx) })
	}
	group.Go(func() error { _, err := l.hold(ctx); return err })
	time.Sleep(10 * time.Millisecond)
	cancel()
	require.ErrorIs(t, group.Wait(), context.Canceled)
	require.True(t, l.release(round))
	require.NoError(t, l.change(t.Context()))
	l.changed()
	round, err = l.hold(t.Context())
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
				} else if round, err := l.hold(context.WithoutCancel(ctx)); err == nil {
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
