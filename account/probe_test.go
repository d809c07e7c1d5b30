package account

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
)

func TestProbesSeeBalancesCodeAnswersAndReverts(t *testing.T) {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	rich := common.HexToAddress("0xA11CE00000000000000000000000000000000000")
	require.NoError(t, chain.Fund(t.Context(), rich, big.NewInt(1e18)))
	mint, err := abi.Pack("mint(address,uint256)", rich, 5)
	require.NoError(t, err)
	refuse, err := abi.Pack("failRequire(string)", "because")
	require.NoError(t, err)

	sights, err := look(t.Context(), chain.Client(),
		probe{to: rich},
		probe{to: chain.Contracts.Token, data: abi.BalanceOf(rich)},
		probe{to: chain.Contracts.Token, data: mint, acts: true},
		probe{to: chain.Contracts.Token, data: abi.BalanceOf(rich)},
		probe{to: chain.Contracts.Token, data: mint},
		probe{to: chain.Contracts.Token, data: abi.Symbol(), most: 96},
		probe{to: chain.Contracts.Token, data: abi.Symbol(), most: 33},
		probe{to: chain.Contracts.Target, data: refuse, most: 256},
	)
	require.NoError(t, err)
	require.Len(t, sights, 8)
	require.Equal(t, "1000000000000000000", sights[0].balance.Dec())
	require.False(t, sights[0].hasCode)
	require.True(t, sights[0].ok, "a call of an address without code succeeds")
	require.Empty(t, sights[0].answer)

	requireUint(t, 0, sights[1])
	require.True(t, sights[1].hasCode)
	require.True(t, sights[2].ok)
	requireUint(t, 5, sights[3])
	require.False(t, sights[4].ok, "a call that does not act must not change state")

	symbol, err := abi.DecodeString(sights[5].answer)
	require.NoError(t, err)
	require.Equal(t, "DEMO", symbol)
	require.Len(t, sights[6].answer, 33, "a longer answer is cut off")
	require.False(t, sights[7].ok)
	require.Equal(t, "because", abi.DecodeRevert(sights[7].answer).String())

	balance, err := chain.Client().CallContract(t.Context(), ethereum.CallMsg{To: &chain.Contracts.Token, Data: abi.BalanceOf(rich)}, nil)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), balance, "nothing outlives the request")
}

func requireUint(t *testing.T, want uint64, s sight) {
	t.Helper()
	require.True(t, s.ok)
	require.Equal(t, common.BigToHash(uint256.NewInt(want).ToBig()).Bytes(), s.answer)
}

// countingChain counts requests.
type countingChain struct {
	Chain
	calls int
}

func (c *countingChain) CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error) {
	c.calls++
	return c.Chain.CallContract(ctx, msg, block)
}

func TestProbesAreOneRequestUnlessTheyDoNotFit(t *testing.T) {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	counting := &countingChain{Chain: chain.Client()}
	probes := make([]probe, 255) // as many words as fit into 24,576 bytes, minus one
	for i := range probes {
		probes[i] = probe{to: chain.Contracts.Token, data: abi.BalanceOf(common.BigToAddress(big.NewInt(int64(i))))}
	}
	_, err := look(t.Context(), counting, probes...)
	require.NoError(t, err)
	require.Equal(t, 1, counting.calls)

	sights, err := look(t.Context(), counting, append(probes, probes...)...)
	require.NoError(t, err)
	require.Len(t, sights, 510)
	require.Equal(t, 3, counting.calls)
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
