package account

import (
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
)

// countingChain counts requests, and answers each read with the address it is of.
type countingChain struct {
	Chain
	calls int
}

func (c *countingChain) CallContract(_ context.Context, msg ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	c.calls++
	reads, err := contracts.ParseReads(msg.Data)
	if err != nil {
		return nil, err
	}
	results := make([]contracts.ReadResult, len(reads))
	for i, r := range reads {
		results[i] = contracts.ReadResult{OK: true, Data: common.LeftPadBytes(r.To[:], 32)}
	}
	return contracts.PackReadResults(reads, results)
}

func TestReadsAreOneRequestUnlessTheyDoNotFit(t *testing.T) {
	counting := new(countingChain)
	reads := make([]contracts.Read, 255) // as many words as fit into 24,576 bytes, minus one
	for i := range reads {
		reads[i] = contracts.Read{To: common.BigToAddress(big.NewInt(int64(i))), Data: make([]byte, 36)}
	}
	_, err := batchRead(t.Context(), counting, nil, reads...)
	require.NoError(t, err)
	require.Equal(t, 1, counting.calls)

	results, err := batchRead(t.Context(), counting, nil, append(reads, reads...)...)
	require.NoError(t, err)
	require.Len(t, results, 510)
	require.Equal(t, 3, counting.calls)
	for i, r := range results {
		require.Equal(t, common.LeftPadBytes(reads[i%255].To[:], 32), r.Data)
	}
}

// scriptedChain answers every call alike.
type scriptedChain struct {
	Chain
	answer []byte
	err    error
}

func (c scriptedChain) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return c.answer, c.err
}

func TestReadAnswersThatMakeNoSense(t *testing.T) {
	const head = 64
	long := make([]byte, head)
	long[head-1] = 9
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
		{"too much", scriptedChain{answer: make([]byte, head+1)}, "1 bytes after the last answer", ErrBadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := batchRead(t.Context(), tt.chain, nil, contracts.Read{})
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
