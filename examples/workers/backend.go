package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/ethnode"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/seal"
)

// backend is what one process has: a client for all users, and the database that all processes share.
type backend struct {
	options *options
	pool    *pgxpool.Pool // for jobs; the store has its own
	store   *pgstore.Store
	client  *account.Client
	lanes   *account.Lanes // several orders of a user at once
	closes  []func() error
}

const (
	// startTime is how long a process takes at most until it works.
	startTime = time.Minute
	// closeTime is how long it takes to give back what it holds.
	closeTime = 10 * time.Second
)

// openBackend opens all that a process works with, and makes the tables where they are not yet.
func openBackend(ctx context.Context, o *options, stderr io.Writer) (_ *backend, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	opened := &backend{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.close())
		}
	}()
	if err := opened.openDatabase(ctx); err != nil {
		return nil, err
	}
	return opened, opened.connect(ctx, stderr)
}

func (b *backend) openDatabase(ctx context.Context) (err error) {
	if b.pool, err = pgxpool.New(ctx, b.options.store); err != nil {
		return fmt.Errorf("open the queue: %w", err)
	}
	b.later(func() error { b.pool.Close(); return nil })
	if err := migrate(ctx, b.pool); err != nil {
		return err
	}
	sealer, err := seal.NewPassphrase([]byte(b.options.passphrase), seal.Cost{})
	if err != nil {
		return err
	}
	if b.store, err = pgstore.Open(ctx, b.options.store, pgstore.Config{Sealer: sealer}); err != nil {
		return err
	}
	b.later(b.store.Close)
	return nil
}

// connect makes the client of the chain. What became of orders that nobody waits for is told on stderr; a
// service in earnest writes it to its table of orders.
func (b *backend) connect(ctx context.Context, stderr io.Writer) error {
	node, err := ethnode.Dial(b.options.services.RPC)
	if err != nil {
		return err
	}
	send, sponsor := bundler.New(b.options.services.Bundler), paymaster.New(b.options.services.Paymaster)
	b.later(func() error { node.Close(); send.Close(); sponsor.Close(); return nil })
	id, err := node.ChainID(ctx)
	if err != nil {
		return fmt.Errorf("chain ID of the node: %w", err)
	}
	b.client, err = account.NewClient(account.Config{
		ChainID: id.Uint64(), Chain: node, Bundler: send, Paymaster: sponsor,
		Outbox: b.store,
		Report: func(_ context.Context, end account.Report) error {
			if end.Err != nil {
				fmt.Fprintf(stderr, "%s for %s: %v\n", end.Key, end.Ref.Account, end.Err)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	b.lanes = b.client.NewLanes(account.LanesConfig{Leaser: b.store})
	b.later(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime) // the process's own has ended
		defer cancel()
		return b.lanes.Close(ctx)
	})
	return nil
}

// later has something closed with the backend, before what was opened earlier.
func (b *backend) later(end func() error) { b.closes = append(b.closes, end) }

func (b *backend) close() (err error) {
	for i := len(b.closes) - 1; i >= 0; i-- {
		err = errors.Join(err, b.closes[i]())
	}
	b.closes = nil
	return err
}

// migrating is the number of the lock under which one process at a time migrates the queue.
const migrating = 7_369_001

// migrate makes or upgrades the tables of the queue. Processes may start at once.
func migrate(ctx context.Context, pool *pgxpool.Pool) (err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the queue: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", migrating); err != nil {
		return fmt.Errorf("lock the queue: %w", err)
	}
	defer func() {
		_, unlock := conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", migrating)
		err = errors.Join(err, unlock)
	}()
	migrator, err := rivermigrate.New[pgx.Tx](riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	return nil
}
