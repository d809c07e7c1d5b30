// Observed shows what a send looks like from outside: the trace of one as a tree, what was counted and
// measured, and what a hook was told.
//
// Without flags it sends on a chain in its own process, with the real contracts, a bundler and a paymaster
// behind JSON-RPC on 127.0.0.1; with -model on a model of a chain, which needs no contracts, and whose
// services are asked without JSON-RPC. The providers are those of OpenTelemetry's SDK, and keep what they are
// given in memory: a service has an exporter in their place.
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
	set := flag.NewFlagSet("observed", flag.ContinueOnError)
	set.SetOutput(stderr)
	model := set.Bool("model", false, "send on a model without the contracts, which needs neither node nor npm")
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil // asked for, and printed
	case err != nil:
		return err
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return story(ctx, stdout, *model)
}
