package account

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/stretchr/testify/require"
)

// scriptedChain answers every call alike.
type scriptedChain struct {
	Chain
	answer []byte
	err    error
}

func (c scriptedChain) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return c.answer, c.err
}

func TestProbeAnswersThatMakeNoSense(t *testing.T) {
	long := make([]byte, sightHead)
	long[sightHead-1] = 9
	down := errors.New("node is down")
	tests := []struct {
		name  string
		chain Chain
		want  string
		is    error
	}{
		{"node is down", scriptedChain{err: down}, "node is down", down},
		{"nothing", scriptedChain{}, "unexpected answer of a contract: batched read: answer 1 of 1 is cut short; does the node run eth_call without a recipient?", ErrBadAnswer},
		{"length beyond the end", scriptedChain{answer: long}, "answer 1 of 1 claims 9 bytes, 0 are there", ErrBadAnswer},
		{"too much", scriptedChain{answer: make([]byte, sightHead+1)}, "1 bytes after the last answer", ErrBadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := look(t.Context(), tt.chain, probe{})
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func FuzzUnpackSights(f *testing.F) {
	f.Add([]byte{}, uint8(1))
	f.Add(make([]byte, sightHead), uint8(1))
	f.Add(bytes.Repeat([]byte{1}, 3*sightHead), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, n uint8) {
		sights, err := unpackSights(nil, data, int(n))
		if err != nil {
			return
		}
		size := 0
		for _, s := range sights {
			size += sightHead + len(s.answer)
		}
		require.Len(t, sights, int(n))
		require.Equal(t, len(data), size)
	})
}
