package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
)

// replicaEnv makes the test binary the program, as which replicas are started.
const replicaEnv = "SESAME_MANY_USERS_TEST_REPLICA"

// database returns the URL of a database with an empty schema of the test's own.
func database(t *testing.T) string {
	t.Helper()
	root := cmp.Or(os.Getenv("SESAME_EXAMPLES_POSTGRES_URL"), os.Getenv("SESAME_TEST_POSTGRES_URL"))
	if root == "" {
		t.Skip("no PostgreSQL for tests: name a database in SESAME_TEST_POSTGRES_URL, as make test does")
	}
	schema := "many_users_" + strings.ToLower(rand.Text())
	execute(t, root, "create schema "+schema)
	t.Cleanup(func() { execute(t, root, "drop schema "+schema+" cascade") })
	at, err := url.Parse(root)
	require.NoError(t, err)
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	return at.String()
}

func execute(t *testing.T, database, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a cleanup's context has ended
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}

func TestMain(m *testing.M) {
	if os.Getenv(replicaEnv) != "" {
		main()
		return
	}
	var opts []goleak.Option
	for _, function := range accounttest.LeftGoroutines() {
		opts = append(opts, goleak.IgnoreTopFunction(function))
	}
	goleak.VerifyTestMain(m, opts...)
}

var installed bool

// requireContracts skips where the contracts are not installed.
func requireContracts(t *testing.T) {
	t.Helper()
	if !installed {
		accounttest.NewChain(t, accounttest.ChainConfig{})
		installed = true
	}
}

func TestEmbedded(t *testing.T) {
	requireContracts(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-users", "6", "-workers", "5"}, &out, io.Discard))
	require.Regexp(t, `^Many users, 5 workers
  users            6
  operations       12 in \d+ transactions
  granting         \S+, \d+ operations per second
  minting          \S+, \d+ operations per second
  together         \S+, \d+ operations per second
  NFTs             1 for each user
$`, out.String())
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "the temporary store is gone")
}

func TestKeptStore(t *testing.T) {
	requireContracts(t)
	t.Setenv(passphraseEnv, "correct horse")
	dir := filepath.Join(t.TempDir(), "store")
	args := []string{"-users", "3", "-store", dir}
	for range 2 { // the second time beside the users of the first
		require.NoError(t, run(t.Context(), args, io.Discard, io.Discard))
	}
	t.Setenv(passphraseEnv, "battery staple")
	require.ErrorIs(t, run(t.Context(), args, io.Discard, io.Discard), seal.ErrOpen)

	store, err := openStore(t.Context(), &options{store: dir, passphrase: "correct horse"})
	require.NoError(t, err)
	page, err := store.List(t.Context(), session.Query{Status: session.StatusActive})
	require.NoError(t, err)
	require.Len(t, page.Items, 6)
	require.NoError(t, store.Close())
}

func TestFlags(t *testing.T) {
	for _, test := range []struct {
		env, want string
		args      []string
	}{
		{"", "-users 0 -workers 32 -replicas 0: want at least one user and worker", []string{"-users", "0"}},
		{"", "-join and -replicas share work in a database: name it with -store postgres://…", []string{"-replicas", "2"}},
		{"", "-join and -replicas share work in a database: name it with -store postgres://…", []string{"-join", "r", "-store", "dir"}},
		{"x", "-join is for the replica itself; leave -replicas to the process that was started first", []string{"-join", "r", "-replicas", "2", "-store", "postgres://h/d"}},
		{"", "-from is for -join; the process that is started first begins with the first user", []string{"-from", "3"}},
		{"x", "-join works on the chain of the process that was started first: name it with -rpc, -bundler and -paymaster", []string{"-join", "r", "-rpc", "http://h", "-store", "postgres://h/d"}},
		{"", "-store keeps session keys, sealed by a passphrase: set SESAME_PASSPHRASE", []string{"-store", "dir"}},
		{"", `unexpected argument "now"; -h explains the flags`, []string{"now"}},
		{"", "flag provided but not defined: -quick; -h explains the flags", []string{"-quick"}},
	} {
		t.Setenv(passphraseEnv, test.env)
		require.EqualError(t, run(t.Context(), test.args, io.Discard, io.Discard), test.want)
	}
	var help bytes.Buffer
	t.Setenv(storeEnv, "postgres://user:secret@host/database")
	require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, &help))
	require.NotContains(t, help.String(), "secret")
	require.Contains(t, help.String(), "many-users -store postgres://… -join RUN -rpc URL -bundler URL -paymaster URL\n        shares the work")
}
