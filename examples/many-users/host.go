package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/ethereum/go-ethereum/common"

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

	since, err := network.Node.BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("block number: %w", err)
	}
	fmt.Fprintf(stdout, "Many users, %d workers\n", o.workers)
	start := time.Now()
	run := newRun()
	users, err := enrol(ctx, o, run, network.Client, store, stderr)
	if err != nil {
		return fmt.Errorf("grant sessions: %w", err)
	}
	granted := time.Now()
	if err := share(ctx, o, run, network.Services, store, stderr); err != nil {
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

// share has the users minted for by this process and by replicas of it.
func share(ctx context.Context, o *options, run string, at accounttest.Services, store keeper, stderr io.Writer) error {
	users, err := usersOf(ctx, store, run)
	if err != nil {
		return err
	}
	if o.database() {
		fmt.Fprintf(stderr, "others can share the work: -join %s%s\n", run, o.whereabouts(at))
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	replicas, err := startReplicas(ctx, o, run, at, stderr)
	if err == nil {
		err = mint(ctx, o, at, store, users, 0, stderr)
	}
	if err != nil {
		stop()
	}
	replicas.wait()
	return err
}

// mint mints for the users in this process, beginning with one of them.
func mint(ctx context.Context, o *options, at accounttest.Services, store keeper, users []common.Address, from int, stderr io.Writer) error {
	d, err := newDapp(ctx, o, at, store, stderr)
	if err != nil {
		return err
	}
	defer d.close()
	if o.join == "" {
		defer report(stderr, "minted", len(users), func() int { return int(d.minted.Load()) })()
	}
	return d.work(ctx, users, from%len(users), o.workers)
}

// join works as one more process for the users of another one's run.
func join(ctx context.Context, o *options, stderr io.Writer) (err error) {
	store, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	users, err := usersOf(ctx, store, o.join)
	if err != nil {
		return err
	}
	from := o.from
	if from < 0 {
		from = rand.IntN(len(users))
	}
	if err := mint(ctx, o, o.services, store, users, from, stderr); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "replica: went through %d users\n", len(users))
	return nil
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
