// Use-session is the main job from end to end: a dapp's backend acts for a user with a session key.
//
// Without flags it does so on a devnet in its own process, with the real contracts, a bundler and a paymaster
// behind JSON-RPC on 127.0.0.1: the owner grants a session, and the dapp, knowing only the account's address,
// mints an NFT with it. With -rpc, -bundler and -paymaster alone it does the same on that chain, and with
// -model on a model of a chain, which needs no contracts. With the other flags it sends one call with a
// stored session to services elsewhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "error:", err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil // asked for, and printed
	case err != nil:
		return err
	case flags.story():
		return demo(ctx, stdout, flags)
	}
	return outside(ctx, flags, stdout)
}

// line prints one fact.
func line(out io.Writer, name string, value any) { fmt.Fprintf(out, "  %-16s %v\n", name, value) }

// refused prints the refusal that is expected.
func refused(out io.Writer, err error) error {
	if err == nil {
		return errors.New("what a session does not allow went through")
	}
	line(out, "refused", err)
	return nil
}
