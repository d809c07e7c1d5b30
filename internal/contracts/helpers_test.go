package contracts

import (
	"math/rand/v2"

	"github.com/ethereum/go-ethereum/common"
)

const aliceHex = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

var alice = common.HexToAddress(aliceHex)

// words joins words, each given in hex without leading zeros, to data.
func words(list ...string) []byte {
	var data []byte
	for _, word := range list {
		data = append(data, common.HexToHash(word).Bytes()...)
	}
	return data
}

// newRand returns numbers that are the same in every run.
func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}
