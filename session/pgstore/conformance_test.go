package pgstore_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storetest"
	"github.com/go-sesame/sesame/userop/outbox"
)

// newSealer returns a Sealer with a key of its own for each letter.
func newSealer(letter byte) seal.AEAD {
	key := make([]byte, 32)
	for i := range key {
		key[i] = letter
	}
	aead, err := seal.NewKeyAEAD(key)
	if err != nil {
		panic(err)
	}
	return aead
}

// open opens a store that is closed after the test.
func open(t testing.TB, url string) *pgstore.Store {
	t.Helper()
	store, err := pgstore.Open(context.Background(), url, pgstore.Config{Sealer: newSealer('a')})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func TestConformance(t *testing.T) { conform(t, 0, nil) }

// TestConformanceSettings changes what databases, poolers and callers may have set otherwise.
func TestConformanceSettings(t *testing.T) {
	for _, settings := range []map[string]string{
		{"default_query_exec_mode": "exec", "default_transaction_isolation": "serializable", "pool_max_conns": "2"},
		{"default_query_exec_mode": "simple_protocol", "default_transaction_isolation": "repeatable read"},
	} {
		t.Run(settings["default_query_exec_mode"], func(t *testing.T) { conform(t, 1000, settings) })
	}
}

func TestOutbox(t *testing.T) { conformOutbox(t, nil) }

func TestOutboxSettings(t *testing.T) {
	for _, settings := range []map[string]string{
		{"default_query_exec_mode": "exec", "default_transaction_isolation": "serializable", "pool_max_conns": "2"},
		{"default_query_exec_mode": "simple_protocol", "default_transaction_isolation": "repeatable read", "timezone": "Asia/Kathmandu", "datestyle": "German"},
	} {
		t.Run(settings["default_query_exec_mode"], func(t *testing.T) { conformOutbox(t, settings) })
	}
}

func conformOutbox(t *testing.T, settings map[string]string) {
	stores := make(map[outbox.Outbox]*pgstore.Store)
	urls := make(map[outbox.Outbox]string)
	openAt := func(t *testing.T, url string) outbox.Outbox {
		store := open(t, url)
		box := store.Outbox()
		stores[box], urls[box] = store, url
		return box
	}
	storetest.RunOutbox(t, storetest.OutboxConfig{
		Open: func(t *testing.T) outbox.Outbox {
			url := server.URL(t)
			for name, value := range settings {
				url = pgtest.With(url, name, value)
			}
			return openAt(t, url)
		},
		Reopen: func(t *testing.T, box outbox.Outbox) outbox.Outbox {
			require.NoError(t, stores[box].Close())
			return openAt(t, urls[box])
		},
		Join: func(t *testing.T, box outbox.Outbox) outbox.Outbox { return openAt(t, urls[box]) },
	})
}

func conform(t *testing.T, leaves int, settings map[string]string) {
	urls := make(map[session.Store]string)
	openAt := func(t *testing.T, url string) session.Store {
		store := open(t, url)
		urls[store] = url
		return store
	}
	storetest.Run(t, storetest.Config{
		Open: func(t *testing.T) session.Store {
			url := server.URL(t)
			t.Cleanup(func() { requireDense(t, url) })
			withSettings := url
			for name, value := range settings {
				withSettings = pgtest.With(withSettings, name, value)
			}
			return openAt(t, withSettings)
		},
		Reopen: func(t *testing.T, store session.Store) session.Store {
			require.NoError(t, store.(*pgstore.Store).Close())
			return openAt(t, urls[store])
		},
		Leaves: leaves,
		Join:   func(t *testing.T, store session.Store) session.Store { return openAt(t, urls[store]) },
	})
}

// requireDense looks at the tables: each session counts its leaves, and their positions have no gaps.
func requireDense(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	var wrong int
	require.NoError(t, conn.QueryRow(context.Background(), `select count(*) from sesame_sessions s, lateral (
			select count(*) as leaves, coalesce(max(position) + 1, 0) as places
			from sesame_leaves l where l.chain_id = s.chain_id and l.account = s.account
		) as l where s.leaves <> l.leaves or s.leaves <> l.places`).Scan(&wrong))
	require.Zero(t, wrong, "sessions with gaps")
}
