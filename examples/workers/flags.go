package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account/accounttest"
)

// options are the command line and the environment.
type options struct {
	store, passphrase string
	services          accounttest.Services
	nft               common.Address

	atOnce         int
	timeout, grace time.Duration

	enrol, orders int

	measure  []int // how many processes, one measurement after another
	block    time.Duration
	serve    bool
	attached bool   // to the process at the other end of standard input
	program  string // that is started as further processes, this one by default
}

// What is not for the command line, where other users of the machine can read it.
const (
	storeEnv      = "SESAME_STORE"
	passphraseEnv = "SESAME_PASSPHRASE"
)

const usage = `Workers fills the orders of many users: jobs in PostgreSQL, which any number of processes share.

  workers -rpc URL -bundler URL -paymaster URL
        one process that works until it is interrupted; start as many as you like, and kill any
  workers -enrol 100 -orders 3 -rpc URL -bundler URL -paymaster URL
        plays 100 users who grant a session each, and orders three NFTs for each
  workers -measure 1,2,4
        measures how fast so many processes are, on a chain of its own

SESAME_STORE is the postgres:// URL of the database, SESAME_PASSPHRASE seals the session keys in it.

`

func parse(args []string, stderr io.Writer) (*options, error) {
	o := options{passphrase: os.Getenv(passphraseEnv)}
	var measured string
	set := flag.NewFlagSet("workers", flag.ContinueOnError)
	set.StringVar(&o.store, "store", "", "postgres:// `URL` of the database, in place of SESAME_STORE")
	set.StringVar(&o.services.RPC, "rpc", "", "`URL` of a node")
	set.StringVar(&o.services.Bundler, "bundler", "", "`URL` of the bundler")
	set.StringVar(&o.services.Paymaster, "paymaster", "", "`URL` of the paymaster")
	set.TextVar(&o.nft, "nft", accounttest.WellKnownContracts().NFT, "`address` of a contract with safeMint(address)")
	set.IntVar(&o.atOnce, "at-once", 32, "`number` of jobs that a process works on at once")
	set.DurationVar(&o.timeout, "timeout", time.Minute, "`time` that a job may take before it is put back for later")
	set.DurationVar(&o.grace, "grace", 20*time.Second, "`time` that jobs have to end when the process is to end")
	set.IntVar(&o.enrol, "enrol", 0, "play so `many` users, order for them, and end")
	set.IntVar(&o.orders, "orders", 1, "with -enrol or -measure, `number` of orders for each user")
	set.StringVar(&measured, "measure", "", "measure with so many processes, one `number` after another, such as 1,2,4")
	set.DurationVar(&o.block, "block", 0, "with -measure or -serve, `time` between blocks, as fast as operations come by default")
	set.BoolVar(&o.serve, "serve", false, "run a chain with its services, and print where they are")
	set.BoolVar(&o.attached, "attached", false, "end when standard input does, and with it the process that started this one")
	if err := parseFlags(set, args, stderr); err != nil {
		return nil, err
	}
	o.store = cmp.Or(o.store, os.Getenv(storeEnv)) // not the flag's default, which -h prints, and which may hold a password
	for number := range strings.SplitSeq(measured, ",") {
		if number == "" {
			continue
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-measure %q: want numbers of processes, such as 1,2,4", measured)
		}
		o.measure = append(o.measure, n)
	}
	return &o, o.check()
}

// parseFlags parses the command line, all of which is flags. It prints usage and the flags if they ask for
// it, and returns [flag.ErrHelp]; what is wrong is returned, and not printed.
func parseFlags(set *flag.FlagSet, args []string, stderr io.Writer) error {
	set.SetOutput(io.Discard)
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stderr, usage)
		set.SetOutput(stderr)
		set.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w; -h explains the flags", err)
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; -h explains the flags", set.Arg(0))
	}
	return nil
}

func (o *options) check() error {
	modes := 0
	for _, asked := range []bool{o.serve, o.enrol > 0, len(o.measure) > 0} {
		if asked {
			modes++
		}
	}
	at := o.services
	switch {
	case modes > 1:
		return errors.New("-enrol, -measure and -serve are three programs: ask for one")
	case o.atOnce < 1 || o.enrol < 0 || o.orders < 1:
		return fmt.Errorf("-at-once %d -enrol %d -orders %d: want at least one of each", o.atOnce, o.enrol, o.orders)
	case o.timeout < time.Second || o.grace < 0 || o.block < 0:
		return fmt.Errorf("-timeout %s -grace %s -block %s: want at least a second for a job, and no time below none", o.timeout, o.grace, o.block)
	case o.serve:
		return nil
	case !strings.HasPrefix(o.store, "postgres://") && !strings.HasPrefix(o.store, "postgresql://"):
		return errors.New("jobs and sessions are in PostgreSQL: set SESAME_STORE to a postgres:// URL")
	case o.passphrase == "":
		return errors.New("session keys are sealed by a passphrase: set SESAME_PASSPHRASE")
	case len(o.measure) > 0 && at != accounttest.Services{}:
		return errors.New("-measure runs a chain of its own: leave -rpc, -bundler and -paymaster")
	case len(o.measure) == 0 && (at.RPC == "" || at.Bundler == "" || at.Paymaster == ""):
		return errors.New("name the chain with -rpc, -bundler and -paymaster; examples/devnet runs one and prints them")
	}
	return nil
}
