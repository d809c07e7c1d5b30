package userop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/observe"
)

// FeeQuoter is a [Paymaster] that can be paid in tokens and says what that would cost; *paymaster.Client is
// one.
type FeeQuoter interface {
	// FeeQuotes says what op, which carries a dummy signature, would cost in tokens.
	FeeQuotes(ctx context.Context, op *Operation, req QuoteRequest) (FeeQuotes, error)
}

// QuoteRequest says which tokens to quote.
type QuoteRequest struct {
	// Tokens to quote; empty for all the service takes.
	Tokens []common.Address
	// Preferred is one more token, zero for none.
	Preferred common.Address
	// CalculateGasLimits asks the service to reckon with gas limits of its own.
	CalculateGasLimits bool
	// Context is the [Draft]'s PaymasterContext.
	Context any
}

// FeeQuotes is what it costs to pay for an operation in tokens.
type FeeQuotes struct {
	Quotes []FeeQuote
	// Sponsorship is set, and Quotes is empty, when the service pays for the operation after all.
	Sponsorship *Sponsorship
}

// For returns the quote for a token, false where there is none.
func (q *FeeQuotes) For(token common.Address) (FeeQuote, bool) {
	for i := range q.Quotes {
		if q.Quotes[i].Token == token {
			return q.Quotes[i], true
		}
	}
	return FeeQuote{}, false
}

// FeeQuote is the price of an operation in one token.
type FeeQuote struct {
	Token    common.Address
	Symbol   string
	Decimals uint8
	// Paymaster is the token paymaster, whom the account has to approve.
	Paymaster common.Address
	// MaxFee is the most that is taken, in the token's base units and rounded up: what to approve.
	MaxFee uint256.Int
	// MaxFeeUSD and PremiumPercent are decimal numbers for display, empty where the service gives none.
	MaxFeeUSD      string
	PremiumPercent string
	// ValidUntil is zero where the service does not say.
	ValidUntil time.Time
	LogoURL    string
}

// FeeQuotes asks the paymaster what the draft's operation would cost in tokens, all that it takes if none is
// named. Nothing is signed, and whether the account has the tokens does not matter. The gas limits are the
// service's own; with the draft's margins, overrides or limits they are those, and the bundler estimates what
// is missing. Every error is an [*Error].
func (s *Sender) FeeQuotes(ctx context.Context, draft Draft, tokens ...common.Address) (quotes FeeQuotes, err error) {
	ctx, building := s.Observer().BeginSend(ctx, observe.Build, observe.About{Account: draft.Sender})
	err = observe.ErrLeft // until it returns
	defer func() { building.End(ctx, observe.Result{Err: err}) }()
	quoter, ok := ability.Find[FeeQuoter](s.cfg.Paymaster)
	if !ok {
		err := errors.New("no paymaster that quotes fees in tokens is configured")
		if s.cfg.Paymaster != nil {
			err = fmt.Errorf("%w: %T does not, and a wrapper around one that does says what it wraps by a method Unwrap() userop.Paymaster", err, s.cfg.Paymaster)
		}
		return FeeQuotes{}, &Error{Step: StepCheck, Sender: draft.Sender, Err: err}
	}
	run, err := s.check(ctx, &draft)
	if err != nil {
		return FeeQuotes{}, err
	}
	defer run.nonce.abandon()
	if err := run.prepare(ctx); err != nil {
		return FeeQuotes{}, err
	}
	calculate := draft.leavesGas()
	if !calculate {
		// The service would quote for limits of its own, and the operation have others.
		if err := run.estimate(ctx); err != nil {
			return FeeQuotes{}, run.failed(StepEstimate, err)
		}
	}
	within, quoting := run.begin(ctx, observe.Quote)
	defer quoting.Left(within)
	for t := (twice{ctx: within}); t.next(&err); {
		quotes, err = quoter.FeeQuotes(within, run.op, QuoteRequest{Tokens: tokens, CalculateGasLimits: calculate, Context: draft.PaymasterContext})
	}
	if quoting.End(within, observe.Result{Err: err}); err != nil {
		return FeeQuotes{}, run.failed(StepQuote, err)
	}
	return quotes, nil
}
