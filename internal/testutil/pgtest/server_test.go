package pgtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const killedEnv = "SESAME_PGTEST_KILLED"

func TestMain(m *testing.M) {
	if os.Getenv(killedEnv) != "" {
		runUntilKilled()
	}
	os.Exit(m.Run())
}

// private returns a server that is started here whatever other server is configured.
func private(t *testing.T) *Server {
	t.Setenv(URLEnv, "")
	server := new(Server)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return server
}

func TestServer(t *testing.T) {
	server := private(t)
	t.Run("schemas", func(t *testing.T) {
		one, two := server.URL(t), server.URL(t)
		require.NotEqual(t, one, two)
		Exec(t, one, "create table t (x int)")
		Exec(t, two, "create table t (x int)") // in a schema of its own

		conn, err := pgx.Connect(t.Context(), one)
		require.NoError(t, err)
		var addresses string
		require.NoError(t, conn.QueryRow(t.Context(), "show listen_addresses").Scan(&addresses))
		require.Empty(t, addresses, "no port is open")
		require.NoError(t, conn.Close(t.Context()))
	})
	t.Run("one connection is kept", func(t *testing.T) {
		first := server.Count(t, "select pg_backend_pid()")
		require.Equal(t, first, server.Count(t, "select pg_backend_pid()"))
		Exec(t, server.Root(t), fmt.Sprintf("select pg_terminate_backend(%d, 10000)", first))
		require.Error(t, server.exec(t, "select 1"), "it is found broken")
		require.NotEqual(t, first, server.Count(t, "select pg_backend_pid()"))
	})
	dir := server.cluster.dir
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.NoError(t, server.Close())
	require.NoDirExists(t, dir)
	require.NoError(t, server.Close(), "closing again does nothing")
}

// TestKilled kills a process that uses a server and waits for the server to be gone.
func TestKilled(t *testing.T) {
	private(t).Root(t) // skips where there is none
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedEnv+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	dir, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	dir = strings.TrimSuffix(dir, "\n")
	require.DirExists(t, dir)
	require.NoError(t, cmd.Process.Kill())
	require.ErrorContains(t, cmd.Wait(), "killed")
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, time.Minute, 10*time.Millisecond)
}

func runUntilKilled() {
	c, err := startCluster()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.dir)
	_, _ = io.Copy(io.Discard, os.Stdin)
	select {}
}

func TestGivenServer(t *testing.T) {
	t.Setenv(URLEnv, "postgres://elsewhere/db")
	var server Server
	require.Equal(t, "postgres://elsewhere/db", server.Root(t))
	require.NoError(t, server.Close())
}

// recorder notes how a test that needs a server ends without one.
type recorder struct {
	testing.TB
	skipped, failed string
}

func (r *recorder) Helper()                       {}
func (r *recorder) Name() string                  { return "TestOf" }
func (r *recorder) Skipf(format string, a ...any) { r.skipped = fmt.Sprintf(format, a...); panic(r) }
func (r *recorder) Fatalf(format string, a ...any) {
	r.failed = fmt.Sprintf(format, a...)
	panic(r)
}

func TestNoServer(t *testing.T) {
	for required, want := range map[string]recorder{
		"":  {skipped: ErrNoServer.Error()},
		"1": {failed: "start PostgreSQL for TestOf: " + ErrNoServer.Error()},
	} {
		t.Setenv(requireEnv, required)
		server, r := Server{err: ErrNoServer}, new(recorder)
		server.once.Do(func() {})
		require.Panics(t, func() { server.Root(r) })
		require.Equal(t, want, *r)
	}
}

func TestStartFails(t *testing.T) {
	private(t).Root(t)
	bin := t.TempDir()
	require.NoError(t, os.Chmod(bin, 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(bin), 0o755))
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho no space left >&2; exit 1\n"), 0o755))
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	_, err := startCluster()
	require.ErrorContains(t, err, "PostgreSQL did not start: initdb failed:\nno space left\n")
}

func TestWith(t *testing.T) {
	for given, want := range map[string]string{
		"postgres://h/d":     "postgres://h/d?name=a%20%26%27b",
		"postgres://h/d?x=y": "postgres://h/d?x=y&name=a%20%26%27b",
		"host=h":             `host=h name='a &\'b'`,
	} {
		require.Equal(t, want, With(given, "name", "a &'b"))
	}
}

func TestCompareVersions(t *testing.T) {
	require.Positive(t, compareVersions("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9.6/bin"))
	require.Negative(t, compareVersions("/usr/lib/postgresql/9.6/bin", "/usr/lib/postgresql/13/bin"))
	require.Positive(t, compareVersions("/usr/lib/postgresql/9/bin", "/usr/lib/postgresql/other/bin"))
}
