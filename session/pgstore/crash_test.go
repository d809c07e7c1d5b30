package pgstore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storetest"
)

// TestCrash kills clients; that the server keeps what it has committed is PostgreSQL's own business.
func TestCrash(t *testing.T) {
	root := server.Root(t)
	t.Setenv(pgtest.URLEnv, root) // for the processes that are killed
	letters := []byte("ab")
	var made sync.Map
	storetest.Crash(t, storetest.CrashConfig{
		ChainID: testRef.ChainID,
		Open: func(dir string) (session.Store, error) {
			schema := fmt.Sprintf("sesame_crash_%x", sha256.Sum256([]byte(dir)))[:40]
			pgtest.Exec(t, root, "create schema if not exists "+schema)
			if _, again := made.LoadOrStore(schema, true); !again {
				t.Cleanup(func() { pgtest.Exec(t, root, "drop schema "+schema+" cascade") }) // not run when killed
			}
			return pgstore.Open(context.Background(), pgtest.With(root, "search_path", schema), pgstore.Config{
				Sealer: seal.Any{newSealer('a'), newSealer('b')},
			})
		},
		Close: func(store session.Store) error { return store.(*pgstore.Store).Close() },
		Rotate: func(ctx context.Context, store session.Store) error {
			letters[0], letters[1] = letters[1], letters[0]
			return store.(*pgstore.Store).Rotate(ctx, newSealer(letters[0]))
		},
	})
}
