package contracts

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func TestDecodeArbitrumPrices(t *testing.T) {
	answer := words("1", "2", "3", "4", "5", "6")
	got, err := DecodeArbitrumPrices(answer)
	require.NoError(t, err)
	require.Equal(t, ArbitrumPrices{PerTransaction: *uint256.NewInt(1), PerCalldataUnit: *uint256.NewInt(2), PerGas: *uint256.NewInt(6)}, got)
	require.Len(t, answer, ArbitrumPricesSize)
	for _, bad := range [][]byte{nil, answer[1:], append(answer, 0)} {
		_, err = DecodeArbitrumPrices(bad)
		require.ErrorContains(t, err, "where six words are expected")
	}
}
