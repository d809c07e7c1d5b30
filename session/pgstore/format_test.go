package pgstore_test

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/holiman/uint256"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
	"github.com/go-sesame/sesame/internal/testutil/storefixture"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
)

// writeFixture has [TestWriteFixture] keep what the store of today writes: go test ./session/pgstore -run
// WriteFixture -fixture testdata/schema5.sql. It takes pg_dump.
var writeFixture = flag.String("fixture", "", "file to write a dump of today's schema to")

// The holders of the fixture's lanes; the second released its own.
const (
	laneHolder   = "worker 1"
	laneReleaser = "worker 2"
)

// psqlOnly are the lines of a dump that a server does not take.
var psqlOnly = regexp.MustCompile(`(?m)^(\\|SET |SELECT pg_catalog\.set_config|CREATE SCHEMA).*\n`)

func TestWriteFixture(t *testing.T) {
	if *writeFixture == "" {
		t.Log("writes nothing unless it is told where")
		return
	}
	url := server.URL(t)
	schema, store := query(t, url, `select current_schema()`), openFixture(t, url)
	require.NoError(t, storefixture.Write(t.Context(), store, 0))
	ref := storefixture.Ref(storefixture.Chain, 1)
	held, err := store.LeaseLane(t.Context(), ref, laneHolder, time.Hour)
	require.NoError(t, err)
	free, err := store.LeaseLane(t.Context(), ref, laneReleaser, time.Hour)
	require.NoError(t, err)
	require.NoError(t, store.ReleaseLane(t.Context(), ref, free, laneReleaser))

	dump, err := exec.Command("pg_dump", "--no-owner", "--no-privileges", "--inserts", "--schema", schema, server.Root(t)).Output()
	require.NoError(t, err)
	text := psqlOnly.ReplaceAllString(strings.ReplaceAll(string(dump), schema+".", ""), "")
	text = fmt.Sprintf("-- lanes: %s %s\n%s", held.Hex(), free.Hex(), text)
	require.NoError(t, os.MkdirAll(filepath.Dir(*writeFixture), 0o755))
	require.NoError(t, os.WriteFile(*writeFixture, []byte(text), 0o644))
}

// fixture restores a dump in a schema of its own, and returns the lanes in it: one that is held, and one that
// is free.
func fixture(t *testing.T, name string) (url string, held, free uint256.Int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var first, second string
	_, err = fmt.Sscanf(string(text), "-- lanes: %s %s\n", &first, &second)
	require.NoError(t, err)
	url = server.URL(t)
	pgtest.Exec(t, url, string(text))
	return url, *uint256.MustFromHex(first), *uint256.MustFromHex(second)
}

// TestFixtures opens what the stores of all schemas wrote.
func TestFixtures(t *testing.T) {
	for name, form := range map[string]int{"schema1.sql": 1, "schema2.sql": 2, "schema4.sql": 3} {
		t.Run(name, func(t *testing.T) {
			url, held, free := fixture(t, name)
			store := openFixture(t, url)
			require.NoError(t, storefixture.Require(t.Context(), store, form, 0))
			ref := storefixture.Ref(storefixture.Chain, 1)
			leased, err := store.LeaseLane(t.Context(), ref, laneReleaser, time.Hour)
			require.NoError(t, err)
			require.Equal(t, free, leased, "the one that was released")
			require.NoError(t, store.RenewLane(t.Context(), ref, held, laneHolder, time.Hour))
		})
	}
}

// What a program of the first schema says to the server to hold sessions and to change them, as it was
// released.
const (
	lockOfSchema1  = `select pg_advisory_xact_lock_shared(sesame_lock('session', $1, $2))`
	lanesOfSchema1 = `select pg_advisory_xact_lock(sesame_lock('lanes', $1, $2))`
	applyOfSchema1 = `select have, done, missing from sesame_apply(
	$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`
)

// TestAProgramOfTheFirstSchemaStops has one run on while another process brings the schema up to date and
// suspends a session.
func TestAProgramOfTheFirstSchemaStops(t *testing.T) {
	url, _, _ := fixture(t, "schema1.sql")
	ref := storefixture.Ref(storefixture.OtherChain, 1)
	old, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = old.Close(context.Background()) }()
	none := [][]byte{}
	statements := map[string][]any{
		lockOfSchema1:  {ref.ChainID, ref.Account[:]},
		lanesOfSchema1: {ref.ChainID, ref.Account[:]},
		applyOfSchema1: {ref.ChainID, ref.Account[:], int64(77), make([]byte, 32), nil, nil, nil, nil, nil, nil,
			none, []int16{}, []bool{}, []int64{}, []int64{}, none, none, none, none, none},
	}
	for statement, arguments := range statements { // prepared and cached as a program has them
		_, err := old.Exec(t.Context(), statement, arguments...)
		require.NoError(t, err)
	}

	sess, err := session.Open(t.Context(), openFixture(t, url), ref)
	require.NoError(t, err)
	require.NoError(t, sess.Suspend(t.Context(), "a"))
	for statement, arguments := range statements {
		_, err := old.Exec(t.Context(), statement, arguments...)
		require.EqualError(t, err, "ERROR: session schema is newer than the program: it is version 2, the program knows up to 1; update the program (SQLSTATE SES01)")
	}
}

