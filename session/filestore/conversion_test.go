//go:build linux

package filestore

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
)

// openFiles counts this process's descriptors of files in dir.
func openFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range all {
		if path, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && (path == dir || filepath.Dir(path) == dir) {
			n++
		}
	}
	return n
}

// A program without the store's locks that reads the data keeps a change waiting, which then goes through or
// says who is in the way; nothing is lost, a reader elsewhere is served all the time, and nothing stays open.
func TestLockCannotBeTurned(t *testing.T) {
	t.Parallel() // a change waits for some seconds
	store := testOpen(t, testDir(t), nil)
	dir, err := filepath.EvalSymlinks(store.dir)
	require.NoError(t, err)
	version, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: manyLeaves(3)})
	require.NoError(t, err)
	beside, err := OpenReadOnly(dir, Config{})
	require.NoError(t, err)

	other, err := os.Open(filepath.Join(dir, dataName))
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(other.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), "the writer's is a reader's lock between changes")
	_, err = store.Apply(t.Context(), testRef, version, &session.Change{Put: manyLeaves(4)})
	require.ErrorIs(t, err, ErrInUse)
	for _, s := range []*Store{store, beside} {
		state, err := s.Load(t.Context(), testRef)
		require.NoError(t, err)
		require.Equal(t, version, state.Version)
		require.NoError(t, s.Ping(t.Context()))
	}

	let := time.AfterFunc(200*time.Millisecond, func() { _ = other.Close() })
	defer let.Stop()
	version, err = store.Apply(t.Context(), testRef, version, &session.Change{Put: manyLeaves(4)})
	require.NoError(t, err)
	version, err = store.Apply(t.Context(), testRef, version, &session.Change{Put: manyLeaves(5)})
	require.NoError(t, err)
	_, err = store.Apply(t.Context(), testRef, version-1, &session.Change{Put: manyLeaves(6)})
	require.ErrorIs(t, err, session.ErrConflict)
	state, err := beside.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, version, state.Version)
	require.NoError(t, errors.Join(beside.Close(), store.Close()))
	require.Zero(t, openFiles(t, dir))
	require.ErrorIs(t, store.Ping(t.Context()), session.ErrClosed)
	require.ErrorIs(t, beside.Ping(t.Context()), session.ErrClosed)
}
