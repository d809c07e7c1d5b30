package accounttest

import (
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/testutil"
)

func TestCounterfactualAddressesAreThoseOfPublicChains(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Owner           common.Address
			Index           uint64
			ModuleSetupData hexutil.Bytes
			Address         common.Address
		}
	}
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "accounts.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)

	chain := NewChain(t, ChainConfig{})
	for _, c := range vectors.Cases {
		call, err := abi.Pack("function getAddressForCounterFactualAccount(address module, bytes data, uint256 index)",
			chain.Contracts.ECDSAModule, []byte(c.ModuleSetupData), c.Index)
		require.NoError(t, err)
		result, err := chain.Call(t.Context(), chain.Contracts.Factory, call)
		require.NoError(t, err)
		address, err := contracts.DecodeAddress(result)
		require.NoError(t, err)
		require.Equal(t, c.Address, address, "owner %s, index %d", c.Owner, c.Index)
	}
}

func TestProxyInitCodeHash(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	result, err := chain.Call(t.Context(), chain.Contracts.Factory, contracts.AccountCreationCode())
	require.NoError(t, err)
	code, err := contracts.DecodeBytes(result)
	require.NoError(t, err)
	hash := crypto.Keccak256Hash(abiword.AppendAddress(code, chain.Contracts.Implementation))
	require.Equal(t, common.HexToHash("0x9e23d82770fbe728cd88babbb4dd51431b0a3c40bfd053a9fba2db0c3edaa369"), hash)
}

func TestContractsAreInstalled(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	at := chain.Contracts
	senderCreator := common.HexToAddress("0x7fc98430eAEdbb6070B35B39D798725049088348") // the EntryPoint's own, as on public chains
	for _, address := range []common.Address{
		at.EntryPoint, at.Implementation, at.Factory, at.FallbackHandler, at.ECDSAModule, at.MultichainModule, at.SessionKeyManager,
		at.BatchedSessionRouter, at.ABISessionModule, at.ERC20SessionModule, at.Paymaster, at.TokenPaymaster, at.NFT, at.Token, at.Token6, at.ResetToken,
		at.Target, senderCreator, contracts.Deployed().Deployer,
	} {
		code, err := chain.Client().CodeAt(t.Context(), address, nil)
		require.NoError(t, err)
		require.NotEmpty(t, code, "no code at %s", address)
	}
	nonce, err := chain.Client().NonceAt(t.Context(), at.Factory, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, nonce, "the factory made one contract")
}

func TestConstructorsRan(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	address := func(signature string, to common.Address) common.Address {
		call, err := abi.Pack(signature)
		require.NoError(t, err)
		result, err := chain.Call(t.Context(), to, call)
		require.NoError(t, err)
		a, err := contracts.DecodeAddress(result)
		require.NoError(t, err)
		return a
	}
	at := chain.Contracts
	require.Equal(t, at.EntryPoint, address("function entryPoint()", at.Implementation))
	require.Equal(t, at.Implementation, address("function basicImplementation()", at.Factory))
	require.Equal(t, at.FallbackHandler, address("function minimalHandler()", at.Factory))
	require.Equal(t, at.EntryPoint, address("function ENTRY_POINT()", at.Paymaster))
	require.Equal(t, Address("paymaster signer"), address("function verifyingSigner()", at.Paymaster))
	require.Equal(t, Address("faucet"), address("function owner()", at.Paymaster))
}

func TestSeveralChainsAtOnce(t *testing.T) {
	for _, id := range []uint64{0, 1, 137} {
		chain := NewChain(t, ChainConfig{ChainID: id})
		want := id
		if id == 0 {
			want = DefaultChainID
		}
		require.Equal(t, want, chain.ChainID())
		got, err := chain.Client().ChainID(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got.Uint64())
		require.NoError(t, chain.Fund(t.Context(), common.Address{1}, big.NewInt(int64(want))))
		balance, err := chain.Client().BalanceAt(t.Context(), common.Address{1}, nil)
		require.NoError(t, err)
		require.Equal(t, want, balance.Uint64(), "no other chain's money")
	}
}

func TestChainTime(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	before, err := chain.Now(t.Context())
	require.NoError(t, err)
	require.False(t, before.Before(time.Now().Add(-2*time.Second)), "block 0 has the wall clock's time")

	require.NoError(t, chain.AdjustTime(48*time.Hour))
	adjusted, err := chain.Now(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, adjusted.Sub(before), 48*time.Hour)

	next, err := chain.NextTime(t.Context())
	require.NoError(t, err)
	require.Equal(t, adjusted.Add(time.Second), next)
	chain.Commit()
	now, err := chain.Now(t.Context())
	require.NoError(t, err)
	require.Equal(t, next, now, "time goes on from where it was adjusted to")

	require.ErrorContains(t, chain.AdjustTime(-time.Hour), "at least one second after its parent")
}

func TestAdjustTimeKeepsSentTransactions(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	tx, err := chain.signTx(t.Context(), Faucet(), common.Address{1}, big.NewInt(7), nil, 21_000)
	require.NoError(t, err)
	require.NoError(t, chain.Client().SendTransaction(t.Context(), tx))
	require.NoError(t, chain.AdjustTime(time.Hour))
	balance, err := chain.Client().BalanceAt(t.Context(), common.Address{1}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 7, balance.Uint64())
}

func TestSendTxTellsWhyItFails(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	call, err := abi.Pack("function failRequire(string reason)", "not today")
	require.NoError(t, err)
	_, err = chain.SendTx(t.Context(), chain.Contracts.Target, nil, call)
	require.ErrorContains(t, err, "would fail")
	require.ErrorContains(t, err, "not today")
}

func TestSendTxFromManyGoroutines(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := chain.Fund(t.Context(), common.Address{1}, big.NewInt(1)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	balance, err := chain.Client().BalanceAt(t.Context(), common.Address{1}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 10, balance.Uint64())
}

func TestRPCURL(t *testing.T) {
	chain := NewChain(t, ChainConfig{ChainID: 8453})
	url, err := chain.RPCURL()
	require.NoError(t, err)
	again, err := chain.RPCURL()
	require.NoError(t, err)
	require.Equal(t, url, again)

	client, err := ethclient.DialContext(t.Context(), url)
	require.NoError(t, err)
	defer client.Close()
	id, err := client.ChainID(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 8453, id.Uint64())

	require.NoError(t, chain.Close())
	require.NoError(t, chain.Close(), "closing twice is fine")
	_, err = chain.RPCURL()
	require.EqualError(t, err, "the chain is closed")
}

// resetting an allowance from non-zero to non-zero is what ResetToken refuses.
func TestResetToken(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	approve := func(amount int64) error {
		call, err := abi.Pack("function approve(address spender, uint256 amount)", common.Address{2}, amount)
		require.NoError(t, err)
		_, err = chain.SendTx(t.Context(), chain.Contracts.ResetToken, nil, call)
		return err
	}
	require.NoError(t, approve(5))
	require.ErrorContains(t, approve(6), "reset the allowance to zero first")
	require.NoError(t, approve(0))
	require.NoError(t, approve(6))
}

func BenchmarkStartChain(b *testing.B) {
	for b.Loop() {
		chain, err := StartChain(ChainConfig{})
		if err != nil {
			b.Skip(err)
		}
		if err := chain.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
