package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// PayWith pays for the operation in a token, at a quote of [Account.FeeQuotes]. The token paymaster takes the fee
// after the calls, from what the account allows it: [ApproveExact], [ApproveUpTo] or [ApproveUnlimited] has that
// approved in the same operation; without one of them the allowance has to be there.
//
// Nothing is signed if the quote has expired, the account's balance or allowance is below the quote's MaxFee, the
// paymaster then asks for more than that if the operation uses up its gas limits, or the paymaster is not
// [Contracts].TokenPaymaster. MaxFee may be raised, to leave room for a rising price of gas. A paymaster that asks an
// oracle on chain can find another rate there than it answered with: then the allowance alone bounds the fee.
func PayWith(quote userop.FeeQuote) Option {
	return func(s *settings) {
		s.must(s.quote == nil, "PayWith twice")
		s.quote = &quote
	}
}

// checkPayer judges the options about who pays.
func (s *settings) checkPayer() {
	s.must(btoi(s.sponsored)+btoi(s.orSelf)+btoi(s.quote != nil) <= 1, "Sponsored, SponsoredOrSelf and PayWith each name who pays; use one")
	if s.approval != nil && s.approval.leaf != nil && s.leaves == nil {
		s.errs = append(s.errs, fmt.Errorf("%s with a leaf goes with WithSession", s.approval.option))
	}
}

// payment is the fee of one operation in a token.
type payment struct {
	client   *Client
	account  common.Address
	calls    []Call
	settings *settings
	quote    *userop.FeeQuote
	signer   *laterSigner
	// allowed is what the paymaster may take in the end, nil where nobody looked.
	allowed *uint256.Int
}

// laterSigner stands for the signer of an operation that is being composed.
type laterSigner struct{ userop.Signer }

// arrangePayment makes the draft of the calls one that is paid for as the options have it.
func (c *Client) arrangePayment(draft *userop.Draft, calls []Call, s *settings) error {
	if s.quote == nil {
		return fmt.Errorf("%w: %s without PayWith, whose fee it is for", ErrConfig, s.approval.option)
	}
	p := &payment{client: c, account: draft.Sender, calls: calls, settings: s, quote: s.quote}
	if err := p.checkQuote(); err != nil {
		return err
	}
	draft.Sponsored, draft.FeeToken = true, &p.quote.Token
	draft.Accept = p.accept
	switch {
	case s.approval != nil:
		p.signer = &laterSigner{draft.Signer}
		draft.Signer, draft.Compose = p.signer, p.compose
	case !s.unchecked:
		draft.Checks = append(draft.Checks, p.checkFunds)
	}
	return nil
}

// checkQuote judges what needs no look at the chain.
func (p *payment) checkQuote() error {
	paymaster := p.client.contracts.TokenPaymaster
	switch {
	case p.quote.Token == (common.Address{}) || p.quote.MaxFee.IsZero():
		return fmt.Errorf("%w: a quote without a token or a fee; FeeQuotes asks for one", policy.ErrInvalid)
	case p.quote.Paymaster != paymaster:
		return fmt.Errorf("%w: the quote is token paymaster %s's, this client's is %s; if the other one is to be trusted with tokens, name it in Contracts.TokenPaymaster", ErrConfig, p.quote.Paymaster, paymaster)
	}
	if a := p.settings.approval; a != nil {
		if err := a.checkFee(&p.quote.MaxFee); err != nil {
			return err
		}
	}
	return p.checkExpiry()
}

