package contracts_test

import (
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
)

// readAll makes the reads on a chain, and says in how many requests.
func readAll(t *testing.T, chain *accounttest.Chain, reads ...contracts.Read) (all []contracts.ReadResult, requests int) {
	t.Helper()
	for ; len(reads) > 0; requests++ {
		request, n := contracts.PackReads(reads)
		response, err := chain.Client().CallContract(t.Context(), ethereum.CallMsg{Data: request}, nil)
		require.NoError(t, err)
		results, err := contracts.UnpackReadResults(response, n)
		require.NoError(t, err)
		all, reads = append(all, results...), reads[n:]
	}
	return all, requests
}

func TestReadsSeeBalancesCodeAnswersAndReverts(t *testing.T) {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	rich := common.HexToAddress("0xA11CE00000000000000000000000000000000000")
	require.NoError(t, chain.Fund(t.Context(), rich, big.NewInt(1e18)))
	mint, err := abi.Pack("mint(address,uint256)", rich, 5)
	require.NoError(t, err)
	refuse, err := abi.Pack("failRequire(string)", "because")
	require.NoError(t, err)

	results, _ := readAll(t, chain,
		contracts.Read{To: rich},
		contracts.Read{To: chain.Contracts.Token, Data: contracts.BalanceOf(rich)},
		contracts.Read{To: chain.Contracts.Token, Data: mint, Mutates: true},
		contracts.Read{To: chain.Contracts.Token, Data: contracts.BalanceOf(rich)},
		contracts.Read{To: chain.Contracts.Token, Data: mint},
		contracts.Read{To: chain.Contracts.Token, Data: contracts.Symbol(), MaxAnswer: 96},
		contracts.Read{To: chain.Contracts.Token, Data: contracts.Symbol(), MaxAnswer: 33},
		contracts.Read{To: chain.Contracts.Target, Data: refuse, MaxAnswer: 256},
	)
	require.Len(t, results, 8)
	require.Equal(t, "1000000000000000000", results[0].Balance.Dec())
	require.False(t, results[0].HasCode)
	require.True(t, results[0].OK, "a call of an address without code succeeds")
	require.Empty(t, results[0].Data)

	requireUint(t, 0, results[1])
	require.True(t, results[1].HasCode)
	require.True(t, results[2].OK)
	requireUint(t, 5, results[3])
	require.False(t, results[4].OK, "a call that may not must not change state")

	symbol, err := contracts.DecodeString(results[5].Data)
	require.NoError(t, err)
	require.Equal(t, "DEMO", symbol)
	require.Len(t, results[6].Data, 33, "a longer answer is cut off")
	require.False(t, results[7].OK)
	require.Equal(t, "because", contracts.DecodeRevert(results[7].Data).String())

	balance, err := chain.Client().CallContract(t.Context(), ethereum.CallMsg{To: &chain.Contracts.Token, Data: contracts.BalanceOf(rich)}, nil)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), balance, "nothing outlives the request")
}

func requireUint(t *testing.T, want uint64, r contracts.ReadResult) {
	t.Helper()
	require.True(t, r.OK)
	require.Equal(t, common.BigToHash(uint256.NewInt(want).ToBig()).Bytes(), r.Data)
}

func TestReadsAreOneRequestUnlessTheyDoNotFit(t *testing.T) {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	reads := make([]contracts.Read, 255) // as many words as fit into 24,576 bytes, minus one
	for i := range reads {
		reads[i] = contracts.Read{To: chain.Contracts.Token, Data: contracts.BalanceOf(common.BigToAddress(big.NewInt(int64(i))))}
	}
	require.True(t, contracts.FitsOneRequest(reads))
	_, requests := readAll(t, chain, reads...)
	require.Equal(t, 1, requests)

	results, requests := readAll(t, chain, append(reads, reads...)...)
	require.Len(t, results, 510)
	require.Equal(t, 2, requests)
	require.False(t, contracts.FitsOneRequest(append(reads, reads...)))
}

// Whoever answers a request without an EVM says what the chain says.
func TestReadsAreAnsweredAsTheChainDoes(t *testing.T) {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	rich := common.HexToAddress("0xA11CE00000000000000000000000000000000000")
	require.NoError(t, chain.Fund(t.Context(), rich, big.NewInt(1e18)))
	refuse, err := abi.Pack("failRequire(string)", "because")
	require.NoError(t, err)
	request, n := contracts.PackReads([]contracts.Read{
		{To: rich},
		{To: chain.Contracts.Token, Data: contracts.BalanceOf(rich)},
		{To: chain.Contracts.Token, Data: contracts.Symbol(), MaxAnswer: 96},
		{To: chain.Contracts.Token, Data: contracts.Symbol(), MaxAnswer: 33},
		{To: chain.Contracts.Token, Data: contracts.Symbol(), MaxAnswer: 1},
		{To: chain.Contracts.Target, Data: refuse, MaxAnswer: 256},
		{To: chain.Contracts.EntryPoint, Data: contracts.GetNonce(rich, *uint256.NewInt(7)), Mutates: true},
	})
	require.Equal(t, 7, n)
	response, err := chain.Client().CallContract(t.Context(), ethereum.CallMsg{Data: request}, nil)
	require.NoError(t, err)

	reads, err := contracts.ParseReads(request)
	require.NoError(t, err)
	results := make([]contracts.ReadResult, len(reads))
	for i, read := range reads {
		results[i] = readOne(t, chain, read)
	}
	packed, err := contracts.PackReadResults(reads, results)
	require.NoError(t, err)
	require.Len(t, packed, len(response))
	want, err := contracts.UnpackReadResults(response, n)
	require.NoError(t, err)
	got, err := contracts.UnpackReadResults(packed, n)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// readOne asks the chain for a read's parts.
func readOne(t *testing.T, chain *accounttest.Chain, read contracts.Read) (r contracts.ReadResult) {
	t.Helper()
	balance, err := chain.Client().BalanceAt(t.Context(), read.To, nil)
	require.NoError(t, err)
	r.Balance.SetFromBig(balance)
	code, err := chain.Client().CodeAt(t.Context(), read.To, nil)
	require.NoError(t, err)
	r.HasCode = len(code) > 0
	head, err := chain.Client().HeaderByNumber(t.Context(), nil)
	require.NoError(t, err)
	r.BlockTime = head.Time
	r.Data, err = chain.Client().CallContract(t.Context(), ethereum.CallMsg{To: &read.To, Data: read.Data}, nil)
	r.OK = err == nil
	var reverted interface{ ErrorData() any }
	if errors.As(err, &reverted) {
		r.Data = common.FromHex(reverted.ErrorData().(string))
	}
	return r
}
