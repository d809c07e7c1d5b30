package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/userop/outbox"
)

var rotations atomic.Int64 // of this process

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sealer returns the n-th sealer.
func sealer(n byte) seal.AEAD {
	a, err := seal.NewKeyAEAD(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		panic(err)
	}
	return a
}

func open(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	store, err := filestore.Open(dir, filestore.Config{Sealer: sealer(1)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestConformance(t *testing.T) {
	dirs := make(map[session.Store]string)
	storetest.Run(t, storetest.Config{
		Open: func(t *testing.T) session.Store {
			dir := filepath.Join(t.TempDir(), "store")
			store := open(t, dir)
			dirs[store] = dir
			return store
		},
		Reopen: func(t *testing.T, store session.Store) session.Store {
			require.NoError(t, store.(*filestore.Store).Close())
			return open(t, dirs[store])
		},
	})
}

func TestOutbox(t *testing.T) {
	dirs, stores := make(map[outbox.Outbox]string), make(map[outbox.Outbox]*filestore.Store)
	openAt := func(t *testing.T, dir string) outbox.Outbox {
		store := open(t, dir)
		box := store.Outbox()
		dirs[box], stores[box] = dir, store
		return box
	}
	storetest.RunOutbox(t, storetest.OutboxConfig{
		Open: func(t *testing.T) outbox.Outbox { return openAt(t, filepath.Join(t.TempDir(), "store")) },
		Reopen: func(t *testing.T, box outbox.Outbox) outbox.Outbox {
			require.NoError(t, stores[box].Close())
			return openAt(t, dirs[box])
		},
	})
}

func TestOutboxCrash(t *testing.T) {
	stores := make(map[outbox.Outbox]*filestore.Store)
	storetest.CrashOutbox(t, storetest.OutboxCrashConfig{
		Open: func(dir string) (outbox.Outbox, error) {
			store, err := filestore.Open(dir, filestore.Config{})
			if err != nil {
				return nil, err
			}
			stores[store.Outbox()] = store
			return store.Outbox(), nil
		},
		Close: func(box outbox.Outbox) error { return stores[box].Close() },
	})
}

func TestCrash(t *testing.T) {
	storetest.Crash(t, storetest.CrashConfig{
		ChainID: 80002,
		// A rotation may have happened or not: one of the two sealers opens the store.
		Open: func(dir string) (session.Store, error) {
			store, err := filestore.Open(dir, filestore.Config{Sealer: sealer(1)})
			if errors.Is(err, seal.ErrOpen) {
				store, err = filestore.Open(dir, filestore.Config{Sealer: sealer(2)})
			}
			return store, err
		},
		Close: func(store session.Store) error { return store.(*filestore.Store).Close() },
		Rotate: func(ctx context.Context, store session.Store) error {
			turn := rotations.Add(1)
			return store.(*filestore.Store).Rotate(ctx, sealer(byte(1+turn%2)))
		},
	})
}
