package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoServer means that there is no server for tests and nothing to start one from.
var ErrNoServer = errors.New("no PostgreSQL for tests: run internal/testutil/pgtest/install.sh, " +
	"or name a server in SESAME_TEST_POSTGRES_URL")

const (
	// URLEnv names another server to use. Tests that start themselves again as another process set it for
	// that.
	URLEnv = "SESAME_TEST_POSTGRES_URL"
	// requireEnv makes a missing server a failure where it would be a skipped test.
	requireEnv = "SESAME_REQUIRE_POSTGRES"
)

// TB is the part of testing.TB that a server needs.
type TB interface {
	Helper()
	Name() string
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
}

// Server is a PostgreSQL server for the tests of one package. The zero value is ready; it starts on first use
// and has to be closed.
type Server struct {
	once    sync.Once
	url     string
	cluster *cluster // nil where another server is used
	err     error

	mu   sync.Mutex
	kept *pgx.Conn // to make a connection takes longer than most statements do
}

// URL makes an empty schema and returns the URL of a database with that schema as its search path. The schema
// is dropped after the test. Without a server the test is skipped, or fails if SESAME_REQUIRE_POSTGRES=1.
func (s *Server) URL(t TB) string {
	t.Helper()
	root := s.Root(t)
	schema := "sesame_test_" + strings.ToLower(rand.Text())
	s.Exec(t, "create schema "+schema)
	s.ExecAfter(t, "drop schema "+schema+" cascade")
	return With(root, "search_path", schema)
}

// Exec runs statements as a superuser, on a connection that is kept.
func (s *Server) Exec(t TB, statements string) {
	t.Helper()
	if err := s.exec(t, statements); err != nil {
		t.Fatalf("%v", err)
	}
}

// ExecAfter runs statements as a superuser after the test.
func (s *Server) ExecAfter(t TB, statements string) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.exec(t, statements); err != nil {
			t.Errorf("%v", err) // a Fatalf here would keep quiet about what failed before
		}
	})
}

// Count returns the number that a query as a superuser gives.
func (s *Server) Count(t TB, sql string, arguments ...any) (n int) {
	t.Helper()
	err := s.use(t, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql, arguments...).Scan(&n)
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (s *Server) exec(t TB, statements string) error {
	return s.use(t, func(ctx context.Context, conn *pgx.Conn) error { return execOn(ctx, conn, statements) })
}

// use has the kept connection for itself, or a new one where there is none or the last use found it broken.
func (s *Server) use(t TB, do func(context.Context, *pgx.Conn) error) (err error) {
	root := s.Root(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s.kept == nil || s.kept.IsClosed() {
		if s.kept, err = connect(ctx, root); err != nil {
			return err
		}
	}
	return do(ctx, s.kept)
}

// Root returns the URL of the server's database as a superuser, to make roles with and look around.
func (s *Server) Root(t TB) string {
	t.Helper()
	s.once.Do(func() { s.url, s.cluster, s.err = start() })
	if errors.Is(s.err, ErrNoServer) && os.Getenv(requireEnv) != "1" {
		t.Skipf("%v", s.err)
	}
	if s.err != nil {
		t.Fatalf("start PostgreSQL for %s: %v", t.Name(), s.err)
	}
	return s.url
}

// Close stops the server, if one was started, and removes all of it.
func (s *Server) Close() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil {
		err = s.kept.Close(context.Background())
		s.kept = nil
	}
	if s.cluster != nil {
		err = errors.Join(err, s.cluster.stop())
		s.cluster = nil
	}
	return err
}

func start() (string, *cluster, error) {
	if given := os.Getenv(URLEnv); given != "" {
		return given, nil, nil
	}
	c, err := startCluster()
	if err != nil {
		return "", nil, err
	}
	return c.url(), c, nil
}

// Start starts a private server, or takes the one that is named, for programs; the caller stops it.
func Start() (url string, stop func() error, err error) {
	url, cluster, err := start()
	switch {
	case err != nil:
		return "", nil, err
	case cluster == nil:
		return url, func() error { return nil }, nil
	}
	return url, cluster.stop, nil
}

// Exec runs statements on a connection of their own.
func Exec(t TB, url, statements string) {
	t.Helper()
	if err := runSQL(url, statements); err != nil {
		t.Fatalf("%v", err)
	}
}

func runSQL(url, statements string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return execOn(ctx, conn, statements)
}

func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	return conn, nil
}

func execOn(ctx context.Context, conn *pgx.Conn, statements string) error {
	if _, err := conn.Exec(ctx, statements); err != nil {
		return fmt.Errorf("%s: %w", statements, err)
	}
	return nil
}

// With returns the URL or key=value string with one more setting.
func With(connString, name, value string) string {
	if !strings.Contains(connString, "://") {
		return fmt.Sprintf("%s %s='%s'", connString, name, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
	}
	separator := "?"
	if strings.Contains(connString, "?") {
		separator = "&"
	}
	return connString + separator + name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20") // as libpq reads it
}