// What a program of the second schema says to the server to read a version, to hold sessions and to change
// them, as it was released.
const (
	lockOfSchema2  = `select pg_advisory_xact_lock_shared(sesame_lock(2, 'session', $1, $2))`
	lanesOfSchema2 = `select pg_advisory_xact_lock(sesame_lock(2, 'lanes', $1, $2))`
	readOfSchema2  = `select version, checksum = sesame_session_sum(chain_id, account, version, leaves, root, tree_order,
			pending_root, pending_op, pending_nonce, pending_add, pending_remove, pending_operation, pending_until)
		from sesame_sessions where chain_id = $1 and account = $2`
	applyOfSchema2 = `select have, done, missing from sesame_apply(2,
	$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::json, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`
)

// TestAProgramOfTheSecondSchemaStops has one run on while another process brings the schema up to date and
// suspends a session. Rows that were changed by hand before stay what they are.
func TestAProgramOfTheSecondSchemaStops(t *testing.T) {
	url, _, _ := fixture(t, "schema2.sql")
	ref, spoilt := storefixture.Ref(storefixture.OtherChain, 1), storefixture.Ref(storefixture.Chain, 2)
	pgtest.Exec(t, url, `update sesame_sessions set version = version + 1 where account = '\x`+hex.EncodeToString(spoilt.Account[:])+`'`)
	old, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = old.Close(context.Background()) }()
	none := [][]byte{}
	statements := map[string][]any{
		lockOfSchema2:  {ref.ChainID, ref.Account[:]},
		lanesOfSchema2: {ref.ChainID, ref.Account[:]},
		readOfSchema2:  {ref.ChainID, ref.Account[:]},
		applyOfSchema2: {ref.ChainID, ref.Account[:], int64(77), make([]byte, 32), nil, nil, nil, nil, nil, nil, nil, 0,
			none, []int16{}, []bool{}, []int64{}, []int64{}, none, none, none, none, none},
	}
	for statement, arguments := range statements { // prepared and cached as a program has them
		_, err := old.Exec(t.Context(), statement, arguments...)
		require.NoError(t, err)
	}

	store := openFixture(t, url)
	sess, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err)
	require.NoError(t, sess.Suspend(t.Context(), "a"))
	for statement, arguments := range statements {
		_, err := old.Exec(t.Context(), statement, arguments...)
		require.Error(t, err)
		require.Regexp(t, `^ERROR: it is version [345], the program knows up to 2; update the program \(SQLSTATE SES01\)$`, err.Error())
	}
	_, err = store.Load(t.Context(), spoilt)
	require.ErrorIs(t, err, session.ErrDamaged)
}

// TestAProgramOfTheFourthSchemaStops has one run on that would sign what is stopped, and record what nothing
// was reserved for.
func TestAProgramOfTheFourthSchemaStops(t *testing.T) {
	url, _, _ := fixture(t, "schema4.sql")
	ref := storefixture.Ref(storefixture.Chain, 1)
	old, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = old.Close(context.Background()) }()
	const lockOfSchema4 = `select pg_advisory_xact_lock_shared(sesame_lock(4, $1, $2, $3))`
	_, err = old.Exec(t.Context(), lockOfSchema4, "session", ref.ChainID, ref.Account[:])
	require.NoError(t, err)

	store := openFixture(t, url)
	_, err = store.Stop(t.Context(), session.Stop{Name: "x", Ref: ref, Who: "alice", Why: "a test"})
	require.NoError(t, err)
	for _, what := range []string{"session", "outbox", "lanes"} {
		_, err = old.Exec(t.Context(), lockOfSchema4, what, ref.ChainID, ref.Account[:])
		require.EqualError(t, err, "ERROR: it is version 5, the program knows up to 4; update the program (SQLSTATE SES01)")
	}
}

// openFixture opens the fixtures' store.
func openFixture(t *testing.T, url string) *pgstore.Store {
	t.Helper()
	aead, err := storefixture.Sealer()
	require.NoError(t, err)
	store, err := pgstore.Open(t.Context(), url, pgstore.Config{Sealer: aead})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// TestThisProgramStopsAtTheNextSchema has a later program bring the schema up to date while this one runs.
func TestThisProgramStopsAtTheNextSchema(t *testing.T) {
	url := server.URL(t)
	store := stored(t, url)
	function, err := os.ReadFile("schema/0005_budgets.sql")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(function), "create or replace function sesame_lock(program integer")
	require.True(t, found)
	body, _, found := strings.Cut(after, "$$;")
	require.True(t, found)
	body = strings.NewReplacer("program <> 5", "program <> 6", "is version 5", "is version 6").Replace(body)
	pgtest.Exec(t, url, "create or replace function sesame_lock(program integer"+body+"$$;")

	const refused = "session schema is newer than the program: ERROR: it is version 6, the program knows up to 5; update the program (SQLSTATE SES01)"
	err = store.Hold(t.Context(), testRef, func(uint64) error { t.Error("held"); return nil })
	require.ErrorIs(t, err, pgstore.ErrSchema)
	require.EqualError(t, err, "hold sessions of "+testRef.String()+": "+refused)
	_, err = store.Apply(t.Context(), testRef, 1, &session.Change{})
	require.EqualError(t, err, "change sessions of "+testRef.String()+": "+refused)
	_, err = store.LeaseLane(t.Context(), testRef, "a", time.Minute)
	require.ErrorIs(t, err, pgstore.ErrSchema)
	_, err = store.Outbox().Record(t.Context(), sendOf("a", 7))
	require.ErrorIs(t, err, pgstore.ErrSchema)
	_, err = store.Outbox().Claim(t.Context(), 0, sendOf("a", 7).Lease, 0)
	require.ErrorIs(t, err, pgstore.ErrSchema)
}
