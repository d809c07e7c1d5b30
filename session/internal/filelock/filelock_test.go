package filelock_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/session/internal/filelock"
)

func TestExclusion(t *testing.T) {
	lock := filelock.RW{Path: filepath.Join(t.TempDir(), "lock")}
	var readers, writers atomic.Int32
	var group errgroup.Group
	for n := range 8 {
		group.Go(func() error {
			for range 20 {
				acquire, inside := lock.RLock, &readers
				if n%2 == 0 {
					acquire, inside = lock.Lock, &writers
				}
				unlock, err := acquire(t.Context())
				if err != nil {
					return err
				}
				inside.Add(1)
				if w := writers.Load(); w > 1 || w == 1 && readers.Load() > 0 {
					t.Errorf("%d writers with %d readers", w, readers.Load())
				}
				inside.Add(-1)
				unlock()
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

func TestReadersShare(t *testing.T) {
	lock := filelock.RW{Path: filepath.Join(t.TempDir(), "lock")}
	first, err := lock.RLock(t.Context())
	require.NoError(t, err)
	second, err := lock.RLock(t.Context())
	require.NoError(t, err)
	first()
	second()
	writer, err := lock.Lock(t.Context())
	require.NoError(t, err)
	writer()
}

// Readers that take turns without a pause between them do not keep a writer out.
func TestWriterIsNotStarved(t *testing.T) {
	lock := filelock.RW{Path: filepath.Join(t.TempDir(), "lock")}
	var done atomic.Bool
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			for !done.Load() {
				unlock, err := lock.RLock(t.Context())
				if err != nil {
					return err
				}
				unlock()
			}
			return nil
		})
	}
	unlock, err := lock.Lock(t.Context())
	require.NoError(t, err)
	done.Store(true)
	unlock()
	require.NoError(t, group.Wait())
}

// A writer that waits lets nobody pass.
func TestPass(t *testing.T) {
	lock := filelock.RW{Path: filepath.Join(t.TempDir(), "lock")}
	require.NoError(t, lock.Pass(t.Context()))
	release, err := lock.RLock(t.Context())
	require.NoError(t, err)
	require.NoError(t, lock.Pass(t.Context()))

	var group errgroup.Group
	group.Go(func() error {
		unlock, err := lock.Lock(t.Context())
		if err == nil {
			unlock()
		}
		return err
	})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		return errors.Is(lock.Pass(ctx), context.DeadlineExceeded)
	}, time.Minute, time.Millisecond)
	release()
	require.NoError(t, lock.Pass(t.Context()))
	require.NoError(t, group.Wait())
}

func TestWaitEndsWithContext(t *testing.T) {
	lock := filelock.RW{Path: filepath.Join(t.TempDir(), "lock")}
	unlock, err := lock.Lock(t.Context())
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, acquire := range []func(context.Context) (func(), error){lock.Lock, lock.RLock} {
		_, err := acquire(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "wait for lock "+lock.Path+": context canceled")
	}
}
