package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
)

// failInserts lets so many inserts of leaves fail with that SQLSTATE, and count.
func failInserts(t *testing.T, url, sqlstate string, times int) (tries func() string) {
	t.Helper()
	pgtest.Exec(t, url, fmt.Sprintf(`create sequence tries;
		create function fail() returns trigger language plpgsql as $$ begin
			if nextval('tries') <= %d then
				raise exception 'made up' using errcode = '%s';
			end if;
			return new;
		end $$;
		create trigger fail before insert on sesame_leaves for each row execute function fail()`, times, sqlstate))
	return func() string { return query(t, url, `select last_value::text from tries`) }
}

func TestSerializationFailureIsTriedAgain(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	tries := failInserts(t, url, "40001", 3)
	version, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
	require.NoError(t, err)
	require.EqualValues(t, 1, version)
	require.Equal(t, "4", tries())
}

func TestSerializationFailureForGood(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	tries := failInserts(t, url, "40001", 1000)
	_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
	require.EqualError(t, err, "change sessions of "+testRef.String()+": tried 10 times: ERROR: made up (SQLSTATE 40001)")
	require.Equal(t, "10", tries())
}

// TestOtherFailuresAreNotTriedAgain covers what a server says on a bad day.
func TestOtherFailuresAreNotTriedAgain(t *testing.T) {
	for sqlstate, way := range map[string]string{
		"53100": "; free space on the server's disk; nothing was changed",
		"53200": "; the server is out of memory; nothing was changed",
		"40P01": "", // deadlock
		"XX000": "",
	} {
		t.Run(sqlstate, func(t *testing.T) {
			url := server.URL(t)
			store := open(t, url)
			tries := failInserts(t, url, sqlstate, 1)
			_, err := store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
			require.EqualError(t, err, "change sessions of "+testRef.String()+": ERROR: made up (SQLSTATE "+sqlstate+")"+way)
			var answer *pgconn.PgError
			require.ErrorAs(t, err, &answer)
			require.Equal(t, "1", tries())
			_, err = store.Load(t.Context(), testRef)
			require.ErrorIs(t, err, session.ErrNotFound, "nothing was changed")
			_, err = store.Apply(t.Context(), testRef, 0, &session.Change{Put: newLeaves(0, 1)})
			require.NoError(t, err, "and all goes on")
		})
	}
}

// TestReadOnly connects to what looks like a standby.
func TestReadOnly(t *testing.T) {
	url := server.URL(t)
	stored(t, url)
	_, err := pgstore.Open(t.Context(), pgtest.With(url, "default_transaction_read_only", "on"), pgstore.Config{})
	require.ErrorContains(t, err, "read only connection: a standby cannot say what is revoked, connect to the primary")
}

// TestServerEndsStatements has the server itself keep to the context's deadline.
func TestServerEndsStatements(t *testing.T) {
	url := server.URL(t)
	store := stored(t, url)
	pgtest.Exec(t, url, `create function note() returns trigger language plpgsql as $$ begin
			raise exception 'statement_timeout is %', current_setting('statement_timeout');
		end $$;
		create trigger note before insert on sesame_leaves for each row execute function note()`)
	_, err := store.Apply(t.Context(), testRef, 1, &session.Change{Put: newLeaves(1, 2)})
	require.Regexp(t, `statement_timeout is (22s|2[01]\d\d\dms) `, err.Error())

	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	_, err = store.Apply(ctx, testRef, 1, &session.Change{Put: newLeaves(1, 2)})
	require.Regexp(t, `statement_timeout is (8s|[67]\d\d\dms) `, err.Error())

	ctx, cancel = context.WithTimeout(t.Context(), math.MaxInt64)
	defer cancel()
	_, err = store.Apply(ctx, testRef, 1, &session.Change{Put: newLeaves(1, 2)})
	require.Regexp(t, `statement_timeout is (22s|2[01]\d\d\dms) `, err.Error())
}

func TestBadInput(t *testing.T) {
	store := open(t, server.URL(t))
	far := session.Ref{ChainID: math.MaxInt64 + 1, Account: testRef.Account}
	const want = "invalid input: chain ID 9223372036854775808 is beyond what the database holds, 9223372036854775807"
	_, err := store.Load(t.Context(), far)
	require.EqualError(t, err, want)
	_, err = store.Apply(t.Context(), far, 0, &session.Change{})
	require.EqualError(t, err, want)
	_, err = store.NewKey(t.Context(), far)
	require.EqualError(t, err, want)
	_, err = store.List(t.Context(), session.Query{ChainID: far.ChainID})
	require.EqualError(t, err, want)
	_, err = store.Apply(t.Context(), testRef, math.MaxUint64, &session.Change{})
	require.ErrorIs(t, err, session.ErrConflict)
}

// TestSchemaGone drops the tables under a store.
func TestSchemaGone(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	pgtest.Exec(t, url, `drop table sesame_sessions`)
	_, err := store.Load(t.Context(), testRef)
	require.ErrorContains(t, err, `relation "sesame_sessions" does not exist (SQLSTATE 42P01); the schema was changed by hand`)
}

func TestClosedWhileWaiting(t *testing.T) {
	url := server.URL(t)
	store, other := stored(t, url), open(t, url)
	waiting := make(chan error)
	require.NoError(t, store.Hold(t.Context(), testRef, func(uint64) error {
		go func() {
			_, err := other.Apply(t.Context(), testRef, 1, &session.Change{})
			waiting <- errors.Join(err, other.Close())
		}()
		return nil
	}))
	require.NoError(t, <-waiting)
	_, err := other.Load(t.Context(), testRef)
	require.ErrorIs(t, err, session.ErrClosed)
}
