package keccak

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

// TestMany has inputs of all lengths around the blocks' ends, beside each other, on every way there is: four
// at a time, one by one as on a processor that cannot, and what this processor does.
func TestMany(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, many := range map[string]func([]common.Hash, func([]byte, int) []byte){
		"many": Many,
		"fours": func(sums []common.Hash, appendInput func([]byte, int) []byte) {
			oneByOne(sums, byFours(sums, appendInput), appendInput)
		},
		"one by one": func(sums []common.Hash, appendInput func([]byte, int) []byte) { oneByOne(sums, 0, appendInput) },
	} {
		t.Run(name, func(t *testing.T) {
			for n := range 40 {
				inputs, want := make([][]byte, n), make([]common.Hash, n)
				for i := range inputs {
					inputs[i] = bytes.Repeat([]byte{byte(i + 1)}, random.IntN(900))
					if i%3 == 0 {
						inputs[i] = bytes.Repeat([]byte{byte(i + 1)}, rate*random.IntN(4)+random.IntN(3))
					}
					want[i] = crypto.Keccak256Hash(inputs[i])
				}
				sums := make([]common.Hash, n)
				many(sums, func(dst []byte, i int) []byte { return append(dst, inputs[i]...) })
				require.Equal(t, want, sums)
			}
		})
	}
	for n := range 3*rate + 2 { // of one length each
		input := bytes.Repeat([]byte{byte(n)}, n)
		sums := make([]common.Hash, lanes)
		require.Equal(t, lanes, byFours(sums, func(dst []byte, _ int) []byte { return append(dst, input...) }))
		for _, sum := range sums {
			require.Equal(t, crypto.Keccak256Hash(input), sum, n)
		}
	}
}

func BenchmarkMany(b *testing.B) {
	sums := make([]common.Hash, 256)
	for _, size := range []int{64, 200} {
		input := make([]byte, size)
		appendInput := func(dst []byte, _ int) []byte { return append(dst, input...) }
		b.Run(fmt.Sprintf("%d/fours", size), func(b *testing.B) {
			for b.Loop() {
				byFours(sums, appendInput)
			}
		})
		b.Run(fmt.Sprintf("%d/one by one", size), func(b *testing.B) {
			for b.Loop() {
				oneByOne(sums, 0, appendInput)
			}
		})
	}
}
