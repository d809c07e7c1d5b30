// Backendkill plays the story of examples/backend for one user after another while its processes are killed
// at every step, and counts on chain that each grant and each action has ended exactly once.
//
//	go run ./internal/testutil/backendkill                # 200 kills: half with a filestore, half with PostgreSQL
//	go run ./internal/testutil/backendkill -kills 1000 -store postgres -seed 7 -v
//
// The chain and its services are in this process, and a gateway stands before each. A trap is set on the n-th
// request that a backend makes of them: it is killed (SIGKILL) just before the request goes through, just
// after, or a few milliseconds later, and started again. Where the sessions are in PostgreSQL there are two
// replicas, and the user goes on at the other one; with a filestore there is one process, and the user tries
// until it is back. As the page does, the user repeats a call that was not answered, with the same signature
// or under the same idempotency key.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
)

// options are the command line.
type options struct {
	kills   int
	store   string
	seed    uint64
	verbose bool
}

func main() {
	var o options
	flag.IntVar(&o.kills, "kills", 200, "kill so `many` times")
	flag.StringVar(&o.store, "store", "", "`which` store alone: file or postgres")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "what the kills follow from, a `number`")
	flag.BoolVar(&o.verbose, "v", false, "say how it goes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run kills as often as was asked for, with each store.
func run(ctx context.Context, o *options, out io.Writer) error {
	stores := []string{"file", "postgres"}
	if o.store != "" {
		stores = []string{o.store}
	}
	_, _ = fmt.Fprintf(out, "seed %d\n", o.seed)
	program, remove, err := build(ctx)
	if err != nil {
		return err
	}
	defer remove()
	for i, store := range stores {
		p := &part{options: o, store: store, kills: (o.kills + i) / len(stores), program: program, out: out, dice: rand.New(rand.NewPCG(o.seed, uint64(i)))}
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s, seed %d: %w", store, o.seed, err)
		}
	}
	return nil
}

var errStore = errors.New("-store is file or postgres")
