// Package stage sets the scene for the example programs: a chain in this process with the real
// contracts, a bundler and a paymaster behind JSON-RPC on 127.0.0.1, and a user's account on it.
package stage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// Stage are the services that a dapp has elsewhere.
type Stage struct {
	Chain *testutil.Chain
	// RPC, BundlerURL and PaymasterURL are what a dapp is configured with.
	RPC, BundlerURL, PaymasterURL string

	closers []func() error
}

// Start starts a chain with its services; the caller closes them.
func Start() (*Stage, error) { return StartChain(testutil.DefaultChainID) }

// StartChain is [Start] for the chain of that ID.
func StartChain(id uint64) (_ *Stage, err error) {
	s := new(Stage)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.Chain, err = testutil.StartChain(testutil.ChainConfig{ChainID: id}); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.Chain.Close)
	if s.RPC, err = s.Chain.RPCURL(); err != nil {
		return nil, err
	}
	b, err := testutil.StartBundler(testutil.BundlerConfig{Chain: s.Chain})
	if err != nil {
		return nil, err
	}
	s.closers, s.BundlerURL = append(s.closers, b.Close), b.URL()
	p, err := testutil.StartPaymaster(testutil.PaymasterConfig{Chain: s.Chain})
	if err != nil {
		return nil, err
	}
	s.closers, s.PaymasterURL = append(s.closers, p.Close), p.URL()
	return s, nil
}

// Close stops everything, the last started first.
func (s *Stage) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// Client returns a client of the chain and its services.
func (s *Stage) Client() (*account.Client, error) {
	return account.NewClient(account.Config{
		ChainID:   s.Chain.ChainID(),
		Chain:     s.Chain.Client(),
		Bundler:   bundler.New(s.BundlerURL),
		Paymaster: paymaster.New(s.PaymasterURL),
	})
}

// NewOwner returns the account of a new owner; it is not deployed yet.
func (s *Stage) NewOwner() (*account.OwnedAccount, error) {
	client, err := s.Client()
	if err != nil {
		return nil, err
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	return client.OwnedAccount(account.KeyOwner(key)), nil
}

// MintPolicy lets key mint demo NFTs to one address, for a day.
func (s *Stage) MintPolicy(key, to common.Address) policy.Policy {
	return session.Named("mint-nft", policy.ABI{
		Key:      key,
		Contract: s.Chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, to)},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})
}

// TokenPolicy lets key mint at most limit demo tokens to one address at a time, for a day.
func (s *Stage) TokenPolicy(key, to common.Address, limit uint64) policy.Policy {
	return session.Named("mint-tokens", policy.ABI{
		Key:      key,
		Contract: s.Chain.Contracts.Token,
		Function: "mint(address to, uint256 amount)",
		Rules: []policy.Rule{
			policy.Arg("to", policy.Equal, to),
			policy.Arg("amount", policy.LessThanOrEqual, limit),
		},
		Window: policy.Until(time.Now().Add(24 * time.Hour)),
	})
}

// Mint is the call that mints a demo NFT.
func (s *Stage) Mint(to common.Address) (account.Call, error) {
	data, err := abi.Pack("function safeMint(address to)", to)
	return account.Call{To: s.Chain.Contracts.NFT, Data: data}, err
}

// MintTokens is the call that mints demo tokens.
func (s *Stage) MintTokens(to common.Address, amount uint64) (account.Call, error) {
	data, err := abi.Pack("function mint(address to, uint256 amount)", to, amount)
	return account.Call{To: s.Chain.Contracts.Token, Data: data}, err
}

// Grant grants policies and waits until the chain shows them.
func Grant(ctx context.Context, owner *account.OwnedAccount, store session.Store, policies []policy.Policy, opts ...account.Option) (*session.Sessions, error) {
	sess, tx, err := owner.Grant(ctx, store, policies, append(opts, account.Sponsored())...)
	if err != nil {
		return nil, err
	}
	_, err = sess.Activate(ctx, tx)
	return sess, err
}

// Main runs a program's scene on a stage of its own, for a minute at most.
func Main(scene func(ctx context.Context, s *Stage, out io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := NoArguments(os.Args[1:])
	if err == nil {
		err = Play(ctx, os.Stdout, scene)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// NoArguments returns an error if a program that takes no arguments got some.
func NoArguments(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unexpected argument %q; this program takes none, and runs by itself on a chain in its own process", args[0])
}

// ParseFlags parses a program's arguments, all of which are flags. It prints usage and the flags if they ask for
// it, and returns [flag.ErrHelp]; what is wrong is returned, and not printed.
func ParseFlags(set *flag.FlagSet, usage string, args []string, stderr io.Writer) error {
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

// Play is [Main] with its own context and output.
func Play(ctx context.Context, out io.Writer, scene func(ctx context.Context, s *Stage, out io.Writer) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s, err := Start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return scene(ctx, s, out)
}

// Keyless returns an error of a node without its URL, which may hold a key: net/http quotes it, and what a server
// says behind an HTTP status may quote it too.
func Keyless(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	if failed, ok := errors.AsType[rpc.HTTPError](err); ok {
		return errors.New(failed.Status)
	}
	return err
}

// Line prints one fact.
func Line(out io.Writer, name string, value any) { fmt.Fprintf(out, "  %-16s %v\n", name, value) }

// Refused prints the refusal that a scene expects.
func Refused(out io.Writer, err error) error {
	if err == nil {
		return errors.New("what a session does not allow went through")
	}
	Line(out, "refused", err)
	return nil
}
