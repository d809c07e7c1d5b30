package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-sesame/sesame/account/accounttest"
)

// host sets the stage, enrols the users, has the work done and looks at the chain whether it was.
func host(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	network, err := o.services.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	return play(ctx, o, network, stdout, stderr)
}

func play(ctx context.Context, o *options, network *accounttest.Network, stdout, stderr io.Writer) (err error) {
	store, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	q, err := newQueue(ctx, o, network.Services)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()

	since, err := network.Node.BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("block number: %w", err)
	}
	fmt.Fprintf(stdout, "Many users, %d workers\n", o.workers)
	start := time.Now()
	users, err := enrol(ctx, o, network.Client, store, stderr)
	if err != nil {
		return fmt.Errorf("grant sessions: %w", err)
	}
	granted := time.Now()
	if err := q.add(ctx, users); err != nil {
		return fmt.Errorf("fill the queue: %w", err)
	}
	if err := mint(ctx, o, q, network.Services, store, stderr); err != nil {
		return err
	}
	minted := time.Now()
	seen, err := look(ctx, network, o.nft, users, since)
	if err != nil {
		return err
	}
	summarize(stdout, seen, len(users), granted.Sub(start), minted.Sub(granted))
	return nil
}

func newQueue(ctx context.Context, o *options, at accounttest.Services) (queue, error) {
	if o.database() {
		return newDatabaseQueue(ctx, o, at)
	}
	return new(memoryQueue), nil
}

// mint has the jobs of the queue done, by this process or by replicas of it.
func mint(ctx context.Context, o *options, q queue, at accounttest.Services, store keeper, stderr io.Writer) error {
	defer report(stderr, "minted", o.users, func() (int, error) { return q.done(ctx) })()
	if o.replicas > 0 {
		replicas, err := startReplicas(ctx, o, stderr)
		if err != nil {
			return err
		}
		return replicas.wait(ctx, q, o.users)
	}
	d, err := newDapp(ctx, at, o.nft, store)
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
	d, err := newDapp(ctx, at, o.nft, store)
	if err != nil {
		return err
	}
	defer d.close()
	err = d.work(ctx, q, o.workers)
	fmt.Fprintf(stderr, "replica: minted for %d users\n", d.minted.Load())
	return err
}

// summarize prints what was done, which is what was wanted.
func summarize(out io.Writer, seen sight, users int, granting, minting time.Duration) {
	line(out, "users", users)
	line(out, "operations", fmt.Sprintf("%d in %d transactions", seen.operations, seen.transactions))
	line(out, "granting", pace(users, granting))
	line(out, "minting", pace(users, minting))
	line(out, "together", pace(seen.operations, granting+minting))
	line(out, "NFTs", "1 for each user")
}

// line prints one fact.
func line(out io.Writer, name string, value any) { fmt.Fprintf(out, "  %-16s %v\n", name, value) }

// pace says how long n operations took.
func pace(n int, took time.Duration) string {
	return fmt.Sprintf("%v, %.0f operations per second", took.Round(10*time.Millisecond), float64(n)/took.Seconds())
}
