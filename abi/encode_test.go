package abi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// The Append functions make the words and tails that the generic encoder makes, and as many as
// the size functions say.
func TestAppend(t *testing.T) {
	r := newRand()
	for n := range 70 {
		number, b := new(uint256.Int).SetBytes(randomBytes(r, 32)), randomBytes(r, n)
		hashes := make([]common.Hash, n%5)
		for i := range hashes {
			hashes[i] = common.Hash(randomBytes(r, 32))
		}
		want, err := MustParseFunction("f(bytes32, uint64, uint256, address, bytes, bytes32[])").
			Pack(common.Hash{1}, n, number, alice, b, hashes)
		require.NoError(t, err)

		got := AppendWord(nil, common.Hash{1})
		got = AppendUint64(got, uint64(n))
		got = AppendUint256(got, number)
		got = AppendAddress(got, alice)
		got = AppendUint64(got, 6*WordSize)
		got = AppendUint64(got, uint64(6*WordSize+BytesSize(n)))
		got = AppendBytes(got, b)
		got = AppendHashes(got, hashes)
		require.Equal(t, hexutil.Encode(want[SelectorSize:]), hexutil.Encode(got))
		require.Len(t, got, 6*WordSize+BytesSize(n)+HashesSize(len(hashes)))
	}
}
