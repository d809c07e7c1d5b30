// Many-users acts for a thousand users at once: each has an account and a session of its own, and a pool of
// workers mints an NFT for each, on a chain in this process with the real contracts.
//
// The sessions are in an embedded store in a temporary directory. With -store postgres://… they are in a
// database, and with -replicas 2 two further processes share the work. Each user gets one NFT, whichever
// process is killed when, and no process has to know of another: each goes through all users, from another
// place in their list, and mints for each under the same idempotency key, with account.Once. The first to do
// so writes down what it signed, in the store that has the sessions, before it sends it; whoever comes next
// sends the same bytes, or finds how they ended. Client.Run goes on beside that with what a killed process
// left behind.
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
	stderr = &lockedWriter{w: stderr} // progress and replicas write to it
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil // asked for, and printed
	case err != nil:
		return err
	case o.join != "":
		return join(ctx, o, stderr)
	}
	return host(ctx, o, stdout, stderr)
}
