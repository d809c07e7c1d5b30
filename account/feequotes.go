package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// FeeQuotes asks the paymaster what the calls would cost in tokens, all that it takes if none is named.
// Nothing is signed. The options are those for [Account.Send], without the one that names who pays; [PayWith]
// takes one of the quotes.
//
// An approval costs gas as well. It is part of the quoted operation if its option is given ([ApproveExact]
// and the like), together with the one token it is for.
func (a *Account) FeeQuotes(ctx context.Context, calls []Call, tokens []common.Address, opts ...Option) (userop.FeeQuotes, error) {
	s, err := newSettings(opts)
	if err != nil {
		return userop.FeeQuotes{}, err
	}
	return a.client.feeQuotes(ctx, a.address, a.draft, calls, tokens, s)
}

// FeeQuotes is [Account.FeeQuotes] for what [OwnedAccount.Send] would send.
func (o *OwnedAccount) FeeQuotes(ctx context.Context, calls []Call, tokens []common.Address, opts ...Option) (userop.FeeQuotes, error) {
	s, err := newSettings(opts)
	if err != nil {
		return userop.FeeQuotes{}, err
	}
	return o.client.feeQuotes(ctx, o.address, o.draft, calls, tokens, s)
}

// draftFunc makes a draft of calls: as an account, or as its owner.
type draftFunc func(calls []Call, s *settings) (*userop.Draft, error)

func (c *Client) feeQuotes(ctx context.Context, account common.Address, draft draftFunc, calls []Call, tokens []common.Address, s *settings) (userop.FeeQuotes, error) {
	ask := func(approval []Call) (userop.FeeQuotes, error) {
		asked := *s
		asked.forQuote, asked.approvalCalls = true, approval
		d, err := draft(calls, &asked)
		if err != nil {
			return userop.FeeQuotes{}, err
		}
		return c.sender.FeeQuotes(ctx, *d, tokens...)
	}
	switch {
	case s.sponsored || s.orSelf || s.quote != nil:
		return userop.FeeQuotes{}, fmt.Errorf("%w: FeeQuotes with Sponsored, SponsoredOrSelf or PayWith; who pays is chosen for sending", ErrConfig)
	case s.approval == nil:
		return ask(nil)
	case len(tokens) != 1:
		return userop.FeeQuotes{}, fmt.Errorf("%w: quotes in %d tokens with %s, which is for one: name that token, or leave the approval out to compare tokens", ErrConfig, len(tokens), s.approval.option)
	}
	funds, err := c.tokenFunds(ctx, account, tokens[0])
	if err != nil {
		return userop.FeeQuotes{}, err
	}
	approval := func(fee *uint256.Int) []Call {
		return s.approval.calls(tokens[0], c.contracts.TokenPaymaster, &funds.allowance, fee)
	}
	if funds.allowance.IsZero() {
		return ask(approval(uint256.NewInt(1))) // the fee is not known yet; any amount costs about the same gas
	}
	quotes, err := ask(nil)
	quote, ok := quotes.For(tokens[0])
	if err != nil || !ok || !funds.allowance.Lt(&quote.MaxFee) {
		return quotes, err
	}
	return ask(approval(&quote.MaxFee))
}

// tokenFunds are what an account has of a token, and lets the token paymaster take, in the token's base
// units.
type tokenFunds struct{ balance, allowance uint256.Int }

func (c *Client) tokenFunds(ctx context.Context, account, token common.Address) (f tokenFunds, err error) {
	results, err := batchRead(ctx, c.chain,
		contracts.Read{To: token, Data: contracts.BalanceOf(account)},
		contracts.Read{To: token, Data: contracts.Allowance(account, c.contracts.TokenPaymaster)})
	if err == nil {
		err = decodeResult(&results[0], "balanceOf", into(&f.balance, contracts.DecodeUint256))
	}
	if err == nil {
		err = decodeResult(&results[1], "allowance", into(&f.allowance, contracts.DecodeUint256))
	}
	if err != nil {
		return f, fmt.Errorf("balance and allowance of account %s in token %s: %w", account, token, err)
	}
	return f, nil
}

// TokenFee is what an operation cost its account in a token, in the token's base units.
type TokenFee struct {
	Token  common.Address
	Amount uint256.Int
}

// TokenFee returns what the token paymaster took for an operation, as it logged it; false where it was not
// paid, or the bundler's receipt has no logs.
func (c *Client) TokenFee(receipt *userop.Receipt) (TokenFee, bool) {
	for _, log := range receipt.Logs {
		if log.Address != c.contracts.TokenPaymaster {
			continue
		}
		paid, err := contracts.DecodeTokenPaymasterOperation(log)
		if err == nil && paid.UserOpHash == receipt.UserOpHash {
			return TokenFee{Token: paid.Token, Amount: paid.Charge}, true
		}
	}
	return TokenFee{}, false
}
