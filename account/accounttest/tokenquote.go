package accounttest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// GetFeeQuoteOrData is pm_getFeeQuoteOrData.
func (api *paymasterAPI) GetFeeQuoteOrData(ctx context.Context, draft kit.DraftOperation, sc kit.SponsorContext) (any, error) {
	if sc.Mode != kit.ModeERC20 {
		answer, err := api.SponsorUserOperation(ctx, draft, sc)
		if err == nil {
			answer.Mode = kit.ModeSponsored
		}
		return answer, err
	}
	if err := api.check(&draft.Operation); err != nil {
		return nil, err
	}
	return api.p.quotes(ctx, &draft.Operation, sc)
}

func (p *Paymaster) quotes(ctx context.Context, op *userop.Operation, sc kit.SponsorContext) (*kit.TokenQuotes, error) {
	if sc.CalculateGasLimits {
		// It is sponsored in this trial: whoever asks for a price need not have the token.
		gas, err := p.estimator.estimate(ctx, op, nil)
		if err != nil {
			return nil, err
		}
		op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = gas.CallGasLimit, gas.VerificationGasLimit, gas.PreVerificationGas
	}
	asked := append(sc.TokenInfo.Tokens, sc.TokenInfo.Preferred)
	all := len(sc.TokenInfo.Tokens) == 0 && sc.TokenInfo.Preferred == (common.Address{})
	answer := &kit.TokenQuotes{Mode: kit.ModeERC20, Paymaster: p.estimator.chain.Contracts.TokenPaymaster, Quotes: []*kit.TokenQuote{}}
	for _, token := range p.till.tokens() {
		if !all && !slices.Contains(asked, token) {
			continue
		}
		quote, err := p.quote(ctx, op, token)
		if err != nil {
			return nil, fmt.Errorf("quote in token %s: %w", token, err)
		}
		answer.Quotes = append(answer.Quotes, quote)
	}
	return answer, nil
}

// Room in a quote: for gas that the limits do not count, for what the token paymaster's validation takes
// beyond the one that the quote was tried with, and for a price of gas that rises meanwhile.
const (
	quotePostOpGas     = 45_000
	quoteValidationGas = 40_000
	quoteRoomPercent   = 10
)

func (p *Paymaster) quote(ctx context.Context, op *userop.Operation, token common.Address) (*kit.TokenQuote, error) {
	symbol, decimals, err := p.describe(ctx, token)
	if err != nil {
		return nil, err
	}
	now, err := p.estimator.chain.NextTime(ctx)
	if err != nil {
		return nil, err
	}
	rate, _ := p.till.rate(token)
	fee, err := quotedFee(op, rate)
	if err != nil {
		return nil, err
	}
	return &kit.TokenQuote{
		Symbol:            symbol,
		Token:             token,
		Decimals:          decimals,
		MaxGasFee:         json.Number(fraction(&fee, decimals)),
		PremiumPercentage: fmt.Sprint((tillMarkup - noMarkup) * 100 / noMarkup),
		ValidUntil:        now.Add(p.validity).Unix(),
	}, nil
}

// quotedFee is the most that is taken for an operation, in the token's smallest unit.
func quotedFee(op *userop.Operation, rate uint256.Int) (uint256.Int, error) {
	var wei uint256.Int
	wei.Add(&op.CallGasLimit, &op.VerificationGasLimit)
	wei.Add(&wei, &op.PreVerificationGas)
	wei.AddUint64(&wei, quotePostOpGas+quoteValidationGas)
	wei.Mul(&wei, &op.MaxFeePerGas)
	return (&contracts.TokenPaymasterData{Rate: rate, Markup: tillMarkup * (100 + quoteRoomPercent) / 100}).Fee(&wei)
}

func (p *Paymaster) describe(ctx context.Context, token common.Address) (symbol string, decimals uint8, err error) {
	result, err := p.estimator.chain.Call(ctx, token, contracts.Symbol())
	if err != nil {
		return "", 0, err
	}
	if symbol, err = contracts.DecodeString(result); err != nil {
		return "", 0, err
	}
	if result, err = p.estimator.chain.Call(ctx, token, contracts.Decimals()); err != nil {
		return "", 0, err
	}
	decimals, err = contracts.DecodeUint8(result)
	return symbol, decimals, err
}

// fraction writes smallest units as a decimal fraction of the token.
func fraction(units *uint256.Int, decimals uint8) string {
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	return new(big.Rat).SetFrac(units.ToBig(), one).FloatString(int(decimals))
}
