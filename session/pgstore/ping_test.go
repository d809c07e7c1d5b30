package pgstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session/pgstore"
)

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// A database that is not what the store was opened on any more does not serve.
func TestPingOfAnotherDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		change, says string
		is           error
	}{
		"newer schema": {`insert into sesame_schema (version, name) values (6, 'x')`, "it is version 6, the program knows up to 5", pgstore.ErrSchema},
		"older schema": {`delete from sesame_schema where version = 5`, "its schema is version 4, the program is for 5: the database was replaced or restored; open the store again", nil},
		"no schema":    {`drop table sesame_schema`, "open the store again to have it made", nil},
		"a standby": {
			`create function pg_is_in_recovery() returns boolean language sql as 'select true'`,
			"connect to the primary", nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := server.URL(t)
			url = pgtest.With(url, "search_path", query(t, url, `select current_schema()`)+",pg_catalog") // for a function of that name
			store := open(t, url)
			execute(t, url, c.change) // before the first Ping, whose statement is kept with its function
			err := store.Ping(t.Context())
			require.ErrorContains(t, err, c.says)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
}

// A database that does not answer is told of within the store's time, and a Ping changes nothing.
func TestPingOfADatabaseThatDoesNotAnswer(t *testing.T) {
	url := server.URL(t)
	store := open(t, url)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `lock table sesame_schema in access exclusive mode`)
	require.NoError(t, err)
	usual := 5 * time.Second
	store.SetTimeout(300 * time.Millisecond)
	begun := time.Now()
	require.ErrorContains(t, store.Ping(t.Context()), "did not answer in time")
	require.Less(t, time.Since(begun), usual)
	store.SetTimeout(usual)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, store.Ping(t.Context()))
	require.Equal(t, "5", query(t, url, `select count(*)::text from sesame_schema`))
}