func (p *payment) checkExpiry() error {
	if until := p.quote.ValidUntil; !until.IsZero() && !time.Now().Before(until) {
		return fmt.Errorf("%w: it was good until %s; FeeQuotes asks for a new one", ErrQuoteExpired, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkFunds returns an error unless balance and allowance are enough for the fee.
func (p *payment) checkFunds(ctx context.Context) error {
	funds, err := p.readFunds(ctx)
	if err != nil {
		return err
	}
	p.allowed = &funds.allowance
	if !p.allowed.Lt(&p.quote.MaxFee) {
		return nil
	}
	text := "ApproveExact, ApproveUpTo or ApproveUnlimited has it approved in the same operation"
	if p.settings.leaves != nil || p.settings.find != nil {
		text += ", with a session leaf that allows approve(address,uint256) of the token; or its owner approves it once, before"
	}
	return fmt.Errorf("%w: %s; %s", ErrAllowance, p.tooLittleAllowed(), text)
}

func (p *payment) tooLittleAllowed() string {
	return fmt.Sprintf("account %s lets token paymaster %s take %s of %s, the fee is up to %s",
		p.account, p.quote.Paymaster, p.allowed.Dec(), p.token(), p.quote.MaxFee.Dec())
}

// token names the token of the quote.
func (p *payment) token() string {
	return fmt.Sprintf("token %s (%s)", p.quote.Token, printable(p.quote.Symbol))
}

// readFunds reads what the account has of the token, and judges the balance.
func (p *payment) readFunds(ctx context.Context) (tokenFunds, error) {
	funds, err := p.client.tokenFunds(ctx, p.account, p.quote.Token)
	if err == nil && !p.settings.unchecked && funds.balance.Lt(&p.quote.MaxFee) {
		err = fmt.Errorf("%w: account %s has %s of %s, the fee is up to %s", ErrFunds, p.account, funds.balance.Dec(), p.token(), p.quote.MaxFee.Dec())
	}
	return funds, err
}

// compose returns the call data, with the approval in it where one is needed.
func (p *payment) compose(ctx context.Context) ([]byte, error) {
	funds, err := p.readFunds(ctx)
	if err != nil {
		return nil, err
	}
	p.allowed = &funds.allowance
	var first []Call
	if p.allowed.Lt(&p.quote.MaxFee) {
		first = p.settings.approval.calls(p.quote.Token, p.quote.Paymaster, p.allowed, &p.quote.MaxFee)
	}
	draft, err := p.client.draftAfter(p.account, first, p.calls, p.settings)
	switch {
	case err != nil && len(first) > 0:
		return nil, fmt.Errorf("%w: %s: %w", ErrAllowance, p.tooLittleAllowed(), err)
	case err != nil:
		return nil, err
	}
	p.signer.Signer = draft.Signer
	if len(first) == 0 {
		return draft.CallData, nil
	}
	if p.allowed = p.settings.approval.amount; p.allowed == nil {
		p.allowed = &p.quote.MaxFee
	}
	if signer, ok := draft.Signer.(*session.Signer); ok && !p.settings.unchecked {
		module, name := signer.Module()
		err = p.client.requireModule(ctx, p.account, module, name)
	}
	return draft.CallData, err
}

// draftAfter is the draft of the calls after an approval's, whose leaf is the approval's own.
func (c *Client) draftAfter(address common.Address, first, calls []Call, s *settings) (*userop.Draft, error) {
	if len(first) == 0 {
		return c.draftCalls(address, calls, s)
	}
	after := *s
	if s.leaves != nil {
		leaf, err := s.approval.leafFor(first[0].To, c.contracts.TokenPaymaster)
		if err != nil {
			return nil, err
		}
		after.leaves = slices.Concat(slices.Repeat([]session.LeafRef{leaf}, len(first)), s.leaves)
	}
	draft, err := c.draftCalls(address, slices.Concat(first, calls), &after)
	if err != nil {
		return nil, fmt.Errorf("with the approval of the fee put before the calls, as call 0: %w", err)
	}
	return draft, nil
}

// accept holds the paymaster's answer against the quote.
func (p *payment) accept(op *userop.Operation) error {
	if err := p.checkExpiry(); err != nil {
		return err
	}
	if paymaster := common.BytesToAddress(op.PaymasterAndData[:common.AddressLength]); paymaster != p.quote.Paymaster {
		return fmt.Errorf("%w: paymaster %s answered, the quote is %s's", ErrNotAsQuoted, paymaster, p.quote.Paymaster)
	}
	terms, err := abi.DecodeTokenPaymasterData(op.PaymasterAndData)
	if err != nil {
		return p.acceptUnread(err)
	}
	if terms.Token != p.quote.Token {
		return fmt.Errorf("%w: the paymaster takes token %s, the quote is for %s", ErrNotAsQuoted, terms.Token, p.token())
	}
	fee, err := terms.Fee(limitCost(op))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotAsQuoted, err)
	case fee.Gt(&p.quote.MaxFee):
		return fmt.Errorf("%w: the paymaster takes up to %s of %s, the quote's MaxFee is %s; ask for a new quote, or raise it", ErrNotAsQuoted, fee.Dec(), p.token(), p.quote.MaxFee.Dec())
	}
	return nil
}

// acceptUnread judges an answer whose price cannot be read: then the allowance has to be the bound.
func (p *payment) acceptUnread(err error) error {
	if p.settings.unchecked || p.allowed != nil && !p.allowed.Gt(&p.quote.MaxFee) {
		return nil
	}
	return fmt.Errorf("%w: nothing bounds the fee, since the paymaster is allowed more than the quote's MaxFee of %s and its price cannot be read: %w", ErrNotAsQuoted, p.quote.MaxFee.Dec(), err)
}

// limitCost is what an operation costs that uses up its gas limits, in wei. Numbers beyond 256 bits saturate.
func limitCost(op *userop.Operation) *uint256.Int {
	wei := new(uint256.Int)
	for _, limit := range []*uint256.Int{&op.CallGasLimit, &op.VerificationGasLimit, &op.PreVerificationGas} {
		if _, overflow := wei.AddOverflow(wei, limit); overflow {
			return wei.SetAllOne()
		}
	}
	if _, overflow := wei.MulOverflow(wei, &op.MaxFeePerGas); overflow {
		return wei.SetAllOne()
	}
	return wei
}
