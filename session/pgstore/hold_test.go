package pgstore_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
)

func doNothing(uint64) error { return nil }

// locker is the application name of the connection that is looked for in the server's list of locks.
const (
	locker        = "sesame lock test"
	advisoryLocks = `from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and a.application_name = '` + locker + `'`
)

// awaitNone waits until there are no such locks.
func awaitNone(t *testing.T, url, such string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return query(t, url, `select count(*)::text `+advisoryLocks+` and `+such) == "0"
	}, time.Minute, time.Millisecond)
}

// stored opens a store that holds one leaf of testRef.
func stored(t testing.TB, url string) *pgstore.Store {
	t.Helper()
	store := open(t, url)
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
	require.NoError(t, err)
	return store
}

// TestHoldUsesOneConnectionLess lets more sign at once than the pool has connections: if each held one and
// waited for a second to read its key on, none would go on.
func TestHoldUsesOneConnectionLess(t *testing.T) {
	for _, connections := range []string{"2", "4"} {
		t.Run(connections, func(t *testing.T) {
			store := open(t, pgtest.With(server.URL(t), "pool_max_conns", connections))
			key, err := store.NewKey(t.Context(), testRef)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var group errgroup.Group
			for range 32 {
				group.Go(func() error {
					return store.Hold(ctx, testRef, func(uint64) error {
						_, err := store.SignDigest(ctx, session.SignRequest{Ref: testRef, Key: key, Digest: common.Hash{1}})
						return err
					})
				})
			}
			require.NoError(t, group.Wait())
		})
	}
}

func TestHoldWaitsForConnection(t *testing.T) {
	store := open(t, pgtest.With(server.URL(t), "pool_max_conns", "2"))
	require.NoError(t, store.Hold(t.Context(), testRef, func(uint64) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := store.Hold(ctx, session.Ref{ChainID: 1, Account: testRef.Account}, doNothing)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "waited for a free connection")
		return nil
	}))
}

func TestPoolOfOneConnection(t *testing.T) {
	_, err := pgstore.Open(t.Context(), pgtest.With(server.URL(t), "pool_max_conns", "1"), pgstore.Config{})
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "set pool_max_conns to 2 or more")
}

// TestHoldKeepsChangesWaiting covers refs that were never stored, too.
func TestHoldKeepsChangesWaiting(t *testing.T) {
	url := pgtest.With(server.URL(t), "application_name", locker)
	store, other := open(t, url), open(t, url)
	for version := range uint64(2) {
		require.NoError(t, store.Hold(t.Context(), testRef, func(held uint64) error {
			require.Equal(t, version, held)
			require.NoError(t, other.Hold(t.Context(), testRef, doNothing), "is shared")
			_, err := other.Apply(t.Context(), session.Ref{ChainID: 7, Account: testRef.Account}, version, &session.Change{})
			require.NoError(t, err, "another session is not held")

			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err = other.Apply(ctx, testRef, version, &session.Change{})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "change sessions of "+testRef.String())
			awaitNone(t, url, "not l.granted") // until the server has heard of it, it could still be made
			return nil
		}))
		now, err := store.Version(t.Context(), testRef)
		require.NoError(t, err)
		require.Equal(t, version, now, "the change that ran out of time was not made")
		_, err = other.Apply(t.Context(), testRef, version, &session.Change{})
		require.NoError(t, err)
	}
}

// TestChangeIsNotStarved has the sessions held by one after the other without a gap.
func TestChangeIsNotStarved(t *testing.T) {
	url := server.URL(t)
	store, other := stored(t, url), open(t, url)
	var done atomic.Bool
	var group errgroup.Group
	for range 3 {
		group.Go(func() error {
			for !done.Load() {
				err := store.Hold(t.Context(), testRef, func(uint64) error { time.Sleep(5 * time.Millisecond); return nil })
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for version := range uint64(20) {
		_, err := other.Apply(t.Context(), testRef, version+1, &session.Change{})
		require.NoError(t, err)
	}
	done.Store(true)
	require.NoError(t, group.Wait())
}

// TestHoldLost ends the holder's connection behind its back: what was signed meanwhile must not be used.
func TestHoldLost(t *testing.T) {
	url := server.URL(t)
	store := stored(t, pgtest.With(url, "application_name", locker))
	endHolder := func(uint64) error {
		pgtest.Exec(t, url, `select pg_terminate_backend(l.pid) `+advisoryLocks)
		awaitNone(t, url, "true")
		return nil
	}
	err := store.Hold(t.Context(), testRef, endHolder)
	require.ErrorContains(t, err, "sessions of "+testRef.String()+" were not held to the end: ")

	mine := errors.New("mine")
	err = store.Hold(t.Context(), testRef, func(v uint64) error { return errors.Join(endHolder(v), mine) })
	require.ErrorIs(t, err, mine, "fn's own error says more")
	require.NoError(t, store.Hold(t.Context(), testRef, doNothing), "and all goes on")
}

// TestHoldFrozen does not come back before its deadline: the server gives the session to others.
func TestHoldFrozen(t *testing.T) {
	url := server.URL(t)
	store, other := stored(t, pgtest.With(url, "application_name", locker)), open(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := store.Hold(ctx, testRef, func(uint64) error {
		_, err := other.Apply(t.Context(), testRef, 1, &session.Change{})
		return err
	})
	require.ErrorContains(t, err, "sessions of "+testRef.String()+" were not held to the end: ")
}

// TestHoldEndedContext ends the context while fn runs, which then decides itself.
func TestHoldEndedContext(t *testing.T) {
	store := stored(t, server.URL(t))
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, store.Hold(ctx, testRef, func(uint64) error { cancel(); return nil }))
	_, err := store.Apply(t.Context(), testRef, 1, &session.Change{})
	require.NoError(t, err, "was given back")
}

// TestHoldSettings looks at the transaction of a holder: it bounds itself on the server too, and no setting
// of it stays on the connection.
func TestHoldSettings(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), pgtest.With(server.URL(t), "application_name", locker))
	require.NoError(t, err)
	defer pool.Close()
	store, err := pgstore.New(t.Context(), pool, pgstore.Config{})
	require.NoError(t, err)
	count := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), `select count(*) `+advisoryLocks).Scan(&n))
		return n
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, store.Hold(ctx, testRef, func(uint64) error {
		require.Equal(t, 2, count(), "the account's, and that of all who sign")
		return nil
	}))
	require.Zero(t, count())
	for _, setting := range []string{"statement_timeout", "idle_in_transaction_session_timeout"} {
		var value string
		require.NoError(t, pool.QueryRow(t.Context(), "show "+setting).Scan(&value))
		require.Equal(t, "0", value, setting)
	}
	require.NoError(t, store.Close())
	require.NoError(t, pool.Ping(t.Context()), "the caller's pool stays open")
}
