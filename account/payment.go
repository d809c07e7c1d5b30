package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// PayWith pays for the operation in a token, at a quote of [Account.FeeQuotes]. The token paymaster takes the
// fee after the calls, from what the account allows it: [ApproveExact], [ApproveUpTo] or [ApproveUnlimited]
// has that approved in the same operation; without one of them the allowance has to be there.
//
// Nothing is signed if the quote has expired, the account's balance or allowance is below the quote's MaxFee,
// the paymaster then asks for more than that if the operation uses up its gas limits, or the paymaster is not
// [Contracts].TokenPaymaster. MaxFee may be raised, to leave room for a rising price of gas. The quote's
// Decimals, from which the service's MaxFee was reckoned, have to be the token's own; those of a quote made
// by hand may be left 0.
//
// A paymaster that asks an oracle on chain can find any rate there, whatever it answered with: then the
// allowance alone bounds the fee. It must not be above MaxFee ([ApproveExact] makes it so where there was
// less), or else the oracle be one of [Config].TokenOracles. A little of any fee, for 45,000 gas, follows the
// price that the bundler's own transaction pays, for which the operation's MaxFeePerGas is no bound: there,
// too, the allowance is.
func PayWith(quote userop.FeeQuote) Option {
	return func(s *settings) {
		s.require(s.quote == nil, "PayWith twice")
		s.quote = &quote
	}
}

// checkPayer judges the options about who pays.
func (s *settings) checkPayer() {
	s.require(atMostOne(s.sponsored, s.orSelf, s.quote != nil), "Sponsored, SponsoredOrSelf and PayWith each name who pays; use one")
	if s.approval != nil && s.approval.leaf != nil && s.leaves == nil {
		s.errs = append(s.errs, fmt.Errorf("%s with a leaf goes with WithSession", s.approval.option))
	}
}

// checkContext returns an error for a paymaster's context that no paymaster would get.
func (s *settings) checkContext() error {
	if s.payContext == nil || s.sponsored || s.orSelf || s.quote != nil || s.forQuote {
		return nil
	}
	return fmt.Errorf("%w: PaymasterContext without a paymaster to pay; add Sponsored, SponsoredOrSelf or PayWith", ErrConfig)
}

// tokenPayment is the fee of one operation in a token.
type tokenPayment struct {
	client   *Client
	account  common.Address
	calls    []Call
	settings *settings
	quote    *userop.FeeQuote
	signer   *deferredSigner
	renew    func(ctx context.Context, op *userop.Operation, refusal error) (bool, error) // of the composed operation
	// allowed is what the paymaster may take in the end, read in the operation's first step.
	allowed *uint256.Int
}

// deferredSigner stands for the signer of an operation that is being composed.
type deferredSigner struct{ userop.Signer }

// payWithToken makes the draft of the calls one that is paid for as the options have it.
func (c *Client) payWithToken(draft *userop.Draft, calls []Call, s *settings) error {
	if s.quote == nil {
		return fmt.Errorf("%w: %s without PayWith, whose fee it is for", ErrConfig, s.approval.option)
	}
	p := &tokenPayment{client: c, account: draft.Sender, calls: calls, settings: s, quote: s.quote}
	if err := p.checkQuote(); err != nil {
		return err
	}
	draft.Sponsored, draft.FeeToken = true, &p.quote.Token
	draft.Accept = p.accept
	switch {
	case s.approval != nil:
		p.signer = &deferredSigner{draft.Signer}
		draft.Signer, draft.Compose = p.signer, p.compose
		draft.Renew = func(ctx context.Context, op *userop.Operation, refusal error) (bool, error) {
			if p.renew == nil {
				return false, refusal
			}
			return p.renew(ctx, op, refusal)
		}
	default:
		draft.Checks = append(draft.Checks, p.checkFunds)
	}
	return nil
}

