// Workers fills the orders of many users by a job queue in PostgreSQL, River, that any number of processes
// share. A process can be killed at any moment, and another one added: each order happens once.
//
// Two keys see to that. A job is unique in the queue by its order, so that what is ordered twice is one job.
// And a job sends under the order's key with account.Once, which writes down what it signed, in the same
// database, before it sends it: when the queue gives the job of a dead process to another one, that sends the
// same bytes, or finds how they ended. The queue may run a job as often as it likes, also twice at once.
//
// README.md has the commands, and which files to copy.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	stderr = &lockedWriter{w: stderr} // progress, reports and processes write to it
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil // asked for, and printed
	case err != nil:
		return err
	}
	if o.attached {
		var stop context.CancelFunc
		ctx, stop = untilEnd(ctx, os.Stdin)
		defer stop()
	}
	switch {
	case o.serve:
		return serve(ctx, o, stdout)
	case o.enrol > 0:
		return enrolAndOrder(ctx, o, stderr)
	case len(o.measure) > 0:
		return measure(ctx, o, stdout, stderr)
	}
	return work(ctx, o, stderr)
}

// untilEnd returns a context that ends with an input, too.
func untilEnd(ctx context.Context, input io.Reader) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() { // which the process ends with, at the latest
		_, _ = io.Copy(io.Discard, input)
		stop()
	}()
	return ctx, stop
}
