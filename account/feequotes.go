package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// FeeQuotes asks the paymaster what the calls would cost in tokens, all that it takes if none is named.
// Nothing is signed. The options are those for [Account.Send], without the one that names who pays; [PayWith]
// takes one of the quotes.
//
// The decimals of each quote are the token's own, which are read too, and MaxFee is the quoted fee in its
// base units: what the service says of them does not count.
//
// An approval costs gas as well. It is part of the quoted operation if its option is given ([ApproveExact]
// and the like), together with the one token it is for.
func (a *Account) FeeQuotes(ctx context.Context, calls []Call, tokens []common.Address, opts ...Option) (userop.FeeQuotes, error) {
	s, err := uncapped(opts)
	if err != nil {
		return userop.FeeQuotes{}, err
	}
	return a.client.feeQuotes(ctx, a.address, a.draft, calls, tokens, s)
}

// FeeQuotes is [Account.FeeQuotes] for what [OwnedAccount.Send] would send.
func (o *OwnedAccount) FeeQuotes(ctx context.Context, calls []Call, tokens []common.Address, opts ...Option) (userop.FeeQuotes, error) {
	s, err := uncapped(opts)
	if err != nil {
		return userop.FeeQuotes{}, err
	}
	return o.client.feeQuotes(ctx, o.address, o.draft, calls, tokens, s)
}

// draftFunc makes a draft of calls: as an account, or as its owner.
type draftFunc func(ctx context.Context, calls []Call, s *settings) (*userop.Draft, error)

