package pgstore_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storetest"
)

// crashEnv tells a process that it is one of those to be killed.
const crashEnv = "SESAME_PGSTORE_CRASH"

// TestCrash kills clients; that the server keeps what it has committed is PostgreSQL's own business.
func TestCrash(t *testing.T) {
	root, doomed := server.Root(t), os.Getenv(crashEnv) != ""
	t.Setenv(pgtest.URLEnv, root)
	t.Setenv(crashEnv, "1")
	var made sync.Map
	letters := []byte("ab")
	storetest.Crash(t, storetest.CrashConfig{
		ChainID: testRef.ChainID,
		Open: func(dir string) (session.Store, error) {
			schema := fmt.Sprintf("sesame_crash_%x", sha256.Sum256([]byte(dir)))[:40]
			pgtest.Exec(t, root, "create schema if not exists "+schema)
			if _, again := made.LoadOrStore(schema, true); !again && !doomed {
				pgtest.ExecAfter(t, root, "drop schema "+schema+" cascade")
			}
			url := pgtest.With(pgtest.With(root, "search_path", schema), "application_name", schema)
			awaitGone(t, root, schema)
			return pgstore.Open(context.Background(), url, pgstore.Config{Sealer: seal.Any{newSealer('a'), newSealer('b')}})
		},
		Close: func(store session.Store) error { return store.(*pgstore.Store).Close() },
		Rotate: func(ctx context.Context, store session.Store) error {
			letters[0], letters[1] = letters[1], letters[0]
			return store.(*pgstore.Store).Rotate(ctx, newSealer(letters[0]))
		},
	})
}

// awaitGone waits until the server is done with what killed processes had sent to it.
func awaitGone(t *testing.T, url, application string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return query(t, url, `select count(*)::text from pg_stat_activity where application_name = $1`, application) == "0"
	}, time.Minute, time.Millisecond)
}
