// Inspect-session prints in words what a store's sessions allow, what is risky about them, and whether the
// account's chain agrees.
//
// Without flags it does so for sessions that it grants on a devnet in its own process, and with -rpc,
// -bundler and -paymaster alone on that chain. With -store and the other flags it reads a directory of the
// TypeScript SDK's session files, and says first what the SDK spoilt in them.
package main

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
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

const usage = `Inspect-session prints what a store's sessions allow, and what is risky about them.

  inspect-session [-rpc URL -bundler URL -paymaster URL]
        does so for sessions that it grants, on a chain in its own process or on the one that is named

  inspect-session -store DIR -account ADDR (-rpc URL | -chain ID)
        reads session files of the TypeScript SDK; with a node it compares the session root, too

`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("inspect-session", flag.ContinueOnError)
	store := set.String("store", "", "`directory` of the TypeScript SDK's session files")
	user := set.String("account", "", "`address` of the user's smart account")
	chainID := set.Uint64("chain", 0, "`ID` of the chain the sessions are for; asked of -rpc by default")
	var services accounttest.Services
	set.StringVar(&services.RPC, "rpc", "", "`URL` of a node, to compare the session root; without one the chain is not asked")
	set.StringVar(&services.Bundler, "bundler", "", "`URL` of a bundler, to grant sessions")
	set.StringVar(&services.Paymaster, "paymaster", "", "`URL` of a paymaster, to grant sessions")
	switch err := parseFlags(set, args, stderr); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *store == "" && *user == "" && *chainID == 0:
		return demo(ctx, stdout, services)
	case *store == "":
		return errors.New("missing -store; -h explains the flags")
	case !common.IsHexAddress(*user):
		return fmt.Errorf("-account: %q is not an address", *user)
	case *chainID == 0 && services.RPC == "":
		return errors.New("missing -rpc or -chain: the files do not say which chain they are for")
	}
	return inspectFiles(ctx, stdout, *store, session.Ref{ChainID: *chainID, Account: common.HexToAddress(*user)}, services.RPC)
}

// inspectFiles inspects a directory of the TypeScript SDK.
func inspectFiles(ctx context.Context, out io.Writer, dir string, ref session.Ref, node string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("-store: %w", err)
	}
	var client *account.Client
	if node != "" {
		conn, err := ethclient.DialContext(ctx, node)
		if err != nil {
			return fmt.Errorf("-rpc: %w", keyless(err))
		}
		defer conn.Close()
		id, err := conn.ChainID(ctx)
		if err != nil {
			return fmt.Errorf("chain ID of the node: %w", keyless(err))
		}
		if ref.ChainID != 0 && ref.ChainID != id.Uint64() {
			return fmt.Errorf("-chain: the node serves chain %s, not %d", id, ref.ChainID)
		}
		ref.ChainID = id.Uint64()
		// Nothing is sent, so the bundler is never asked.
		client, err = account.NewClient(account.Config{ChainID: ref.ChainID, Chain: conn, Bundler: bundler.New("http://unused.invalid")})
		if err != nil {
			return err
		}
	}
	store, err := tsstore.OpenPlaintext(dir, ref.ChainID)
	if err != nil {
		return err
	}
	if err := inspectFaults(ctx, out, store, ref, client); err != nil {
		return err
	}
	return inspect(ctx, out, store, ref, client)
}

// inspectFaults prints what is wrong with the files themselves, those too that no session can be opened from.
func inspectFaults(ctx context.Context, out io.Writer, store *tsstore.Store, ref session.Ref, client *account.Client) error {
	var opts []tsstore.InspectOption
	if client != nil {
		opts = append(opts, tsstore.WithChain(client))
	}
	report, err := store.Inspect(ctx, ref, opts...)
	if err != nil {
		return err
	}
	for _, finding := range report.Findings {
		line(out, "files", finding)
	}
	fmt.Fprintln(out)
	return nil
}