// checkQuote judges what needs no look at the chain.
func (p *tokenPayment) checkQuote() error {
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

func (p *tokenPayment) checkExpiry() error {
	if until := p.quote.ValidUntil; !until.IsZero() && !time.Now().Before(until) {
		return fmt.Errorf("%w: it was good until %s; FeeQuotes asks for a new one", ErrQuoteExpired, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// checkFunds returns an error unless balance and allowance are enough for the fee.
func (p *tokenPayment) checkFunds(ctx context.Context) error {
	p.client.observer.Note(ctx, "funds")
	funds, err := p.readFunds(ctx)
	if err != nil {
		return err
	}
	p.allowed = &funds.allowance
	if p.settings.unchecked || !p.allowed.Lt(&p.quote.MaxFee) {
		return nil
	}
	text := "ApproveExact, ApproveUpTo or ApproveUnlimited has it approved in the same operation"
	if p.settings.leaves != nil || p.settings.leafOf != nil {
		text += ", with a session leaf that allows approve(address,uint256) of the token; or its owner approves it once, before"
	}
	return fmt.Errorf("%w: %s; %s", ErrAllowance, p.tooLittleAllowed(), text)
}

func (p *tokenPayment) tooLittleAllowed() string {
	return fmt.Sprintf("account %s lets token paymaster %s take %s of %s, the fee is up to %s",
		p.account, p.quote.Paymaster, p.allowed.Dec(), p.token(), p.quote.MaxFee.Dec())
}

// token names the token of the quote.
func (p *tokenPayment) token() string {
	return fmt.Sprintf("token %s (%s)", p.quote.Token, printable(p.quote.Symbol))
}

// readFunds reads what the account has of the token, and judges the quote's decimals and the balance.
func (p *tokenPayment) readFunds(ctx context.Context) (tokenFunds, error) {
	funds, err := p.client.tokenFunds(ctx, p.account, p.quote.Token)
	if err == nil && p.quote.Decimals != 0 && (!funds.hasDecimals || funds.decimals != p.quote.Decimals) {
		return funds, p.decimalsError(&funds)
	}
	if err == nil && !p.settings.unchecked && funds.balance.Lt(&p.quote.MaxFee) {
		err = fmt.Errorf("%w: account %s has %s of %s, the fee is up to %s", ErrFunds, p.account, funds.balance.Dec(), p.token(), p.quote.MaxFee.Dec())
	}
	return funds, err
}

// decimalsError is the error of a quote whose MaxFee was reckoned with other decimals than the token has.
func (p *tokenPayment) decimalsError(funds *tokenFunds) error {
	own := "the token does not say how many it has"
	if funds.hasDecimals {
		own = fmt.Sprintf("the token itself has %d", funds.decimals)
	}
	return fmt.Errorf("%w: the quote in %s is for %d decimals, %s: its MaxFee of %s is another amount than it seems; FeeQuotes asks for a new quote, and sets the decimals right",
		ErrNotAsQuoted, p.token(), p.quote.Decimals, own, p.quote.MaxFee.Dec())
}

// compose returns the call data, with the approval in it where one is needed.
func (p *tokenPayment) compose(ctx context.Context) ([]byte, error) {
	funds, err := p.readFunds(ctx)
	if err != nil {
		return nil, err
	}
	p.allowed = &funds.allowance
	var approval []Call
	if p.allowed.Lt(&p.quote.MaxFee) {
		approval = p.settings.approval.calls(p.quote.Token, p.quote.Paymaster, p.allowed, &p.quote.MaxFee)
	}
	draft, err := p.client.draftWithApproval(p.account, approval, p.calls, p.settings)
	switch {
	case err != nil && len(approval) > 0:
		return nil, fmt.Errorf("%w: %s: %w", ErrAllowance, p.tooLittleAllowed(), err)
	case err != nil:
		return nil, err
	}
	p.signer.Signer, p.renew = draft.Signer, draft.Renew
	if len(approval) == 0 {
		return draft.CallData, nil
	}
	if p.allowed = p.settings.approval.amount; p.allowed == nil {
		p.allowed = &p.quote.MaxFee
	}
	if signer, ok := draft.Signer.(*session.Signer); ok && !p.settings.unchecked {
		err = p.client.requireModules(ctx, p.account, signer)
	}
	return draft.CallData, err
}

// accept holds the paymaster's answer against the quote.
func (p *tokenPayment) accept(op *userop.Operation) error {
	if err := p.checkExpiry(); err != nil {
		return err
	}
	if paymaster := common.BytesToAddress(op.PaymasterAndData[:common.AddressLength]); paymaster != p.quote.Paymaster {
		return fmt.Errorf("%w: paymaster %s answered, the quote is %s's", ErrNotAsQuoted, paymaster, p.quote.Paymaster)
	}
	terms, err := contracts.DecodeTokenPaymasterData(op.PaymasterAndData)
	if err != nil {
		return p.acceptUndecoded(err)
	}
	fee, err := terms.Fee(chargedAtLimits(op))
	switch {
	case terms.Token != p.quote.Token:
		return fmt.Errorf("%w: the paymaster takes token %s, the quote is for %s", ErrNotAsQuoted, terms.Token, p.token())
	case !op.VerificationGasLimit.GtUint64(contracts.TokenPaymasterVerificationGas):
		return fmt.Errorf("%w: verificationGasLimit is %s gas, the token paymaster wants more than %d to take its fee; leave it to the service, or raise it with WithGas or WithMargins",
			ErrConfig, op.VerificationGasLimit.Dec(), contracts.TokenPaymasterVerificationGas)
	case terms.Source != contracts.PriceQuoted && !p.allowanceBounds() && !slices.Contains(p.client.tokenOracles, terms.Oracle):
		return fmt.Errorf("%w: nothing bounds the fee: the paymaster asks oracle %s for the price, and is allowed to take %s of %s where the quote's MaxFee is %s; have the owner lower the allowance and pay with ApproveExact, or name the oracle in Config.TokenOracles if it is to be trusted; a quote whose MaxFee was raised to what is allowed bounds it by that",
			ErrNotAsQuoted, terms.Oracle, p.allowed.Dec(), p.token(), p.quote.MaxFee.Dec())
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotAsQuoted, err)
	case fee.Gt(&p.quote.MaxFee):
		return fmt.Errorf("%w: the paymaster takes up to %s of %s, the quote's MaxFee is %s; ask for a new quote, or raise it", ErrNotAsQuoted, fee.Dec(), p.token(), p.quote.MaxFee.Dec())
	}
	return nil
}

// acceptUndecoded judges an answer whose price cannot be read: then the allowance has to be the bound.
func (p *tokenPayment) acceptUndecoded(err error) error {
	if p.allowanceBounds() {
		return nil
	}
	return fmt.Errorf("%w: nothing bounds the fee, since the paymaster is allowed more than the quote's MaxFee of %s and its price cannot be read: %w", ErrNotAsQuoted, p.quote.MaxFee.Dec(), err)
}

// allowanceBounds reports whether the paymaster may take no more than the quote's MaxFee, whatever it asks
// for.
func (p *tokenPayment) allowanceBounds() bool { return !p.allowed.Gt(&p.quote.MaxFee) }

// chargedAtLimits is what the token paymaster charges for, in wei, of an operation that uses up its limits.
// Numbers beyond 256 bits saturate.
func chargedAtLimits(op *userop.Operation) *uint256.Int {
	wei := uint256.NewInt(contracts.TokenPaymasterOverhead)
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

// approval says how much the token paymaster is allowed to take.
type approval struct {
	option string
	// amount is what is approved, nil for what the quote asks for.
	amount *uint256.Int
	leaf   *session.LeafRef
}

// ApproveExact approves the token paymaster for the fee of [PayWith], in the same operation and before its
// calls. What the paymaster does not take of it stays allowed.
//
// No approval is made where the allowance is enough. One that is not, and not zero, is set to zero before,
// since some tokens insist on that.
//
// In an operation signed with [WithSession] the approval needs a session leaf too, whose policy allows
// approve(address spender, uint256 amount) of the token; with [WithLeafOf] it is found. As soon as there is
// an approval the operation is a batch, and goes through the batched session router.
func ApproveExact(leaf ...session.LeafRef) Option {
	return approve("ApproveExact", nil, leaf)
}

// ApproveUpTo is [ApproveExact] with an allowance of limit, in the token's base units: later operations need
// no approval until it is used up. A fee above it is an error.
func ApproveUpTo(limit *uint256.Int, leaf ...session.LeafRef) Option {
	if limit == nil {
		limit = new(uint256.Int)
	}
	return approve("ApproveUpTo", limit, leaf)
}

// ApproveUnlimited is [ApproveExact] with an allowance that is never used up: the token paymaster can take
// all that the account has of the token, now and later, and anybody can have it do so while the batched
// session router is enabled; see [ForBatches].
func ApproveUnlimited(leaf ...session.LeafRef) Option {
	return approve("ApproveUnlimited", new(uint256.Int).SetAllOne(), leaf)
}

func approve(option string, amount *uint256.Int, leaves []session.LeafRef) Option {
	return func(s *settings) {
		if s.approval != nil {
			s.errs = append(s.errs, fmt.Errorf("%s and %s; use one", s.approval.option, option))
		}
		s.approval = &approval{option: option, amount: amount}
		switch len(leaves) {
		case 0:
		case 1:
			s.approval.leaf = &leaves[0]
		default:
			s.errs = append(s.errs, fmt.Errorf("%s with %d leaves; one allows the approval", option, len(leaves)))
		}
	}
}

// calls set the allowance of spender for a fee, where it is now allowance and less than that.
func (a *approval) calls(token, spender common.Address, allowance, fee *uint256.Int) []Call {
	amount := fee
	if a.amount != nil {
		amount = a.amount
	}
	calls := []Call{{To: token, Data: contracts.Approve(spender, *amount)}}
	if allowance.IsZero() {
		return calls
	}
	return append([]Call{{To: token, Data: contracts.Approve(spender, uint256.Int{})}}, calls...)
}

// checkFee returns an error if the approval cannot cover a fee.
func (a *approval) checkFee(fee *uint256.Int) error {
	if a.amount != nil && a.amount.Lt(fee) {
		return fmt.Errorf("%w: %s(%s) is less than the fee of up to %s", policy.ErrInvalid, a.option, a.amount.Dec(), fee.Dec())
	}
	return nil
}

// leafFor is the session leaf of the approval.
func (a *approval) leafFor(token, spender common.Address) (session.LeafRef, error) {
	if a.leaf == nil {
		return session.LeafRef{}, fmt.Errorf("%w: in a session %s needs a leaf for the approval itself: %s(leaf) with one that allows approve(address,uint256) of token %s; or the owner approves token paymaster %s once, before",
			session.ErrNoLeaf, a.option, a.option, token, spender)
	}
	return *a.leaf, nil
}
