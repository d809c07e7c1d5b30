package paymaster

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/userop"
)

// QuoteRequest says which tokens to quote.
type QuoteRequest struct {
	// Tokens to quote; empty for all the service takes.
	Tokens []common.Address
	// Preferred is one more token, zero for none.
	Preferred common.Address
	// CalculateGasLimits asks the service to reckon with gas limits of its own.
	CalculateGasLimits bool
}

// FeeQuotes is what it costs to pay for an operation in tokens.
type FeeQuotes struct {
	Quotes []FeeQuote
	// Paymaster is the token paymaster, whom the account has to approve.
	Paymaster common.Address
	// Sponsorship is set, and Quotes is empty, when the service pays for the operation after all.
	Sponsorship *userop.Sponsorship
}

// FeeQuote is the price of an operation in one token.
type FeeQuote struct {
	Token    common.Address
	Symbol   string
	Decimals uint8
	// MaxFee is the most that is taken, in the token's base units and rounded up: what to approve.
	MaxFee uint256.Int
	// MaxFeeUSD and PremiumPercent are decimal numbers for display, empty where the service gives none.
	MaxFeeUSD      string
	PremiumPercent string
	// ValidUntil is zero where the service does not say.
	ValidUntil time.Time
	LogoURL    string
}

// FeeQuotes asks what op would cost in tokens (pm_getFeeQuoteOrData). To pay in one, approve
// FeeQuotes.Paymaster for its MaxFee in the same batch, then ask for the sponsorship with
// [userop.SponsorRequest].FeeToken.
func (c *Client) FeeQuotes(ctx context.Context, op *userop.Operation, req QuoteRequest) (FeeQuotes, error) {
	params := c.options.params(modeERC20, req.CalculateGasLimits)
	params.TokenInfo = &tokenInfo{Tokens: make([]string, len(req.Tokens))}
	for i, token := range req.Tokens {
		params.TokenInfo.Tokens[i] = token.Hex()
	}
	if req.Preferred != (common.Address{}) {
		params.TokenInfo.Preferred = req.Preferred.Hex()
	}
	var answer FeeQuotes
	if err := read(ctx, c.rpc, &answer, "pm_getFeeQuoteOrData", (*serviceOperation)(op), params); err != nil {
		return FeeQuotes{}, err
	}
	if answer.Sponsorship != nil {
		if err := checkData(answer.Sponsorship.PaymasterAndData); err != nil {
			return FeeQuotes{}, err
		}
	}
	return answer, nil
}

// UnmarshalJSON reads the answer of pm_getFeeQuoteOrData in either mode.
func (q *FeeQuotes) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read FeeQuotes
	var mode string
	obj.Require("mode", &mode)
	switch mode {
	case modeSponsored:
		var answer sponsorship
		if err := answer.UnmarshalJSON(data); err != nil {
			return err
		}
		read.Sponsorship = (*userop.Sponsorship)(&answer)
	case modeERC20:
		obj.Require("feeQuotes", &read.Quotes)
		obj.Require("paymasterAddress", &read.Paymaster)
	default:
		if mode != "" {
			return fmt.Errorf("mode: %q is neither %s nor %s", mode, modeERC20, modeSponsored)
		}
	}
	if err := obj.Err(); err != nil {
		return err
	}
	*q = read
	return nil
}

// UnmarshalJSON reads a quote. maxGasFee is a decimal fraction of the token, kept exactly.
func (q *FeeQuote) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read FeeQuote
	var fee numeral
	var validUntil userop.Quantity
	obj.Require("tokenAddress", &read.Token)
	obj.Require("decimal", (*decimals)(&read.Decimals))
	obj.Require("maxGasFee", &fee)
	obj.Optional("symbol", &read.Symbol)
	obj.Optional("maxGasFeeUSD", (*shown)(&read.MaxFeeUSD))
	obj.Optional("premiumPercentage", (*shown)(&read.PremiumPercent))
	obj.Optional("validUntil", &validUntil)
	obj.Optional("logoUrl", &read.LogoURL)
	if err := obj.Err(); err != nil {
		return err
	}
	if read.MaxFee, err = baseUnits(fee, read.Decimals); err != nil {
		return fmt.Errorf("maxGasFee: %w", err)
	}
	if seconds := validUntil.Int(); !seconds.IsZero() && seconds.IsUint64() {
		read.ValidUntil = time.Unix(int64(seconds.Uint64()), 0)
	}
	*q = read
	return nil
}
