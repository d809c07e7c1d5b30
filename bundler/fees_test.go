package bundler_test

import (
	"slices"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

func fees(max, tip uint64) userop.Fees {
	return userop.Fees{MaxFeePerGas: *uint256.NewInt(max), MaxPriorityFeePerGas: *uint256.NewInt(tip)}
}

var standard = fees(1_500_000_000, 1_000_000_000)

// discovered checks that after the first round, in which both methods are asked for at once, it is the one
// that is offered. The other one's request may be called off before it leaves, or arrive after all the rest.
func discovered(t *testing.T, methods []string, offered string) {
	t.Helper()
	others := slices.DeleteFunc(slices.Clone(methods), func(method string) bool { return method == offered })
	require.LessOrEqual(t, len(others), 1)
	require.Equal(t, 2, len(methods)-len(others))
}

func TestFeesOfEachVendor(t *testing.T) {
	for file, method := range map[string]string{
		"fees_biconomy.jsonl": "biconomy_getGasFeeValues",
		"fees_both.jsonl":     "biconomy_getGasFeeValues",
		"fees_pimlico.jsonl":  "pimlico_getUserOperationGasPrice",
	} {
		client, server := play(t, file)
		for range 2 {
			got, err := client.Fees(t.Context())
			require.NoError(t, err)
			require.Equal(t, standard, got)
		}
		discovered(t, server.Methods(), method)
	}
}

func TestFeesOfAnUnknownVendor(t *testing.T) {
	client, server := play(t, "fees_none.jsonl")
	for range 3 {
		_, err := client.Fees(t.Context())
		require.ErrorIs(t, err, userop.ErrNoFees)
		require.EqualError(t, err, "no gas price offered: the bundler has neither Biconomy's nor Pimlico's method for it")
	}
	require.Len(t, server.Methods(), 2, "what is not offered is not asked for again")
}

func TestFeesDoNotRememberTroubles(t *testing.T) {
	client, server := play(t, "fees_temporary.jsonl")
	for range 3 {
		got, err := client.Fees(t.Context())
		require.NoError(t, err)
		require.Equal(t, standard, got)
	}
	asked := make(map[string]int)
	for _, method := range server.Methods() {
		asked[method]++
	}
	require.Equal(t, 5, asked["biconomy_getGasFeeValues"])
	require.LessOrEqual(t, asked["pimlico_getUserOperationGasPrice"], 2, "not once Biconomy's has answered")
}

func TestFeesFailing(t *testing.T) {
	client, _ := play(t, "fees_failing.jsonl")
	_, err := client.Fees(t.Context())
	require.EqualError(t, err, "bundler: biconomy_getGasFeeValues: node is syncing (code -32000)")
	require.NotErrorIs(t, err, userop.ErrNoFees)
}

func TestFeesByOption(t *testing.T) {
	client, server := play(t, "fees_fast.jsonl", bundler.WithVendor(bundler.Pimlico), bundler.WithSpeed(bundler.Fast))
	got, err := client.Fees(t.Context())
	require.NoError(t, err)
	require.Equal(t, fees(2_500_000_000, 1_000_000_000), got)
	require.Equal(t, []string{"pimlico_getUserOperationGasPrice"}, server.Methods())
}

// Fault 11: a decimal fee gets "0x" in front: 1.5 gwei becomes 90 gwei.
func TestFault11DecimalFeesStayDecimal(t *testing.T) {
	client, _ := play(t, "fees_fault11.jsonl", bundler.WithVendor(bundler.Biconomy))
	got, err := client.Fees(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1500000000", got.MaxFeePerGas.Dec())
	const inexact = " is not an exact non-negative integer (0x-hex or decimal digits)"
	_, err = client.Fees(t.Context())
	require.ErrorContains(t, err, `unexpected result: maxFeePerGas: "1.5"`+inexact+`; maxPriorityFeePerGas: "1500000000.0"`+inexact)
	_, err = client.Fees(t.Context())
	require.ErrorContains(t, err, "unexpected result: missing maxPriorityFeePerGas")
}
