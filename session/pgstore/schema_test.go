package pgstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/userop/outbox"
)

// query returns what one row and column says, as text.
func query(t testing.TB, url, sql string, arguments ...any) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	require.NoError(t, conn.QueryRow(t.Context(), sql, arguments...).Scan(&value))
	return value
}

// TestOpenAtOnce starts many replicas on an empty database.
func TestOpenAtOnce(t *testing.T) {
	url := server.URL(t)
	stores := make([]*pgstore.Store, 12)
	var group errgroup.Group
	for i := range stores {
		group.Go(func() (err error) {
			stores[i], err = pgstore.Open(t.Context(), pgtest.With(url, "pool_max_conns", "2"), pgstore.Config{Sealer: newSealer('a')})
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, "5", query(t, url, `select count(*)::text from sesame_schema`))
	require.Equal(t, "1", query(t, url, `select count(*)::text from sesame_data_keys`))
	key, err := stores[0].NewKey(t.Context(), testRef)
	require.NoError(t, err)
	for _, store := range stores {
		_, err := store.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key})
		require.NoError(t, err)
		require.NoError(t, store.Close())
	}
}

func TestOpenAgainChangesNothing(t *testing.T) {
	url := server.URL(t)
	store := stored(t, url)
	before := query(t, url, `select max(applied_at)::text from sesame_schema`)
	again := open(t, url)
	require.Equal(t, before, query(t, url, `select max(applied_at)::text from sesame_schema`))
	want, err := store.Load(t.Context(), testRef)
	require.NoError(t, err)
	have, err := again.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, want, have)
}

// TestFirstSchema opens stores in two schemas that search_path names: the tables are those of the first,
// whatever the second has.
func TestFirstSchema(t *testing.T) {
	url := server.URL(t)
	theirs := stored(t, url)
	schema := query(t, url, `select current_schema()`)
	mine := "Mine of " + schema
	pgtest.Exec(t, url, `create schema "`+mine+`"`)
	both := pgtest.With(url, "search_path", `"`+mine+`",`+schema)
	for range 2 {
		_, err := open(t, both).Load(t.Context(), testRef)
		require.ErrorIs(t, err, session.ErrNotFound)
		require.Equal(t, "2", query(t, both, `select count(*)::text from pg_tables where tablename = 'sesame_schema' and schemaname in ($1, $2)`, mine, schema))
	}
	ours := stored(t, both)
	_, err := ours.Apply(t.Context(), testRef, 1, &session.Change{Header: session.Header{Root: common.Hash{1}}})
	require.NoError(t, err)
	state, err := theirs.Load(t.Context(), testRef)
	require.NoError(t, err)
	require.Equal(t, uint64(1), state.Version, "the other store is left alone")
}

func TestNewerSchema(t *testing.T) {
	url := server.URL(t)
	open(t, url)
	pgtest.Exec(t, url, `insert into sesame_schema (version, name) values (99, '0099_future.sql')`)
	_, err := pgstore.Open(t.Context(), url, pgstore.Config{})
	require.ErrorIs(t, err, pgstore.ErrSchema)
	require.EqualError(t, err, "session schema is newer than the program: it is version 99, the program knows up to 5; update the program")
}

// TestMigrationFails has a table in the way of the first step: nothing of it stays.
func TestMigrationFails(t *testing.T) {
	url := server.URL(t)
	pgtest.Exec(t, url, `create table sesame_keys (in_the_way int)`)
	_, err := pgstore.Open(t.Context(), url, pgstore.Config{})
	require.ErrorContains(t, err, `make session schema: schema/0001_sessions.sql: ERROR: relation "sesame_keys" already exists`)
	require.Equal(t, "false", query(t, url, `select (to_regclass('sesame_schema') is not null or to_regclass('sesame_sessions') is not null)::text`))
	pgtest.Exec(t, url, `drop table sesame_keys`)
	open(t, url)
}

