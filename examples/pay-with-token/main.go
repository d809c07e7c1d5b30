// Pay-with-token has a user without ether pay in a token for what a dapp does in a session. The approval
// that lets the token paymaster take its fee goes out in the same operation, allowed by a leaf of its own.
package main

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/examples/internal/stage"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

func main() { stage.Main(pay) }

// What the user has, and lets the dapp approve for fees: 100 and 5 of a token with 6 decimals.
const (
	funds    = 100_000_000
	feeLimit = 5_000_000
)

func pay(ctx context.Context, s *stage.Stage, out io.Writer) error {
	owner, err := s.NewOwner()
	if err != nil {
		return err
	}
	give, err := abi.Pack("function mint(address to, uint256 amount)", owner.Address(), funds)
	if err != nil {
		return err
	}
	if _, err := s.Chain.SendTx(ctx, s.Chain.Contracts.Token6, nil, give); err != nil {
		return err
	}
	store := memstore.New()
	key, err := store.NewKey(ctx, owner.Ref())
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "The user, who has tokens only, lets the dapp mint, and approve fees")
	granted, err := stage.Grant(ctx, owner, store, []policy.Policy{
		s.MintPolicy(key, owner.Address()),
		approvalPolicy(s, key),
	}, account.ForBatches())
	if err != nil {
		return err
	}
	for _, leaf := range granted.Leaves() {
		stage.Line(out, leaf.ID, leaf.Describe(policy.Modules{}))
	}
	client, err := s.Client()
	if err != nil {
		return err
	}
	sess, err := session.Open(ctx, store, owner.Ref(), session.WithChain(client))
	if err != nil {
		return err
	}
	mint, err := s.Mint(owner.Address())
	if err != nil {
		return err
	}
	d := &dapp{stage: s, out: out, client: client, user: client.Account(owner.Address()), session: sess, calls: []account.Call{mint}}
	return d.act(ctx)
}

// approvalPolicy lets key approve the token paymaster, and nobody else, for at most feeLimit.
func approvalPolicy(s *stage.Stage, key common.Address) policy.Policy {
	return session.Named("approve-fee", policy.ABI{
		Key:      key,
		Contract: s.Chain.Contracts.Token6,
		Function: "approve(address spender, uint256 amount)",
		Rules: []policy.Rule{
			policy.Arg("spender", policy.Equal, s.Chain.Contracts.TokenPaymaster),
			policy.Arg("amount", policy.LessThanOrEqual, feeLimit),
		},
		Window: policy.Until(time.Now().Add(24 * time.Hour)),
	})
}

// dapp acts for the user.
type dapp struct {
	stage   *stage.Stage
	out     io.Writer
	client  *account.Client
	user    *account.Account
	session *session.Sessions
	calls   []account.Call
}

func (d *dapp) act(ctx context.Context) error {
	fmt.Fprintln(d.out, "\nWhat it would cost to mint")
	quotes, err := d.user.FeeQuotes(ctx, d.calls, nil, account.WithSession(d.session.ByID("mint-nft")))
	if err != nil {
		return err
	}
	for _, quote := range quotes.Quotes {
		stage.Line(d.out, "in "+quote.Symbol, "at most "+amount(&quote.MaxFee, quote.Decimals))
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
	return stage.Refused(d.out, err)
}

// options say who signs, and how the token paymaster gets its allowance where it has none.
func (d *dapp) options() []account.Option {
	return []account.Option{
		account.WithSession(d.session.ByID("mint-nft")),
		account.ApproveUpTo(uint256.NewInt(feeLimit), d.session.ByID("approve-fee")),
	}
}

func (d *dapp) quote(ctx context.Context) (userop.FeeQuote, error) {
	token := d.stage.Chain.Contracts.Token6
	quotes, err := d.user.FeeQuotes(ctx, d.calls, []common.Address{token}, d.options()...)
	if err != nil {
		return userop.FeeQuote{}, err
	}
	quote, ok := quotes.For(token)
	if !ok {
		return userop.FeeQuote{}, fmt.Errorf("the paymaster does not take token %s", token)
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
	stage.Line(d.out, "user operation", tx.Hash())
	stage.Line(d.out, "calls", len(sent))
	stage.Line(d.out, "quote", "at most "+amount(&quote.MaxFee, quote.Decimals))
	if fee, ok := d.client.TokenFee(receipt); ok {
		stage.Line(d.out, "fee", amount(&fee.Amount, quote.Decimals))
	}
	return nil
}

// amount writes base units as what people count in, to four places.
func amount(units *uint256.Int, decimals uint8) string {
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	return new(big.Rat).SetFrac(units.ToBig(), one).FloatString(4)
}
