// Revoke-session takes one of two sessions back: the revoked one stops at once, here and on chain, and the
// other goes on.
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
	sess, tx, err := owner.Grant(ctx, store, policies(o, key, owner.Address()), account.Sponsored())
	if err != nil {
		return err
	}
	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	fmt.Fprintln(out, "The user granted two sessions")
	report(out, sess)
	return revoke(ctx, out, owner, sess, o)
}

func revoke(ctx context.Context, out io.Writer, owner *account.OwnedAccount, sess *session.Sessions, o options) error {
	tx, err := owner.Revoke(ctx, sess, "mint-nft", account.Sponsored())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe user revokes the first; it stops signing before the chain knows")
	report(out, sess)
	mint, err := abi.Pack("function safeMint(address to)", owner.Address())
	if err != nil {
		return err
	}
	_, err = owner.Send(ctx, []account.Call{{To: o.nft, Data: mint}}, account.WithSession(sess.ByID("mint-nft")), account.Sponsored())
	if err := refused(out, err); err != nil {
		return err
	}

	if _, err := sess.Activate(ctx, tx); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe chain shows the new root; the other session still works")
	report(out, sess)
	tokens, err := abi.Pack("function mint(address to, uint256 amount)", owner.Address(), 5)
	if err != nil {
		return err
	}
	tx, err = owner.Send(ctx, []account.Call{{To: o.token, Data: tokens}}, account.WithSession(sess.ByID("mint-tokens")), account.Sponsored())
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	line(out, "transaction", receipt.TransactionHash)
	return nil
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

func report(out io.Writer, sess *session.Sessions) {
	line(out, "session root", sess.Root())
	for _, leaf := range sess.Leaves() {
		line(out, leaf.ID, leaf.Status)
	}
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