// inspect prints the sessions of one account and, from a client of its chain, what the chain says.
func inspect(ctx context.Context, out io.Writer, store session.Store, ref session.Ref, client *account.Client) error {
	sess, err := session.Open(ctx, store, ref)
	if err != nil {
		return err
	}
	leaves, now := sess.Leaves(), time.Now()
	config := policy.LintConfig{Account: ref.Account}
	findings := session.Lint(leaves, config)
	if client != nil {
		user := client.Account(ref.Account)
		state, err := user.State(ctx)
		if err != nil {
			return keyless(err)
		}
		config = user.LintConfig(state)
		if findings, err = user.Lint(ctx, leaves); err != nil {
			return keyless(err)
		}
	}
	fmt.Fprintf(out, "%s: %d sessions\n", ref, len(leaves))
	for i := range leaves {
		leaf := &leaves[i]
		fmt.Fprintf(out, "\n%d. %s, %s\n", i, leaf.ID, leaf.StatusAt(now))
		line(out, "key", leaf.Key)
		line(out, "which", leaf.DescribeWith(config))
		printFindings(out, findings, i)
	}
	fmt.Fprintln(out)
	printFindings(out, findings, policy.NoLeaf)
	line(out, "root", sess.Root())
	if pending := sess.Pending(); pending != nil {
		line(out, "waits for", fmt.Sprintf("operation %s, which sets root %s", pending.OpHash, pending.Root))
	}
	if client == nil {
		return nil
	}
	if err := sess.Confirm(ctx, client, 0); err != nil {
		line(out, "chain", err)
		return nil
	}
	line(out, "chain", "shows a root that the store knows")
	return nil
}

// printFindings prints what was found about a leaf or, for [policy.NoLeaf], the account.
func printFindings(out io.Writer, findings []policy.Finding, leaf int) {
	for _, f := range findings {
		if f.Leaf == leaf {
			line(out, f.Severity.String(), f.Message)
		}
	}
}

// demo grants sessions, good and bad ones, and inspects them.
func demo(ctx context.Context, out io.Writer, services accounttest.Services) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	network, err := services.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return err
	}
	owner := network.Client.OwnedAccount(account.KeyOwner(ownerKey))
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	sess, tx, err := owner.Grant(ctx, store, demoPolicies(key, owner.Address()), account.ForBatches(), account.Sponsored(),
		account.AllowDanger(policy.FindingOpenTo)) // for the careless one
	if err != nil {
		return err
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	if tx, err = owner.Revoke(ctx, sess, "mint-tokens", account.Sponsored()); err != nil {
		return err
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	return inspect(ctx, out, store, owner.Ref(), network.Client)
}

// demoPolicies are two with care, which let key mint NFTs and at most 100 tokens at a time to the user, and
// one without.
func demoPolicies(key, user common.Address) []policy.Policy {
	demo, day := accounttest.WellKnownContracts(), policy.Until(time.Now().Add(24*time.Hour))
	toUser := policy.Arg("to", policy.Equal, user)
	return []policy.Policy{
		session.Named("mint-nft", policy.ABI{Key: key, Contract: demo.NFT,
			Function: "safeMint(address to)", Rules: []policy.Rule{toUser}, Window: day,
		}),
		session.Named("mint-tokens", policy.ABI{Key: key, Contract: demo.Token,
			Function: "mint(address to, uint256 amount)", Rules: []policy.Rule{toUser, policy.Arg("amount", policy.LessThanOrEqual, 100)}, Window: day,
		}),
		session.Named("careless", policy.ABI{Key: key, Contract: demo.Token,
			Function: "approve(address spender, uint256 amount)", Window: policy.Forever(),
		}),
	}
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

// keyless is an error of a node without its URL, which may hold a key: net/http quotes it, and what a server
// says behind an HTTP status may quote it too.
func keyless(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	if failed, ok := errors.AsType[rpc.HTTPError](err); ok {
		return errors.New(failed.Status)
	}
	return err
}

// line prints one fact.
func line(out io.Writer, name string, value any) { fmt.Fprintf(out, "  %-16s %v\n", name, value) }
