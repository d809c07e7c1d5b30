package paymaster

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBaseUnits(t *testing.T) {
	for _, c := range []struct {
		amount numeral
		places uint8
		want   string
	}{
		{"0", 6, "0"},
		{"0.000000", 6, "0"},
		{"1", 0, "1"},
		{"1", 18, "1000000000000000000"},
		{"0.1", 18, "100000000000000000"},
		{"0.1", 0, "1"},
		{"1.000000", 6, "1000000"},
		{"1.0000001", 6, "1000001"},
		{"0.3", 1, "3"}, // not 0.30000000000000004
		{"4.35", 2, "435"},
		{"1.2e-7", 6, "1"},
		{"1.2e-7", 18, "120000000000"},
		{"1E+3", 2, "100000"},
		{"1e-999", 6, "1"},
		{"0e999", 6, "0"},
		{"123456789012345678901234567890.123456789", 9, "123456789012345678901234567890123456789"},
	} {
		got, err := baseUnits(c.amount, c.places)
		require.NoError(t, err, c.amount)
		require.Equal(t, c.want, got.Dec(), c.amount)
	}
	for _, amount := range []numeral{"", "-1", "1.", ".5", "1e", "0x1", "NaN", "1e1000", "1,5", numeral(strings.Repeat("1", 101))} {
		_, err := baseUnits(amount, 6)
		require.EqualError(t, err, "not a non-negative decimal number", amount)
	}
	_, err := baseUnits("1e78", 0)
	require.EqualError(t, err, "1e78 tokens of 0 decimals do not fit into 256 bits")
}

func FuzzBaseUnits(f *testing.F) {
	f.Add("0.0123456", uint8(6))
	f.Add("1.2e-7", uint8(18))
	f.Add("1e77", uint8(0))
	f.Fuzz(func(t *testing.T, text string, places uint8) {
		amount, ok := new(big.Rat).SetString(text)
		got, err := baseUnits(numeral(text), places%78)
		if err != nil {
			return
		}
		require.True(t, ok, text)
		amount.Mul(amount, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places%78)), nil)))
		ceil, rest := new(big.Int).QuoRem(amount.Num(), amount.Denom(), new(big.Int))
		if rest.Sign() > 0 {
			ceil.Add(ceil, big.NewInt(1))
		}
		require.Zero(t, ceil.Cmp(got.ToBig()), "%s with %d decimals is %s, not %s", text, places%78, ceil, got.Dec())
	})
}
