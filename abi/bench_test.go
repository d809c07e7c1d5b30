package abi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

func BenchmarkParseFunction(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		MustParseFunction("function safeMint(address to)")
	}
}

func BenchmarkPack(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, err := Pack("function safeMint(address to)", alice)
		require.NoError(b, err)
	}
}

func BenchmarkFunctionPack(b *testing.B) {
	f := MustParseFunction("function swap(bytes32 id, (address to, uint128 amount)[] legs)")
	type leg struct {
		To     common.Address
		Amount *uint256.Int
	}
	legs := []leg{{alice, uint256.NewInt(1)}, {alice, uint256.NewInt(2)}}
	b.ReportAllocs()
	for b.Loop() {
		_, err := f.Pack(common.Hash{}, legs)
		require.NoError(b, err)
	}
}

func BenchmarkWordEncode(b *testing.B) {
	w := Word{Path: "to", Type: "address"}
	b.ReportAllocs()
	for b.Loop() {
		_, err := w.Encode(alice)
		require.NoError(b, err)
	}
}
