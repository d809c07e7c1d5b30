// Many-users acts for a thousand users at once: each has an account and a session of its own, and a pool of
// workers mints an NFT for each, on a chain in this process with the real contracts.
//
// The sessions are in an embedded store in a temporary directory. With -store postgres://… they are in a
// database, and with -replicas 2 two further processes share the work. No operation is sent twice, whichever
// process is killed when: a worker's claim of a user is a row lock, which ends with its connection, and the
// signed operation is committed before it is sent, so that whoever comes next sends the same bytes.
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
	case o.join:
		return join(ctx, o, stderr)
	}
	return host(ctx, o, stdout, stderr)
}
