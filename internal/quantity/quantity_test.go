package quantity_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/quantity"
)

func TestQuantityForms(t *testing.T) {
	largest := strings.Repeat("f", 64)
	for in, want := range map[string]string{
		`"0x0"`:                  "0x0",
		`"0x59682f00"`:           "0x59682f00",
		`"0X59682F00"`:           "0x59682f00",
		`"0x00000059682f00"`:     "0x59682f00",
		`"1500000000"`:           "0x59682f00",
		`1500000000`:             "0x59682f00",
		`0`:                      "0x0",
		`"007"`:                  "0x7",
		`9007199254740993`:       "0x20000000000001", // not a float64
		`"0x` + largest + `"`:    "0x" + largest,
		`"0x000` + largest + `"`: "0x" + largest,
		`115792089237316195423570985008687907853269984665640564039457584007913129639935`: "0x" + largest,
	} {
		var q quantity.Quantity
		require.NoError(t, json.Unmarshal([]byte(in), &q), in)
		require.Equal(t, want, q.String(), in)
		out, err := json.Marshal(q)
		require.NoError(t, err)
		require.Equal(t, `"`+want+`"`, string(out))
	}
}

func TestQuantityRefuses(t *testing.T) {
	const inexact = " is not an exact non-negative integer (0x-hex or decimal digits)"
	for in, want := range map[string]string{
		`1e18`:                                 `"1e18"` + inexact,
		`1.5`:                                  `"1.5"` + inexact,
		`1.0`:                                  `"1.0"` + inexact,
		`"1.5"`:                                `"1.5"` + inexact,
		`-1`:                                   `"-1"` + inexact,
		`"-0x1"`:                               `"-0x1"` + inexact,
		`"+1"`:                                 `"+1"` + inexact,
		`" 1"`:                                 `" 1"` + inexact,
		`"1_000"`:                              `"1_000"` + inexact,
		`"0x"`:                                 `"0x"` + inexact,
		`"0xg"`:                                `"0xg"` + inexact,
		`""`:                                   `""` + inexact,
		`null`:                                 `"null"` + inexact,
		`true`:                                 `"true"` + inexact,
		`{"hex":1}`:                            `"{\"hex\":1}"` + inexact,
		`"\u0031"`:                             `"\\u0031"` + inexact,
		`"59682f00"`:                           `"59682f00"` + inexact,
		`"0x1` + strings.Repeat("0", 64) + `"`: `"0x1` + strings.Repeat("0", 64) + `" does not fit into 256 bits`,
		`115792089237316195423570985008687907853269984665640564039457584007913129639936`: `"115792089237316195423570985008687907853269984665640564039457584007913129639936" does not fit into 256 bits`,
		strings.Repeat("9", 500): `"` + strings.Repeat("9", 80) + `"… does not fit into 256 bits`,
	} {
		q := quantity.Quantity(*uint256.NewInt(7))
		require.EqualError(t, json.Unmarshal([]byte(in), &q), want, in)
		require.Equal(t, "0x7", q.String(), "unchanged by %s", in)
	}
}

func TestQuantityUint64(t *testing.T) {
	q := quantity.Quantity(*uint256.NewInt(1 << 63))
	v, err := q.Uint64()
	require.NoError(t, err)
	require.Equal(t, uint64(1<<63), v)
	q.Int().Lsh(q.Int(), 1)
	_, err = q.Uint64()
	require.EqualError(t, err, "0x10000000000000000 does not fit into 64 bits")
}

func FuzzQuantity(f *testing.F) {
	for _, seed := range []string{"0x0", "0x59682f00", "1500000000", "1e18", "1.5", "-1", "", "0x", "00", strings.Repeat("f", 70), "0x" + strings.Repeat("f", 64)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := quantity.Parse(text)
		want, ok := new(big.Int), false
		if hex, isHex := strings.CutPrefix(strings.ToLower(text), "0x"); isHex {
			want, ok = want.SetString(hex, 16)
		} else {
			want, ok = want.SetString(text, 10)
		}
		if err != nil {
			plain := ok && want.Sign() >= 0 && want.BitLen() <= 256 && !strings.ContainsAny(text, "+-_")
			require.False(t, plain, "%q: %v", text, err)
			return
		}
		require.True(t, ok, text)
		require.Zero(t, want.Cmp(q.Int().ToBig()), text)
		again, err := quantity.Parse(q.String())
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}
