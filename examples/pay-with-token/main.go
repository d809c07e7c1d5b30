// Pay-with-token has a user without ether pay in a token for what a dapp does in a session. The approval that
// lets the token paymaster take its fee goes out in the same operation, allowed by a leaf of its own.
//
// Without flags it does so on a devnet in its own process; with -rpc, -bundler and -paymaster on that chain.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/signal"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
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
	flag.TextVar(&o.token, "token", demo.Token6, "`address` of a token that the paymaster takes, of 6 decimals, with mint(address,uint256)")
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

// What the user has, and lets the dapp approve for fees: 100 and 5 of a token with 6 decimals.
const (
	funds    = 100_000_000
	feeLimit = 5_000_000
)

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
	if err := giveTokens(ctx, owner, o.token); err != nil {
		return err
	}
	return pay(ctx, out, network.Client, owner, o)
}

// giveTokens has the demo token, which lets everybody, mint the user's funds.
func giveTokens(ctx context.Context, owner *account.OwnedAccount, token common.Address) error {
	mint, err := abi.Pack("function mint(address to, uint256 amount)", owner.Address(), funds)
	if err != nil {
		return err
	}
	tx, err := owner.Send(ctx, []account.Call{{To: token, Data: mint}}, account.Sponsored())
	if err != nil {
		return err
	}
	_, err = tx.Wait(ctx)
	return err
}

func pay(ctx context.Context, out io.Writer, client *account.Client, owner *account.OwnedAccount, o options) error {
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The user, who has tokens only, lets the dapp mint, and approve fees")
	spender := client.Contracts().TokenPaymaster
	granted, tx, err := owner.Grant(ctx, store, []policy.Policy{
		mintPolicy(o.nft, key, owner.Address()),
		approvalPolicy(o.token, key, spender),
	}, account.ForBatches(), account.Sponsored())
	if err != nil {
		return err
	}
	if _, err := granted.Activate(ctx, tx); err != nil {
		return err
	}
	for _, leaf := range granted.Leaves() {
		line(out, leaf.ID, leaf.Describe(policy.Modules{}))
	}
	sess, err := session.Open(ctx, store, owner.Ref(), session.WithChain(client))
	if err != nil {
		return err
	}
	mint, err := abi.Pack("function safeMint(address to)", owner.Address())
	if err != nil {
		return err
	}
	d := &dapp{
		out: out, client: client, user: client.Account(owner.Address()), session: sess, token: o.token,
		calls: []account.Call{{To: o.nft, Data: mint}},
	}
	return d.act(ctx)
}

// mintPolicy lets key mint NFTs to the user, for a day.
func mintPolicy(nft, key, user common.Address) policy.Policy {
	return session.Named("mint-nft", policy.ABI{
		Key:      key,
		Contract: nft,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, user)},
		Window:   policy.Until(time.Now().Add(24 * time.Hour)),
	})
}

// approvalPolicy lets key approve the token paymaster, and nobody else, for at most feeLimit.
func approvalPolicy(token, key, spender common.Address) policy.Policy {
	return session.Named("approve-fee", policy.ABI{
		Key:      key,
		Contract: token,
		Function: "approve(address spender, uint256 amount)",
		Rules: []policy.Rule{
			policy.Arg("spender", policy.Equal, spender),
			policy.Arg("amount", policy.LessThanOrEqual, feeLimit),
		},
		Window: policy.Until(time.Now().Add(24 * time.Hour)),
	})
}

// dapp acts for the user.
type dapp struct {
	out     io.Writer
	client  *account.Client
	user    *account.Account
	session *session.Sessions
	token   common.Address
	calls   []account.Call
}

func (d *dapp) act(ctx context.Context) error {
	fmt.Fprintln(d.out, "\nWhat it would cost to mint")
	quotes, err := d.user.FeeQuotes(ctx, d.calls, nil, account.WithSession(d.session.ByID("mint-nft")))
	if err != nil {
		return err
	}
	for _, quote := range quotes.Quotes {
		line(d.out, "in "+quote.Symbol, "at most "+amount(&quote.MaxFee, quote.Decimals))
	}
	fmt.Fprintln(d.out, "\nThe dapp mints, with the approval in the same operation")
	if err := d.mint(ctx); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nAnd once more, within what was approved")
	if err := d.mint(ctx); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nA price above the quote is not signed")
	quote, err := d.quote(ctx)
	if err != nil {
		return err
	}
	quote.MaxFee.Rsh(&quote.MaxFee, 2) // as if the price had risen since
	_, err = d.user.Send(ctx, d.calls, append(d.options(), account.PayWith(quote))...)
	return refused(d.out, err)
}

// options say who signs, and how the token paymaster gets its allowance where it has none.
func (d *dapp) options() []account.Option {
	return []account.Option{
		account.WithSession(d.session.ByID("mint-nft")),
		account.ApproveUpTo(uint256.NewInt(feeLimit), d.session.ByID("approve-fee")),
	}
}

func (d *dapp) quote(ctx context.Context) (userop.FeeQuote, error) {
	quotes, err := d.user.FeeQuotes(ctx, d.calls, []common.Address{d.token}, d.options()...)
	if err != nil {
		return userop.FeeQuote{}, err
	}
	quote, ok := quotes.For(d.token)
	if !ok {
		return userop.FeeQuote{}, fmt.Errorf("the paymaster does not take token %s", d.token)
	}
	return quote, nil
}

// mint does the dapp's calls and prints what went out and what was paid.
func (d *dapp) mint(ctx context.Context) error {
	quote, err := d.quote(ctx)
	if err != nil {
		return err
	}
	tx, err := d.user.Send(ctx, d.calls, append(d.options(), account.PayWith(quote))...)
	if err != nil {
		return err
	}
	receipt, err := tx.Wait(ctx)
	if err != nil {
		return err
	}
	sent, err := d.user.Decode(tx.Operation().CallData)
	if err != nil {
		return err
	}
	line(d.out, "user operation", tx.Hash())
	line(d.out, "calls", len(sent))
	line(d.out, "quote", "at most "+amount(&quote.MaxFee, quote.Decimals))
	if fee, ok := d.client.TokenFee(receipt); ok {
		line(d.out, "fee", amount(&fee.Amount, quote.Decimals))
	}
	return nil
}

// amount writes base units as what people count in, to four places.
func amount(units *uint256.Int, decimals uint8) string {
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	return new(big.Rat).SetFrac(units.ToBig(), one).FloatString(4)
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
