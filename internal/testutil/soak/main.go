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
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	length  time.Duration
	sends   int
	store   string
	workers int
	users   int
	seed    uint64
	way     string
	keep    string
	reorgs  time.Duration
	verbose bool
	worker  bool
}

const usage = `Soak sends for many users through services that fail, with processes that are killed, and counts on chain.

`

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	set := flag.NewFlagSet("soak", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		_, _ = fmt.Fprint(stderr, usage)
		set.PrintDefaults()
	}
	set.DurationVar(&o.length, "for", time.Minute, "how `long` it lasts, with some 25 s in which what is open ends")
	set.IntVar(&o.sends, "sends", 0, "send so `many` times, however long that takes, instead of -for")
	set.StringVar(&o.store, "store", "", "`which` part alone: memory, file or postgres")
	set.IntVar(&o.workers, "workers", 12, "how `many` sends are under way at once in each part")
	set.IntVar(&o.users, "users", 12, "how `many` users each part has")
	set.Uint64Var(&o.seed, "seed", rand.Uint64(), "what the faults and kills follow from, a `number`")
	set.StringVar(&o.way, "way", "", "the `way` of sending; by default build where processes are killed, and send elsewhere")
	set.DurationVar(&o.reorgs, "reorgs", 15*time.Second, "lose the newest one or two blocks so `often`, 0 for never")
	set.StringVar(&o.keep, "keep", "", "keep ledgers, logs and output in this `directory`")
	set.BoolVar(&o.verbose, "v", false, "say how it goes")
	set.BoolVar(&o.worker, "worker", false, "be a worker, which is told on standard input what to do")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	_, known := ways[o.way]
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case o.store != "" && !strings.Contains(" memory file postgres ", " "+o.store+" "):
		return nil, fmt.Errorf("-store %q is none of memory, file and postgres", o.store)
	case o.way != "" && !known:
		return nil, fmt.Errorf("-way %q is not known", o.way)
	case o.way == "send" && o.store != "memory":
		return nil, errors.New("-way send is for -store memory, whose process is not killed: one that is would not know what it sent")
	case o.workers < 1 || o.users < 4 || o.sends < 0 || o.length < time.Second:
		return nil, errors.New("-workers, -users and -for have to be greater")
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil && o.worker {
		err = work(os.Stdin)
	} else if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = soak(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
