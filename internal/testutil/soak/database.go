package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

// database is the PostgreSQL that some of the workers share.
type database struct {
	root    string // the URL to make trouble with
	url     string // the URL of the workers
	private bool   // the server is ours
	stop    func() error
	crashes int
}

// startDatabase makes a schema, on a server of our own unless another one is named. The server does not ask
// for a password; there is one for the workers to keep to themselves.
func startDatabase(ctx context.Context, secrets *secrets) (*database, error) {
	root, stop, err := pgtest.Start()
	if err != nil {
		return nil, err
	}
	d := &database{root: root, private: os.Getenv(pgtest.URLEnv) == "", stop: stop}
	schema := "sesame_soak_" + strings.ToLower(rand.Text())
	if err := d.exec(ctx, "create schema "+schema); err != nil {
		return nil, errors.Join(err, stop())
	}
	// A crash of the server must not lose what it said is committed.
	d.url = pgtest.With(pgtest.With(root, "search_path", schema), "synchronous_commit", "on")
	if d.private {
		password := rand.Text()
		secrets.add("the database's password", password)
		d.url = pgtest.With(d.url, "password", password)
	} else {
		d.stop = func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			return errors.Join(d.exec(ctx, "drop schema "+schema+" cascade"), stop())
		}
	}
	return d, nil
}

func (d *database) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, d.root)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// crash has the server end all connections. Ours is brought down for that: it starts again by itself when one
// of its processes is killed, and recovers.
func (d *database) crash(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d.crashes++
	if !d.private {
		return d.exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	}
	conn, err := pgx.Connect(ctx, d.root)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	return syscall.Kill(int(conn.PgConn().PID()), syscall.SIGKILL)
}