func (c *Client) feeQuotes(ctx context.Context, account common.Address, draft draftFunc, calls []Call, tokens []common.Address, s *settings) (userop.FeeQuotes, error) {
	ask := func(approval []Call) (userop.FeeQuotes, error) {
		asked := *s
		asked.forQuote, asked.approvalCalls = true, approval
		d, err := draft(ctx, calls, &asked)
		if err != nil {
			return userop.FeeQuotes{}, err
		}
		decimals := tokenDecimals{}
		if len(tokens) > 0 { // beside the rest; what the service quotes unasked is read after it
			d.Checks = append(d.Checks, func(ctx context.Context) error { return decimals.read(ctx, c.chain, tokens) })
		}
		quotes, err := c.sender.FeeQuotes(ctx, *d, tokens...)
		if err != nil {
			return userop.FeeQuotes{}, err
		}
		return quotes, decimals.correct(ctx, c.chain, quotes.Quotes)
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

// tokenDecimals is what tokens say of their decimals.
type tokenDecimals map[common.Address]contracts.ReadResult

// read asks the tokens, in one request.
func (d tokenDecimals) read(ctx context.Context, chain Chain, tokens []common.Address) error {
	reads := make([]contracts.Read, len(tokens))
	for i, token := range tokens {
		reads[i] = contracts.Read{To: token, Data: contracts.Decimals()}
	}
	results, err := batchRead(ctx, chain, nil, reads...)
	if err != nil {
		return fmt.Errorf("decimals of the quoted tokens: %w", err)
	}
	for i, token := range tokens {
		d[token] = results[i]
	}
	return nil
}

// correct puts the quotes right whose service has other decimals in mind than the token. A token that does
// not say is left alone: [PayWith] refuses the quote.
func (d tokenDecimals) correct(ctx context.Context, chain Chain, quotes []userop.FeeQuote) error {
	var unknown []common.Address
	for i := range quotes {
		if _, known := d[quotes[i].Token]; !known {
			unknown = append(unknown, quotes[i].Token)
		}
	}
	if err := d.read(ctx, chain, unknown); err != nil {
		return err
	}
	for i := range quotes {
		result := d[quotes[i].Token]
		if decimals, ok := decodeDecimals(&result); ok {
			if err := setDecimals(&quotes[i], decimals); err != nil {
				return err
			}
		}
	}
	return nil
}

// setDecimals makes a quote one for that many decimals: the same amount as it is written, rounded up. One
// that was rounded to too few digits is refused: of a token whose unit is dear, one more is a fortune.
func setDecimals(q *userop.FeeQuote, decimals uint8) error {
	few, many := min(decimals, q.Decimals), max(decimals, q.Decimals)
	power := new(uint256.Int).Exp(uint256.NewInt(10), uint256.NewInt(uint64(many-few)))
	fee, overflow := new(uint256.Int).MulOverflow(&q.MaxFee, power)
	if decimals < q.Decimals {
		fee, overflow = dividedUp(&q.MaxFee, power), false
	}
	if decimals > q.Decimals && q.MaxFee.LtUint64(leastDigits) {
		return fmt.Errorf("%w: the quote in token %s is for %d decimals, the token has %d: rounded up to %s units of the former, what is asked for cannot be told; the service has to know the token's decimals", ErrNotAsQuoted, q.Token, q.Decimals, decimals, q.MaxFee.Dec())
	}
	if overflow || many > maxDecimals {
		return fmt.Errorf("%w: the quote in token %s is for %d decimals, the token has %d", ErrNotAsQuoted, q.Token, q.Decimals, decimals)
	}
	q.MaxFee, q.Decimals = *fee, decimals
	return nil
}

const (
	// maxDecimals is what 256 bits hold.
	maxDecimals = 77
	// leastDigits is a fee, in a quote's own units, of which the rounding is a thousandth.
	leastDigits = 1000
)

// decodeDecimals reads a token's answer to decimals, which ERC-20 leaves open.
func decodeDecimals(r *contracts.ReadResult) (decimals uint8, ok bool) {
	if !r.OK {
		return 0, false
	}
	decimals, err := contracts.DecodeUint8(r.Data)
	return decimals, err == nil
}

// tokenFunds are what an account has of a token, and lets the token paymaster take, in the token's base
// units, of which decimals tells the size.
type tokenFunds struct {
	balance, allowance uint256.Int
	decimals           uint8
	hasDecimals        bool
}

func (c *Client) tokenFunds(ctx context.Context, account, token common.Address) (f tokenFunds, err error) {
	results, err := batchRead(ctx, c.chain, nil,
		contracts.Read{To: token, Data: contracts.BalanceOf(account)},
		contracts.Read{To: token, Data: contracts.Allowance(account, c.contracts.TokenPaymaster)},
		contracts.Read{To: token, Data: contracts.Decimals()})
	if err == nil {
		err = decodeResult(&results[0], "balanceOf", into(&f.balance, contracts.DecodeUint256))
	}
	if err == nil {
		err = decodeResult(&results[1], "allowance", into(&f.allowance, contracts.DecodeUint256))
	}
	if err == nil {
		f.decimals, f.hasDecimals = decodeDecimals(&results[2])
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

// TokenFee returns what the token paymaster took for an operation, as its logs tell or, where it could take
// its fee only after the calls were undone, the token's; false where it took nothing, or the bundler's
// receipt does not have those logs.
func (c *Client) TokenFee(receipt *userop.Receipt) (TokenFee, bool) {
	fee, _, taken := c.tokenFee(receipt)
	return fee, taken
}

// tokenFee is [Client.TokenFee]. Late says that the fee was taken after the calls were undone.
func (c *Client) tokenFee(receipt *userop.Receipt) (fee TokenFee, late, taken bool) {
	logs := c.logsOf(receipt)
	for _, log := range logs {
		if log.Address != c.contracts.TokenPaymaster {
			continue
		}
		paid, err := contracts.DecodeTokenPaymasterOperation(log)
		if err == nil && paid.UserOpHash == receipt.UserOpHash {
			return TokenFee{Token: paid.Token, Amount: paid.Charge}, false, true
		}
	}
	if receipt.Success || receipt.Paymaster != c.contracts.TokenPaymaster {
		return TokenFee{}, false, false
	}
	// The paymaster logs nothing then. The calls' own transfers are undone, and logged neither.
	for _, log := range logs {
		moved, err := contracts.DecodeTokenTransfer(log)
		if err == nil && moved.From == receipt.Sender && moved.To == receipt.Paymaster {
			return TokenFee{Token: log.Address, Amount: moved.Amount}, true, true
		}
	}
	return TokenFee{}, false, false
}

// logsOf are the logs of an operation itself: a bundler may tell those of its whole bundle, in which the same
// account can have other operations.
func (c *Client) logsOf(receipt *userop.Receipt) []*types.Log {
	first := 0
	for i, log := range receipt.Logs {
		if log.Address != c.contracts.EntryPoint || len(log.Topics) == 0 {
			continue
		}
		switch log.Topics[0] {
		case contracts.BeforeExecutionTopic:
			first = i + 1
		case contracts.UserOperationEventTopic: // which ends an operation
			if len(log.Topics) > 1 && log.Topics[1] == receipt.UserOpHash {
				return receipt.Logs[first:i]
			}
			first = i + 1
		}
	}
	return receipt.Logs[first:]
}

// explainFailure tells of a fee that the token paymaster could not take after the calls: then the operation
// was included and its calls undone, and they have no revert reason.
func (c *Client) explainFailure(receipt *userop.Receipt) error {
	if len(receipt.RevertData) > 0 {
		return nil // the call itself failed
	}
	for _, log := range c.logsOf(receipt) {
		if log.Address != c.contracts.TokenPaymaster {
			continue
		}
		due, err := contracts.DecodeTokenPaymentDue(log)
		if err == nil && due.Account == receipt.Sender {
			return fmt.Errorf("%w: token paymaster %s could not take its fee of %s of token %s from account %s, so that the calls were undone",
				ErrFunds, log.Address, due.Charge.Dec(), due.Token, due.Account)
		}
	}
	if fee, late, taken := c.tokenFee(receipt); taken && late {
		return fmt.Errorf("%w: after the calls, which left too little of the token or of its allowance, token paymaster %s could not take its fee, so that they were undone; it took %s of token %s from account %s then",
			ErrFunds, receipt.Paymaster, fee.Amount.Dec(), fee.Token, receipt.Sender)
	}
	return nil
}