// role returns the URL for a role that may do nothing but what the statements grant to ROLE.
func role(t *testing.T, url, grants string) string {
	t.Helper()
	schema := query(t, url, `select current_schema()`)
	name := strings.Replace(schema, "sesame_test_", "sesame_role_", 1)
	server.Exec(t, "create role "+name)
	server.ExecAfter(t, "drop owned by "+name+"; drop role "+name)
	pgtest.Exec(t, url, strings.NewReplacer("ROLE", name, "SCHEMA", schema).Replace("grant usage on schema SCHEMA to ROLE;"+grants))
	return pgtest.With(url, "role", name)
}

func TestRoleWithoutRights(t *testing.T) {
	const way = "; grant the role SELECT, INSERT, UPDATE and DELETE on the sesame_ tables, or let one that may create tables open the store once"
	t.Run("to make the schema", func(t *testing.T) {
		_, err := pgstore.Open(t.Context(), role(t, server.URL(t), ""), pgstore.Config{})
		require.ErrorContains(t, err, "make session schema: ERROR: permission denied for schema ")
		require.ErrorContains(t, err, way)
	})
	t.Run("to see the schema", func(t *testing.T) {
		url := server.URL(t)
		open(t, url)
		_, err := pgstore.Open(t.Context(), role(t, url, ""), pgstore.Config{})
		require.EqualError(t, err, "check session schema: ERROR: permission denied for table sesame_schema (SQLSTATE 42501)"+way)
	})
	t.Run("to write", func(t *testing.T) {
		url := server.URL(t)
		owner := stored(t, url)
		key, err := owner.NewKey(t.Context(), testRef)
		require.NoError(t, err)
		reader := open(t, role(t, url, "grant select on all tables in schema SCHEMA to ROLE"))
		_, err = reader.Load(t.Context(), testRef)
		require.NoError(t, err)
		require.NoError(t, reader.Hold(t.Context(), testRef, doNothing))
		_, err = reader.SignDigest(t.Context(), session.SignRequest{Ref: testRef, Key: key})
		require.NoError(t, err, "who may read may sign")

		_, err = reader.Apply(t.Context(), testRef, 1, &session.Change{})
		require.EqualError(t, err, "change sessions of "+testRef.String()+": ERROR: permission denied for table sesame_sessions (SQLSTATE 42501)"+way)
		_, err = reader.NewKey(t.Context(), testRef)
		require.ErrorContains(t, err, "permission denied for table sesame_keys (SQLSTATE 42501)"+way)
	})
	t.Run("to read the data keys", func(t *testing.T) {
		url := server.URL(t)
		open(t, url)
		limited := role(t, url, "grant select, insert, update, delete on all tables in schema SCHEMA to ROLE")
		store := open(t, limited)
		pgtest.Exec(t, url, "revoke select on sesame_data_keys from "+query(t, limited, "select current_user::text"))
		_, err := store.NewKey(t.Context(), testRef)
		require.ErrorContains(t, err, ": read data key: ERROR: permission denied for table sesame_data_keys (SQLSTATE 42501)"+way)
		require.Equal(t, 1, strings.Count(err.Error(), way), "the way out is told once")
	})
	t.Run("but all that are needed", func(t *testing.T) {
		url := server.URL(t)
		stored(t, url)
		store := open(t, role(t, url, "grant select, insert, update, delete on all tables in schema SCHEMA to ROLE"))
		_, err := store.Apply(t.Context(), testRef, 1, &session.Change{Put: newLeaves(1, 2), Delete: []string{newLeaf(0).ID}})
		require.NoError(t, err)
		_, err = store.NewKey(t.Context(), testRef)
		require.NoError(t, err)
		require.NoError(t, store.Rotate(t.Context(), newSealer('b')))
		send := sendOf("a", 7)
		send.Attempt.Reserved, err = store.Outbox().(outbox.Budgeter).Reserve(t.Context(), send.Send.ChainID, send.Send.Account, 0, spendingCharges(common.Address{1}, nil, 1), time.Hour)
		require.NoError(t, err)
		entry, err := store.Outbox().Record(t.Context(), send)
		require.NoError(t, err)
		_, err = store.Stop(t.Context(), session.Stop{Name: "x", Who: "alice", Why: "a test"})
		require.NoError(t, err)
		require.NoError(t, store.Lift(t.Context(), "x"))
		require.NoError(t, store.Outbox().Free(t.Context(), entry.ID, entry.Version))
	})
}
