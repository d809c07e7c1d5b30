package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// options are the command line and the environment.
type options struct {
	listen                  string
	origin                  *url.URL
	rpc, bundler, paymaster string
	store                   string
	nft, token              common.Address
	confirmations           uint64
	signWithin, grace       time.Duration
	passphrase, loginSecret string
}

// What is not for the command line, where other users of the machine can read it.
const (
	storeEnv      = "SESAME_STORE"
	passphraseEnv = "SESAME_PASSPHRASE"
	secretEnv     = "SESAME_LOGIN_SECRET"
)

// minSecret is how many characters the login secret has at least.
const minSecret = 32

const usage = `Backend serves a page and a JSON API on which users grant sessions, and acts for them.

  backend
        on the chain of go run ./examples/devnet, with the sessions in a temporary directory
  backend -store DIR
        with the sessions in an embedded store that is kept, for one process
  backend -store postgres://…
        with the sessions in a database, for any number of processes

SESAME_STORE can stand for -store. A store that is kept has its keys sealed by the passphrase in
SESAME_PASSPHRASE. SESAME_LOGIN_SECRET, 32 characters at least, is what logins are made with: processes
behind one address share it. Without it logins end with the process.

`

// The two contracts of the devnet that the shop sells from.
const (
	devnetNFT   = "0x5E5a3e0000000000000000000000000000000721"
	devnetToken = "0x5E5a3e0000000000000000000000000000000020"
)

func parse(args []string, stderr io.Writer) (*options, error) {
	o := options{passphrase: os.Getenv(passphraseEnv), loginSecret: os.Getenv(secretEnv)}
	set := flag.NewFlagSet("backend", flag.ContinueOnError)
	set.StringVar(&o.listen, "listen", "127.0.0.1:8080", "`address` to listen on")
	origin := set.String("origin", "", "`URL` that browsers see, such as https://shop.example; by default that of -listen")
	set.StringVar(&o.rpc, "rpc", "http://127.0.0.1:8545", "`URL` of a node")
	set.StringVar(&o.bundler, "bundler", "http://127.0.0.1:8546", "`URL` of the bundler")
	set.StringVar(&o.paymaster, "paymaster", "http://127.0.0.1:8547", "`URL` of the paymaster")
	set.StringVar(&o.store, "store", "", "`directory` or postgres:// URL to keep the sessions in")
	set.TextVar(&o.nft, "nft", common.HexToAddress(devnetNFT), "`address` of a contract with safeMint(address)")
	set.TextVar(&o.token, "token", common.HexToAddress(devnetToken), "`address` of an ERC-20 of 18 decimals with mint(address,uint256)")
	set.Uint64Var(&o.confirmations, "confirmations", 1, "`number` of blocks after which something counts")
	set.DurationVar(&o.signWithin, "sign-within", 15*time.Minute, "how `long` a user may take to sign")
	set.DurationVar(&o.grace, "grace", 10*time.Second, "how `long` requests that are under way have when the service ends")
	if err := parseFlags(set, args, stderr); err != nil {
		return nil, err
	}
	if o.store == "" { // not the flag's default, which -h prints, and which may hold a password
		o.store = os.Getenv(storeEnv)
	}
	var err error
	if *origin != "" {
		o.origin, err = parseOrigin(*origin)
	} else if o.origin, err = parseOrigin("http://" + o.listen); err != nil || o.origin.Port() == "0" {
		err = fmt.Errorf("-listen %q does not tell what browsers see: name that with -origin", o.listen)
	}
	if err != nil {
		return nil, err
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

// parseOrigin reads an origin: a scheme and a host. Browsers keep wallets and cookies by it.
func parseOrigin(text string) (*url.URL, error) {
	origin, err := url.Parse(text)
	switch {
	case err == nil && origin.User != nil:
		return nil, errors.New("-origin names a user; want https://host") // and may hold a password
	case err != nil || origin.Hostname() == "" || origin.Scheme != "http" && origin.Scheme != "https" ||
		strings.Trim(origin.Path, "/") != "" || origin.RawQuery != "" || origin.Fragment != "":
		return nil, fmt.Errorf("-origin %q is none; want https://host", text)
	}
	if host := origin.Hostname(); origin.Scheme == "http" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("-origin %q: logins go over https, but on this machine", text)
	}
	name := strings.ToLower(origin.Host) // as browsers write it, who leave out the usual port
	name = strings.TrimSuffix(name, map[string]string{"http": ":80", "https": ":443"}[origin.Scheme])
	return &url.URL{Scheme: origin.Scheme, Host: name}, nil
}

func (o *options) check() error {
	switch {
	case o.store != "" && o.passphrase == "":
		return errors.New("-store keeps session keys, sealed by a passphrase: set SESAME_PASSPHRASE")
	case o.loginSecret != "" && len(o.loginSecret) < minSecret:
		return fmt.Errorf("SESAME_LOGIN_SECRET has %d characters; %d at least, at random, keep others from making logins", len(o.loginSecret), minSecret)
	case o.signWithin < time.Second:
		return fmt.Errorf("-sign-within %v leaves a user no time to sign", o.signWithin)
	}
	return nil
}

// database reports whether the store is one that several processes can share.
func (o *options) database() bool {
	return strings.HasPrefix(o.store, "postgres://") || strings.HasPrefix(o.store, "postgresql://")
}
