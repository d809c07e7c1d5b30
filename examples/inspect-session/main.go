// Inspect-session prints in words what a store's sessions allow, what is risky about them, and whether
// the account's chain agrees.
//
// Without flags it does so for sessions that it grants on a chain in its own process. With -store and
// the other flags it reads a directory of the TypeScript SDK's session files, and says first what the SDK
// spoilt in them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/examples/internal/stage"
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

  inspect-session
        does so for sessions that it grants on a chain in its own process

  inspect-session -store DIR -account ADDR (-rpc URL | -chain ID)
        reads session files of the TypeScript SDK; with a node it compares the session root, too

`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("inspect-session", flag.ContinueOnError)
	store := set.String("store", "", "`directory` of the TypeScript SDK's session files")
	user := set.String("account", "", "`address` of the user's smart account")
	chainID := set.Uint64("chain", 0, "`ID` of the chain the sessions are for; asked of -rpc by default")
	rpc := set.String("rpc", "", "`URL` of a node, to compare the session root; without one the chain is not asked")
	switch err := stage.ParseFlags(set, usage, args, stderr); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case len(args) == 0:
		return stage.Play(ctx, stdout, demo)
	case *store == "":
		return errors.New("missing -store; -h explains the flags")
	case !common.IsHexAddress(*user):
		return fmt.Errorf("-account: %q is not an address", *user)
	case *chainID == 0 && *rpc == "":
		return errors.New("missing -rpc or -chain: the files do not say which chain they are for")
	}
	return inspectFiles(ctx, stdout, *store, session.Ref{ChainID: *chainID, Account: common.HexToAddress(*user)}, *rpc)
}

// inspectFiles inspects a directory of the TypeScript SDK.
func inspectFiles(ctx context.Context, out io.Writer, dir string, ref session.Ref, rpc string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("-store: %w", err)
	}
	var chain session.Chain
	if rpc != "" {
		node, err := ethclient.DialContext(ctx, rpc)
		if err != nil {
			return fmt.Errorf("-rpc: %w", stage.Keyless(err))
		}
		defer node.Close()
		id, err := node.ChainID(ctx)
		if err != nil {
			return fmt.Errorf("chain ID of the node: %w", stage.Keyless(err))
		}
		if ref.ChainID != 0 && ref.ChainID != id.Uint64() {
			return fmt.Errorf("-chain: the node serves chain %s, not %d", id, ref.ChainID)
		}
		ref.ChainID = id.Uint64()
		// Nothing is sent, so the bundler is never asked.
		client, err := account.NewClient(account.Config{ChainID: ref.ChainID, Chain: node, Bundler: bundler.New("http://unused.invalid")})
		if err != nil {
			return err
		}
		chain = client
	}
	store, err := tsstore.OpenPlaintext(dir, ref.ChainID)
	if err != nil {
		return err
	}
	if err := inspectFaults(ctx, out, store, ref, chain); err != nil {
		return err
	}
	return inspect(ctx, out, store, ref, chain)
}

// inspectFaults prints what is wrong with the files themselves, those too that no session can be opened from.
func inspectFaults(ctx context.Context, out io.Writer, store *tsstore.Store, ref session.Ref, chain session.Chain) error {
	var opts []tsstore.InspectOption
	if chain != nil {
		opts = append(opts, tsstore.WithChain(chain))
	}
	report, err := store.Inspect(ctx, ref, opts...)
	if err != nil {
		return err
	}
	for _, finding := range report.Findings {
		stage.Line(out, "files", finding)
	}
	fmt.Fprintln(out)
	return nil
}

// inspect prints the sessions of one account.
func inspect(ctx context.Context, out io.Writer, store session.Store, ref session.Ref, chain session.Chain) error {
	sess, err := session.Open(ctx, store, ref)
	if err != nil {
		return err
	}
	leaves, now := sess.Leaves(), time.Now()
	findings := session.Lint(leaves, policy.LintConfig{Account: ref.Account, Guards: guards(ref.ChainID)})
	fmt.Fprintf(out, "%s: %d sessions\n", ref, len(leaves))
	for i := range leaves {
		leaf := &leaves[i]
		fmt.Fprintf(out, "\n%d. %s, %s\n", i, leaf.ID, leaf.StatusAt(now))
		stage.Line(out, "key", leaf.Key)
		stage.Line(out, "which", leaf.Describe(policy.Modules{}))
		for _, f := range findings {
			if f.Leaf == i {
				stage.Line(out, f.Severity.String(), f.Message)
			}
		}
	}
	fmt.Fprintln(out)
	stage.Line(out, "root", sess.Root())
	if pending := sess.Pending(); pending != nil {
		stage.Line(out, "waits for", fmt.Sprintf("operation %s, which sets root %s", pending.OpHash, pending.Root))
	}
	if chain == nil {
		return nil
	}
	if err := sess.Confirm(ctx, chain, 0); err != nil {
		stage.Line(out, "chain", err)
		return nil
	}
	stage.Line(out, "chain", "shows a root that the store knows")
	return nil
}

// guards are the modules that own accounts: a session that may call one can take the account over.
func guards(chainID uint64) []common.Address {
	c := account.DefaultContracts(chainID)
	return []common.Address{c.ECDSA, c.Multichain}
}

// demo grants sessions, good and bad ones, and inspects them.
func demo(ctx context.Context, s *stage.Stage, out io.Writer) error {
	owner, err := s.NewOwner()
	if err != nil {
		return err
	}
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	careless := session.Named("careless", policy.ABI{
		Key: key, Contract: s.Chain.Contracts.Token,
		Function: "approve(address spender, uint256 amount)", Window: policy.Forever(),
	})
	sess, err := stage.Grant(ctx, owner, store, []policy.Policy{
		s.MintPolicy(key, owner.Address()),
		s.TokenPolicy(key, owner.Address(), 100),
		careless,
	})
	if err != nil {
		return err
	}
	tx, err := owner.Revoke(ctx, sess, "mint-tokens", account.Sponsored())
	if err != nil {
		return err
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	client, err := s.Client()
	if err != nil {
		return err
	}
	return inspect(ctx, out, store, owner.Ref(), client)
}
