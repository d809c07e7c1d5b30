package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account/accounttest"
)

// options are the command line and the environment.
type options struct {
	users, workers, replicas int
	store                    string
	services                 accounttest.Services
	nft                      common.Address
	join                     string // the name of a run
	from                     int
	passphrase               string
}

// What is not for the command line, where other users of the machine can read it.
const (
	storeEnv      = "SESAME_STORE"
	passphraseEnv = "SESAME_PASSPHRASE"
)

const usage = `Many-users grants a session to each of many users and mints an NFT for each with it.

  many-users
        with an embedded store in a temporary directory
  many-users -store DIR
        with an embedded store that is kept
  many-users -store postgres://… [-replicas 2]
        with the sessions in a database, the work shared with 2 further processes
  many-users -store postgres://… -join RUN -rpc URL -bundler URL -paymaster URL
        shares the work of the one before, from another terminal, with the flags which that one tells

The chain is one in the process that is started first, or the one that -rpc, -bundler and -paymaster name.

SESAME_STORE can stand for -store. A store that is kept has its keys sealed by the passphrase in
SESAME_PASSPHRASE.

`

func parse(args []string, stderr io.Writer) (*options, error) {
	o := options{passphrase: os.Getenv(passphraseEnv)}
	set := flag.NewFlagSet("many-users", flag.ContinueOnError)
	set.IntVar(&o.users, "users", 1000, "`number` of users")
	set.IntVar(&o.workers, "workers", 32, "`number` of users that each process acts for at once")
	set.IntVar(&o.replicas, "replicas", 0, "`number` of further processes that share the work")
	set.StringVar(&o.store, "store", "", "`directory` or postgres:// URL to keep the sessions in")
	set.StringVar(&o.join, "join", "", "share the work of the `run` with that name, which another many-users began on this database")
	set.IntVar(&o.from, "from", -1, "with -join, `place` in the list of users to begin at; by default one at random")
	o.services.Flags(set)
	set.TextVar(&o.nft, "nft", accounttest.WellKnownContracts().NFT, "`address` of a contract with safeMint(address)")
	if err := parseFlags(set, args, stderr); err != nil {
		return nil, err
	}
	if o.store == "" { // not the flag's default, which -h prints, and which may hold a password
		o.store = os.Getenv(storeEnv)
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
	switch {
	case o.users < 1 || o.workers < 1 || o.replicas < 0:
		return fmt.Errorf("-users %d -workers %d -replicas %d: want at least one user and worker", o.users, o.workers, o.replicas)
	case (o.join != "" || o.replicas > 0) && !o.database():
		return errors.New("-join and -replicas share work in a database: name it with -store postgres://…")
	case o.join != "" && o.replicas > 0:
		return errors.New("-join is for the replica itself; leave -replicas to the process that was started first")
	case o.join == "" && o.from >= 0:
		return errors.New("-from is for -join; the process that is started first begins with the first user")
	case o.join != "" && (o.services.RPC == "" || o.services.Bundler == "" || o.services.Paymaster == ""):
		return errors.New("-join works on the chain of the process that was started first: name it with -rpc, -bundler and -paymaster")
	case o.store != "" && o.passphrase == "":
		return errors.New("-store keeps session keys, sealed by a passphrase: set SESAME_PASSPHRASE")
	}
	return nil
}

// database reports whether the store is one that several processes can share.
func (o *options) database() bool {
	return strings.HasPrefix(o.store, "postgres://") || strings.HasPrefix(o.store, "postgresql://")
}

// whereabouts are the flags that name the chain of a run: those of a devnet, or a word for the URLs that the
// caller gave, which may hold keys.
func (o *options) whereabouts(at accounttest.Services) string {
	if o.services == (accounttest.Services{}) {
		return fmt.Sprintf(" -rpc %s -bundler %s -paymaster %s", at.RPC, at.Bundler, at.Paymaster)
	}
	return " and -rpc, -bundler and -paymaster as here"
}
