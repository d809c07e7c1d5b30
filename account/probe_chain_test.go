package account_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
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

	sights, err := account.Look(t.Context(), chain.Client(),
		account.Probe{To: rich},
		account.Probe{To: chain.Contracts.Token, Data: abi.BalanceOf(rich)},
		account.Probe{To: chain.Contracts.Token, Data: mint, Acts: true},
		account.Probe{To: chain.Contracts.Token, Data: abi.BalanceOf(rich)},
		account.Probe{To: chain.Contracts.Token, Data: mint},
		account.Probe{To: chain.Contracts.Token, Data: abi.Symbol(), Most: 96},
		account.Probe{To: chain.Contracts.Token, Data: abi.Symbol(), Most: 33},
		account.Probe{To: chain.Contracts.Target, Data: refuse, Most: 256},
	)
	require.NoError(t, err)
	require.Len(t, sights, 8)
	require.Equal(t, "1000000000000000000", sights[0].Balance.Dec())
	require.False(t, sights[0].HasCode)
	require.True(t, sights[0].OK, "a call of an address without code succeeds")
	require.Empty(t, sights[0].Answer)

	requireUint(t, 0, sights[1])
	require.True(t, sights[1].HasCode)
	require.True(t, sights[2].OK)
	requireUint(t, 5, sights[3])
	require.False(t, sights[4].OK, "a call that does not act must not change state")

	symbol, err := abi.DecodeString(sights[5].Answer)
	require.NoError(t, err)
	require.Equal(t, "DEMO", symbol)
	require.Len(t, sights[6].Answer, 33, "a longer answer is cut off")
	require.False(t, sights[7].OK)
	require.Equal(t, "because", abi.DecodeRevert(sights[7].Answer).String())

	balance, err := chain.Client().CallContract(t.Context(), ethereum.CallMsg{To: &chain.Contracts.Token, Data: abi.BalanceOf(rich)}, nil)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), balance, "nothing outlives the request")
}

func requireUint(t *testing.T, want uint64, s account.Sight) {
	t.Helper()
	require.True(t, s.OK)
	require.Equal(t, common.BigToHash(uint256.NewInt(want).ToBig()).Bytes(), s.Answer)
}

// countingChain counts requests.
type countingChain struct {
	account.Chain
	calls int
}

func (c *countingChain) CallContract(ctx context.Context, msg ethereum.CallMsg, block *big.Int) ([]byte, error) {
	c.calls++
	return c.Chain.CallContract(ctx, msg, block)
}

func TestProbesAreOneRequestUnlessTheyDoNotFit(t *testing.T) {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	counting := &countingChain{Chain: chain.Client()}
	probes := make([]account.Probe, 255) // as many words as fit into 24,576 bytes, minus one
	for i := range probes {
		probes[i] = account.Probe{To: chain.Contracts.Token, Data: abi.BalanceOf(common.BigToAddress(big.NewInt(int64(i))))}
	}
	_, err := account.Look(t.Context(), counting, probes...)
	require.NoError(t, err)
	require.Equal(t, 1, counting.calls)

	sights, err := account.Look(t.Context(), counting, append(probes, probes...)...)
	require.NoError(t, err)
	require.Len(t, sights, 510)
	require.Equal(t, 3, counting.calls)
}
