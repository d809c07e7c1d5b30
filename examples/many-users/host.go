package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/examples/internal/stage"
)

// host sets the stage, enrols the users, has the work done and looks at the chain whether it was.
func host(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	s, err := stage.Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return play(ctx, o, s, stdout, stderr)
}

func play(ctx context.Context, o *options, s *stage.Stage, stdout, stderr io.Writer) (err error) {
	store, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	at := services{rpc: s.RPC, bundler: s.BundlerURL, paymaster: s.PaymasterURL}
	q, err := newQueue(ctx, o, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()

	fmt.Fprintf(stdout, "Many users, %d workers\n", o.workers)
	start := time.Now()
	users, err := enrol(ctx, o, s, store, stderr)
	if err != nil {
		return fmt.Errorf("grant sessions: %w", err)
	}
	granted := time.Now()
	if err := q.add(ctx, users); err != nil {
		return fmt.Errorf("fill the queue: %w", err)
	}
	if err := mint(ctx, o, q, at, store, stderr); err != nil {
		return err
	}
	return summarize(ctx, stdout, s, users, granted.Sub(start), time.Since(granted))
}

func newQueue(ctx context.Context, o *options, at services) (queue, error) {
	if o.database() {
		return newDatabaseQueue(ctx, o, at)
	}
	return new(memoryQueue), nil
}

// mint has the jobs of the queue done, by this process or by replicas of it.
func mint(ctx context.Context, o *options, q queue, at services, store keeper, stderr io.Writer) error {
	defer report(stderr, "minted", o.users, func() (int, error) { return q.done(ctx) })()
	if o.replicas > 0 {
		replicas, err := startReplicas(ctx, o, stderr)
		if err != nil {
			return err
		}
		return replicas.wait(ctx, q, o.users)
	}
	d, err := newDapp(ctx, at, store)
	if err != nil {
		return err
	}
	defer d.close()
	return d.work(ctx, q, o.workers)
}

// join works as one more process on the jobs of another one.
func join(ctx context.Context, o *options, stderr io.Writer) (err error) {
	store, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	q, at, err := joinQueue(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	d, err := newDapp(ctx, at, store)
	if err != nil {
		return err
	}
	defer d.close()
	err = d.work(ctx, q, o.workers)
	fmt.Fprintf(stderr, "replica: minted for %d users\n", d.minted.Load())
	return err
}

// summarize reads from the chain what was done, and prints it if it is what was wanted.
func summarize(ctx context.Context, out io.Writer, s *stage.Stage, users []common.Address, granting, minting time.Duration) error {
	seen, err := look(ctx, s, users)
	if err != nil {
		return err
	}
	total := granting + minting
	stage.Line(out, "users", len(users))
	stage.Line(out, "operations", fmt.Sprintf("%d in %d transactions", seen.operations, seen.transactions))
	stage.Line(out, "granting", pace(len(users), granting))
	stage.Line(out, "minting", pace(len(users), minting))
	stage.Line(out, "together", pace(seen.operations, total))
	stage.Line(out, "NFTs", "1 for each user")
	return nil
}

// pace says how long n operations took.
func pace(n int, took time.Duration) string {
	return fmt.Sprintf("%v, %.0f operations per second", took.Round(10*time.Millisecond), float64(n)/took.Seconds())
}
