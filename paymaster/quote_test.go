package paymaster_test

import (
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

func TestFeeQuotes(t *testing.T) {
	got, err := play(t, "quotes.jsonl").FeeQuotes(t.Context(), operation(), userop.QuoteRequest{
		Tokens: []common.Address{usdc, usdt}, Preferred: usdc, CalculateGasLimits: true,
	})
	require.NoError(t, err)
	require.Equal(t, userop.FeeQuotes{
		Quotes: []userop.FeeQuote{
			{
				Token: usdc, Symbol: "USDC", Decimals: 6, Paymaster: tokens,
				MaxFee:    *uint256.NewInt(12_346), // 0.012345600001 rounded up
				MaxFeeUSD: "0.01234", PremiumPercent: "12",
				ValidUntil: time.Unix(1_700_000_000, 0), LogoURL: "https://assets.example/usdc.png",
			},
			{Token: usdt, Symbol: "USDT", Decimals: 6, Paymaster: tokens, MaxFee: *uint256.NewInt(1), PremiumPercent: "10.5"},
		},
	}, got)
}

func TestFeeQuotesOfAllTokens(t *testing.T) {
	got, err := play(t, "quotes_all.jsonl").FeeQuotes(t.Context(), operation(), userop.QuoteRequest{Context: "ada"})
	require.NoError(t, err)
	require.Empty(t, got.Quotes)
	require.Nil(t, got.Sponsorship)
}

func TestFeeQuotesThatSponsor(t *testing.T) {
	got, err := play(t, "quotes_sponsored.jsonl").FeeQuotes(t.Context(), operation(), userop.QuoteRequest{CalculateGasLimits: true})
	require.NoError(t, err)
	require.Equal(t, userop.FeeQuotes{Sponsorship: &userop.Sponsorship{
		PaymasterAndData:     sponsoredData,
		CallGasLimit:         uint256.NewInt(120_000),
		VerificationGasLimit: uint256.NewInt(250_000),
		PreVerificationGas:   uint256.NewInt(60_000),
	}}, got)
}

func TestFeeQuotesWrong(t *testing.T) {
	client := play(t, "quotes_wrong.jsonl")
	for _, want := range []string{
		"unexpected result: missing mode",
		`unexpected result: mode: "FREE" is neither ERC20 nor SPONSORED`,
		"unexpected result: missing feeQuotes, paymasterAddress",
		"unexpected result: feeQuotes: missing tokenAddress, decimal, maxGasFee",
		"unexpected result: feeQuotes: decimal: 78 decimals are more than a token can have; maxGasFee: not a non-negative decimal number",
		"unexpected result: feeQuotes: maxGasFee: 1e60 tokens of 18 decimals do not fit into 256 bits",
		"paymaster: not sponsored: the service answered with an empty paymasterAndData",
		"paymaster: pm_getFeeQuoteOrData: token not supported (code -32000)",
	} {
		got, err := client.FeeQuotes(t.Context(), operation(), userop.QuoteRequest{})
		require.ErrorContains(t, err, want)
		require.Equal(t, userop.FeeQuotes{}, got)
	}
}
