// Batch-session does two things for a user in one operation: it mints an NFT and some tokens, each allowed by
// a session leaf of its own, through the batched session router.
//
// While an account has that router enabled, anybody can burn what it holds of the chain's own currency: such
// a grant is for accounts that are sponsored and hold none, as this one, and is refused for others.
//
// Without flags it does so on a devnet in its own process; with -rpc, -bundler and -paymaster on that chain.
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
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// options are the command line.
type options struct {
	services   accounttest.Services
	nft, token common.Address
}

func main() {
	demo := accounttest.WellKnownContracts()
	var o options
	o.services.Flags(flag.CommandLine)
	flag.TextVar(&o.nft, "nft", demo.NFT, "`address` of a contract with safeMint(address)")
	flag.TextVar(&o.token, "token", demo.Token, "`address` of a contract with mint(address,uint256)")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "error: unexpected argument %q; -h explains the flags\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	network, err := o.services.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	store := memstore.New()
	ref, err := grant(ctx, out, network.Client, store, o)
	if err != nil {
		return err
	}
	return act(ctx, out, network.Client, store, ref, o)
}

// grant is the user's side.
func grant(ctx context.Context, out io.Writer, client *account.Client, store *memstore.Store, o options) (session.Ref, error) {
	ownerKey, err := crypto.GenerateKey()
	if err != nil {
		return session.Ref{}, err
	}
	owner := client.OwnedAccount(account.KeyOwner(ownerKey))
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return session.Ref{}, err
	}
	fmt.Fprintln(out, "The user grants two permissions to one session key, for use in batches")
	granted, tx, err := owner.Grant(ctx, store, policies(o, key, owner.Address()), account.ForBatches(), account.Sponsored())
	if err != nil {
		return session.Ref{}, err
	}
	if _, err := granted.Activate(ctx, tx); err != nil {
		return session.Ref{}, err
	}
	for _, leaf := range granted.Leaves() {
		line(out, leaf.ID, leaf.Describe(policy.Modules{}))
	}
	return owner.Ref(), nil
}

// policies let key mint NFTs, and at most 100 tokens at a time, to the user, for a day.
func policies(o options, key, user common.Address) []policy.Policy {
	return []policy.Policy{
		session.Named("mint-nft", policy.ABI{
			Key:      key,
			Contract: o.nft,
			Function: "safeMint(address to)",
			Rules:    []policy.Rule{policy.Arg("to", policy.Equal, user)},
			Window:   policy.Until(time.Now().Add(24 * time.Hour)),
		}),
		session.Named("mint-tokens", policy.ABI{
			Key:      key,
			Contract: o.token,
			Function: "mint(address to, uint256 amount)",
			Rules: []policy.Rule{
				policy.Arg("to", policy.Equal, user),
				policy.Arg("amount", policy.LessThanOrEqual, 100),
			},
			Window: policy.Until(time.Now().Add(24 * time.Hour)),
		}),
	}
}

// act is the dapp's side.
func act(ctx context.Context, out io.Writer, client *account.Client, store session.Store, ref session.Ref, o options) error {
	user := client.Account(ref.Account)
	sess, err := session.Open(ctx, store, ref, session.WithChain(client))
	if err != nil {
		return err
	}
	calls, err := mintBoth(o, ref.Account, 60)
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "\nThe dapp mints both in one operation, a leaf for each call")
	tx, err := user.Send(ctx, calls, account.WithSession(sess.ByID("mint-nft"), sess.ByID("mint-tokens")), account.Sponsored())
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	line(out, "user operation", tx.Hash())
	line(out, "transaction", receipt.TransactionHash)

	fmt.Fprintln(out, "\nThe same with the leaves found by what they allow")
	tx, err = user.Send(ctx, calls, account.WithLeafOf(sess), account.Sponsored())
	if err != nil {
		return err
	}
	if _, err = tx.Wait(ctx); err != nil {
		return err
	}
	line(out, "user operation", tx.Hash())

	fmt.Fprintln(out, "\nMore tokens than allowed: all or nothing")
	if calls, err = mintBoth(o, ref.Account, 101); err != nil {
		return err
	}
	_, err = user.Send(ctx, calls, account.WithSession(sess.ByID("mint-nft"), sess.ByID("mint-tokens")), account.Sponsored())
	return refused(out, err)
}

// mintBoth are the calls that mint an NFT and tokens.
func mintBoth(o options, to common.Address, amount uint64) ([]account.Call, error) {
	nft, err := abi.Pack("function safeMint(address to)", to)
	if err != nil {
		return nil, err
	}
	tokens, err := abi.Pack("function mint(address to, uint256 amount)", to, amount)
	return []account.Call{{To: o.nft, Data: nft}, {To: o.token, Data: tokens}}, err
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
