package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/seal"
)

// replicaEnv makes the test binary the program, as which replicas are started.
const replicaEnv = "SESAME_MANY_USERS_TEST_REPLICA"

// The private PostgreSQL that tests have where there is one; see postgres_test.go.
var (
	privateDatabase      func(*testing.T) string
	closePrivateDatabase = func() error { return nil }
)

// database returns the URL of an empty database.
func database(t *testing.T) string {
	t.Helper()
	if privateDatabase != nil {
		return privateDatabase(t)
	}
	url := os.Getenv("SESAME_TEST_POSTGRES_URL")
	if url == "" {
		t.Skip("no PostgreSQL for tests: name an empty database in SESAME_TEST_POSTGRES_URL")
	}
	return url
}

func TestMain(m *testing.M) {
	if os.Getenv(replicaEnv) != "" {
		main()
		return
	}
	stop := goleak.Cleanup(func(code int) {
		if err := closePrivateDatabase(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		}
		os.Exit(code)
	})
	opts := []goleak.Option{stop}
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
	page, err := store.(session.Lister).List(t.Context(), session.Query{Status: session.StatusActive})
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
		{"", "-join and -replicas share work in a database: name it with -store postgres://…", []string{"-join", "-store", "dir"}},
		{"x", "-join is for the replica itself; leave -replicas to the process that was started first", []string{"-join", "-replicas", "2", "-store", "postgres://h/d"}},
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
	require.Contains(t, help.String(), "many-users -store postgres://… -join\n        shares the work")
}
