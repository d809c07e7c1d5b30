package filestore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/internal/filelock"
)

// names are the files of a directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// A store says of each of its files that it is gone, in the process that writes and in one that reads along,
// and puts nothing in its place.
func TestPingOfAStoreThatIsGone(t *testing.T) {
	for _, name := range []string{"sessions.db", "data.lock", "data.lock.gate", "."} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			writer := open(t, dir)
			reader := read(t, dir, 1)
			before := names(t, dir)
			for _, store := range []*filestore.Store{writer, reader} {
				require.NoError(t, store.Ping(t.Context()))
			}
			require.Equal(t, before, names(t, dir))
			require.NoError(t, os.Rename(filepath.Join(dir, name), filepath.Join(t.TempDir(), "away")))
			for _, store := range []*filestore.Store{writer, reader} {
				err := store.Ping(t.Context())
				require.ErrorIs(t, err, session.ErrDamaged)
				require.ErrorContains(t, err, "put back what was there, and open it again")
			}
			if name == "." {
				require.NoDirExists(t, dir)
				return
			}
			require.NoFileExists(t, filepath.Join(dir, name))
		})
	}
}

// Who waits for a change that does not end gets an answer.
func TestPingWhileTheDataIsLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	writer := open(t, dir)
	reader := read(t, dir, 1)
	unlock, err := filelock.RW{Path: filepath.Join(dir, "data.lock")}.Lock(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, reader.Ping(ctx), context.DeadlineExceeded)
	require.NoError(t, writer.Ping(t.Context()), "nobody else changes the data")

	changing := make(chan error, 1)
	go func() {
		_, err := writer.Apply(context.Background(), ref, 0, &session.Change{Put: leaves(1)})
		changing <- err
	}()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		return writer.Ping(ctx) != nil
	}, 10*time.Second, time.Millisecond, "behind a change that waits for the lock")
	begun := time.Now()
	err = writer.Ping(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "see which process has the data open")
	require.Less(t, time.Since(begun), 10*time.Second, "without a deadline of the caller's")
	unlock()
	require.NoError(t, <-changing)
	require.NoError(t, writer.Ping(t.Context()))
	require.NoError(t, reader.Ping(t.Context()))
}
