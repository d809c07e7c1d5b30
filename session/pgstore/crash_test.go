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
	schemas := newCrashSchemas(t)
	letters := []byte("ab")
	storetest.Crash(t, storetest.CrashConfig{
		ChainID: testRef.ChainID,
		Open: func(dir string) (session.Store, error) {
			sealers := seal.Any{newSealer('a'), newSealer('b')}
			return pgstore.Open(context.Background(), schemas.url(t, dir), pgstore.Config{Sealer: sealers})
		},
		Close: func(store session.Store) error { return store.(*pgstore.Store).Close() },
		Rotate: func(ctx context.Context, store session.Store) error {
			letters[0], letters[1] = letters[1], letters[0]
			return store.(*pgstore.Store).Rotate(ctx, newSealer(letters[0]))
		},
	})
}

// crashSchemas are the schemas that processes use until they are killed.
type crashSchemas struct {
	root   string
	doomed bool // this process is one of them
	made   sync.Map
}

func newCrashSchemas(t *testing.T) *crashSchemas {
	s := &crashSchemas{root: server.Root(t), doomed: os.Getenv(crashEnv) != ""}
	t.Setenv(pgtest.URLEnv, s.root)
	t.Setenv(crashEnv, "1")
	return s
}

// url returns the URL of a directory's schema, when the server is done with what killed processes had sent.
func (s *crashSchemas) url(t *testing.T, dir string) string {
	schema := fmt.Sprintf("sesame_crash_%x", sha256.Sum256([]byte(dir)))[:40]
	if _, again := s.made.LoadOrStore(schema, true); !again {
		server.Exec(t, "create schema if not exists "+schema)
		if !s.doomed {
			server.ExecAfter(t, "drop schema "+schema+" cascade")
		}
	}
	require.Eventually(t, func() bool {
		return server.Count(t, `select count(*) from pg_stat_activity where application_name = $1`, schema) == 0
	}, time.Minute, time.Millisecond)
	return pgtest.With(pgtest.With(s.root, "search_path", schema), "application_name", schema)
}
