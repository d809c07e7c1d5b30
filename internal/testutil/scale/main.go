// Scale checks the calculation in docs/scale.md: it puts the sessions of a million accounts into PostgreSQL,
// and has some of them send along the curve of a day, compressed to minutes, on the model of a chain. It
// counts rows, bytes, transactions, requests and memory, and tells how long sends take.
//
//	go run ./internal/testutil/scale -accounts 1000000 -day 4m -peak 20
//
// It does not show what the network, the services and a real disk cost: the model answers at once, in this
// process, and its PostgreSQL writes without fsync.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-sesame/sesame/internal/testutil/pgtest"
)

// options are the command line.
type options struct {
	accounts, users, connections int
	peak                         float64
	day, block                   time.Duration
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	set := flag.NewFlagSet("scale", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.IntVar(&o.accounts, "accounts", 1_000_000, "`number` of accounts whose sessions are in the database")
	set.IntVar(&o.users, "users", 1000, "`number` of accounts beside those that really granted, and send")
	set.IntVar(&o.connections, "connections", 8, "`number` of connections to the database")
	set.Float64Var(&o.peak, "peak", 20, "sends a `second` at the day's peak")
	set.DurationVar(&o.day, "day", 4*time.Minute, "how `long` the day takes")
	set.DurationVar(&o.block, "block", 2*time.Second, "`time` between blocks")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case o.accounts < 0 || o.users < 1 || o.connections < 2 || o.peak <= 0 || o.day <= 0 || o.block <= 0:
		return nil, errors.New("want a user, two connections, and some time")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, o, os.Stdout, os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	url, stop, err := pgtest.Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	w, err := newWorld(ctx, o, pgtest.With(url, "pool_max_conns", fmt.Sprint(o.connections)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	fmt.Fprintf(stderr, "%d users grant\n", o.users)
	if err := w.enrol(ctx); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%d accounts more in the database\n", o.accounts)
	if err := w.fill(ctx); err != nil {
		return err
	}
	if err := w.tables(ctx, stdout, "The database before the day"); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "a day of %s\n", o.day)
	if err := w.live(ctx); err != nil {
		return err
	}
	return w.summarize(ctx, stdout)
}
