package contracts

import (
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

func BenchmarkExecute(b *testing.B) {
	data := make([]byte, 68)
	b.ReportAllocs()
	for b.Loop() {
		Execute(alice, uint256.Int{}, data)
	}
}

func BenchmarkExecuteBatch(b *testing.B) {
	calls := []abi.Call{{To: alice, Data: make([]byte, 68)}, {To: alice, Data: make([]byte, 36)}}
	b.ReportAllocs()
	for b.Loop() {
		ExecuteBatch(calls)
	}
}

func BenchmarkDecodeExecute(b *testing.B) {
	data := ExecuteBatch([]abi.Call{{To: alice, Data: make([]byte, 68)}, {To: alice, Data: make([]byte, 36)}})
	b.ReportAllocs()
	for b.Loop() {
		_, err := DecodeExecute(data)
		require.NoError(b, err)
	}
}

func BenchmarkDecodeRevert(b *testing.B) {
	data := revertData(b, "FailedOp(uint256,string)", 0, "AA24 signature error")
	b.ReportAllocs()
	for b.Loop() {
		DecodeRevert(data)
	}
}
