package account_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/userop"
)

type callVector struct {
	To    common.Address
	Value string
	Data  hexutil.Bytes
}

func (v callVector) call(t *testing.T) account.Call {
	t.Helper()
	value, err := uint256.FromDecimal(v.Value)
	require.NoError(t, err)
	return account.Call{To: v.To, Value: *value, Data: v.Data}
}

type accountVector struct {
	OwnerKey        hexutil.Bytes
	Owner           common.Address
	Index           uint64
	ModuleSetupData hexutil.Bytes
	InitCode        hexutil.Bytes
	Address         common.Address
	Execute         struct {
		Call     callVector
		CallData hexutil.Bytes
	}
	ExecuteBatch struct {
		Calls    []callVector
		CallData hexutil.Bytes
	}
	ECDSADummySignature   hexutil.Bytes
	CounterfactualMessage struct {
		Message   string
		Signature hexutil.Bytes
	}
}

func accountVectors(t *testing.T) []accountVector {
	t.Helper()
	var vectors struct{ Cases []accountVector }
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "accounts.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	return vectors.Cases
}

func TestAccountVectors(t *testing.T) {
	client := offlineClient(t)
	for n, c := range accountVectors(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			key, err := crypto.ToECDSA(c.OwnerKey)
			require.NoError(t, err)
			owned := client.OwnedAccount(account.KeyOwner(key), account.Index(c.Index))
			require.Equal(t, c.Owner, owned.Owner().Address())
			require.Equal(t, c.Address, owned.Address())
			require.Equal(t, c.ModuleSetupData.String(), hexutil.Encode(abi.InitForSmartAccount(c.Owner)))
			require.Equal(t, c.InitCode.String(), hexutil.Encode(owned.InitCode()))

			dummy, err := owned.Signer().DummySignature(&userop.Operation{})
			require.NoError(t, err)
			require.Equal(t, c.ECDSADummySignature.String(), hexutil.Encode(dummy))

			call := c.Execute.Call.call(t)
			require.Equal(t, c.Execute.CallData.String(), hexutil.Encode(abi.Execute(call.To, call.Value, call.Data)))
			calls := make([]account.Call, len(c.ExecuteBatch.Calls))
			for i, v := range c.ExecuteBatch.Calls {
				calls[i] = v.call(t)
			}
			require.Equal(t, c.ExecuteBatch.CallData.String(), hexutil.Encode(abi.ExecuteBatch(calls)))
		})
	}
}

func offlineClient(t *testing.T) *account.Client {
	t.Helper()
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: deadChain{}, Bundler: deadBundler{}})
	require.NoError(t, err)
	return client
}

func TestContractsOfOtherChains(t *testing.T) {
	require.Equal(t, common.HexToAddress("0x000008B3078bA5ed444FFf7658F76385F6004e7A"), account.DefaultContracts(167009).Factory)
	require.Equal(t, common.HexToAddress("0x00000061FEfce24A79343c27127435286BB7A4E1"), account.DefaultContracts(88888).EntryPoint)
	require.Equal(t, account.DefaultContracts(1), account.DefaultContracts(137))
}

func TestNewClientNeedsTheProxyHashOfAnotherImplementation(t *testing.T) {
	_, err := account.NewClient(account.Config{
		ChainID: 1, Chain: deadChain{}, Bundler: deadBundler{},
		Contracts: account.Contracts{Implementation: common.HexToAddress("0x1")},
	})
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "need their ProxyInitCodeHash")
}
