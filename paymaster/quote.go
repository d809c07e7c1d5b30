package paymaster

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

var _ userop.FeeQuoter = (*Client)(nil)

// FeeQuotes asks what op would cost in tokens (pm_getFeeQuoteOrData). To pay in one, approve the quote's
// Paymaster for its MaxFee in the same batch, then ask for the sponsorship with
// [userop.SponsorRequest].FeeToken; package account does both.
func (c *Client) FeeQuotes(ctx context.Context, op *userop.Operation, req userop.QuoteRequest) (userop.FeeQuotes, error) {
	params := c.options.params(modeERC20, req.CalculateGasLimits, req.Context)
	params.TokenInfo = &tokenInfo{Tokens: make([]string, len(req.Tokens))}
	for i, token := range req.Tokens {
		params.TokenInfo.Tokens[i] = token.Hex()
	}
	if req.Preferred != (common.Address{}) {
		params.TokenInfo.Preferred = req.Preferred.Hex()
	}
	var answer feeQuotes
	if err := asError(c.rpc.Do(ctx, newRequest("pm_getFeeQuoteOrData", &answer, serviceOperation(op), params))); err != nil {
		return userop.FeeQuotes{}, err
	}
	if answer.Sponsorship != nil {
		if err := checkData(answer.Sponsorship.PaymasterAndData); err != nil {
			return userop.FeeQuotes{}, err
		}
	}
	return userop.FeeQuotes(answer), nil
}

// feeQuotes is the answer of pm_getFeeQuoteOrData.
type feeQuotes userop.FeeQuotes

// UnmarshalJSON reads the answer in either mode.
func (q *feeQuotes) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var mode string
	obj.Require("mode", &mode)
	switch mode {
	case modeSponsored:
		var answer sponsorship
		if err := answer.UnmarshalJSON(data); err != nil {
			return err
		}
		*q = feeQuotes{Sponsorship: (*userop.Sponsorship)(&answer)}
		return nil
	case modeERC20:
		return q.readQuotes(obj)
	case "":
		return obj.Err()
	}
	return fmt.Errorf("mode: %.80q is neither %s nor %s", mode, modeERC20, modeSponsored)
}

func (q *feeQuotes) readQuotes(obj *jsonobject.Reader) error {
	var quotes []feeQuote
	var paymaster common.Address
	obj.Require("feeQuotes", &quotes)
	obj.Require("paymasterAddress", &paymaster)
	if err := obj.Err(); err != nil {
		return err
	}
	*q = feeQuotes{Quotes: make([]userop.FeeQuote, len(quotes))}
	for i := range quotes {
		q.Quotes[i] = userop.FeeQuote(quotes[i])
		q.Quotes[i].Paymaster = paymaster
	}
	return nil
}

// feeQuote is the price in one token.
type feeQuote userop.FeeQuote

// UnmarshalJSON reads a quote. maxGasFee is a decimal fraction of the token, kept exactly.
func (q *feeQuote) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var read feeQuote
	var fee numeral
	var validUntil quantity.Quantity
	obj.Require("tokenAddress", &read.Token)
	obj.Require("decimal", (*decimals)(&read.Decimals))
	obj.Require("maxGasFee", &fee)
	obj.Optional("symbol", &read.Symbol)
	obj.Optional("maxGasFeeUSD", (*displayNumeral)(&read.MaxFeeUSD))
	obj.Optional("premiumPercentage", (*displayNumeral)(&read.PremiumPercent))
	obj.Optional("validUntil", &validUntil)
	obj.Optional("logoUrl", &read.LogoURL)
	if err := obj.Err(); err != nil {
		return err
	}
	if read.MaxFee, err = baseUnits(fee, read.Decimals); err != nil {
		return fmt.Errorf("maxGasFee: %w", err)
	}
	if seconds := validUntil.Int(); !seconds.IsZero() && !seconds.GtUint64(abiword.MaxUint48) {
		read.ValidUntil = time.Unix(int64(seconds.Uint64()), 0)
	}
	*q = read
	return nil
}

// decimalNumber is how JSON and JavaScript write non-negative numbers: "12", "0.0123", "1.2e-7".
var decimalNumber = regexp.MustCompile(`^([0-9]{1,100})(?:\.([0-9]{1,100}))?(?:[eE]([+-]?[0-9]{1,3}))?$`)

var errNoDecimal = errors.New("not a non-negative decimal number")

// numeral is a decimal number as it is written, in a JSON number or string.
type numeral string

// UnmarshalJSON takes the digits over.
func (n *numeral) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if !decimalNumber.MatchString(text) {
		return errNoDecimal
	}
	*n = numeral(text)
	return nil
}

// displayNumeral is a numeral that only people read: what is none is left out.
type displayNumeral string

// UnmarshalJSON never fails.
func (s *displayNumeral) UnmarshalJSON(data []byte) error {
	var n numeral
	if n.UnmarshalJSON(data) == nil {
		*s = displayNumeral(n)
	}
	return nil
}

// decimals is how many decimal places a token has.
type decimals uint8

// UnmarshalJSON reads a number of at most 77, which is what 256 bits hold.
func (d *decimals) UnmarshalJSON(data []byte) error {
	var q quantity.Quantity
	if err := q.UnmarshalJSON(data); err != nil {
		return err
	}
	const maxDecimals = 77
	if q.Int().GtUint64(maxDecimals) {
		return fmt.Errorf("%s decimals are more than a token can have", q.Int().Dec())
	}
	*d = decimals(q.Int().Uint64())
	return nil
}

// baseUnits returns ceil(amount × 10^places).
func baseUnits(amount numeral, places uint8) (uint256.Int, error) {
	parts := decimalNumber.FindStringSubmatch(string(amount))
	if parts == nil {
		return uint256.Int{}, errNoDecimal
	}
	whole, fraction := parts[1], parts[2]
	exponent, _ := strconv.Atoi(parts[3]) // empty is 0
	units, _ := new(big.Int).SetString(whole+fraction, 10)
	shift := exponent - len(fraction) + int(places)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil)
	if shift >= 0 {
		units.Mul(units, power)
	} else if _, rest := units.QuoRem(units, power, new(big.Int)); rest.Sign() > 0 {
		units.Add(units, big.NewInt(1))
	}
	result, overflow := uint256.FromBig(units)
	if overflow {
		return uint256.Int{}, fmt.Errorf("%s tokens of %d decimals do not fit into 256 bits", amount, places)
	}
	return *result, nil
}
