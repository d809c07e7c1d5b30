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

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
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
	EnableModule struct {
		Module   common.Address
		CallData hexutil.Bytes
	}
	SetupAndEnableModule struct {
		Module   common.Address
		Setup    hexutil.Bytes
		CallData hexutil.Bytes
	}
	DisableModule struct {
		Prev, Module common.Address
		CallData     hexutil.Bytes
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
	client := clientOf(t, emptyChain{})
	for n, c := range accountVectors(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			key, err := crypto.ToECDSA(c.OwnerKey)
			require.NoError(t, err)
			owned := client.OwnedAccount(account.KeyOwner(key), account.Index(c.Index))
			require.Equal(t, c.Owner, owned.Owner().Address())
			require.Equal(t, c.Address, owned.Address())
			require.Equal(t, c.ModuleSetupData.String(), hexutil.Encode(contracts.InitForSmartAccount(c.Owner)))
			require.Equal(t, c.InitCode.String(), hexutil.Encode(owned.InitCode()))

			dummy, err := owned.Signer().DummySignature(&userop.Operation{})
			require.NoError(t, err)
			require.Equal(t, c.ECDSADummySignature.String(), hexutil.Encode(dummy))

			call := c.Execute.Call.call(t)
			require.Equal(t, c.Execute.CallData.String(), hexutil.Encode(contracts.Execute(call.To, call.Value, call.Data)))
			calls := make([]account.Call, len(c.ExecuteBatch.Calls))
			for i, v := range c.ExecuteBatch.Calls {
				calls[i] = v.call(t)
			}
			require.Equal(t, c.ExecuteBatch.CallData.String(), hexutil.Encode(contracts.ExecuteBatch(calls)))

			enable, setup, disable := c.EnableModule, c.SetupAndEnableModule, c.DisableModule
			require.Equal(t, enable.CallData.String(), hexutil.Encode(contracts.EnableModule(enable.Module)))
			require.Equal(t, setup.CallData.String(), hexutil.Encode(contracts.SetupAndEnableModule(setup.Module, setup.Setup)))
			require.Equal(t, disable.CallData.String(), hexutil.Encode(contracts.DisableModule(disable.Prev, disable.Module)))

			signature, err := owned.SignMessage(t.Context(), []byte(c.CounterfactualMessage.Message))
			require.NoError(t, err)
			require.Equal(t, c.CounterfactualMessage.Signature.String(), hexutil.Encode(signature))
		})
	}
}

func TestContractsOfOtherChains(t *testing.T) {
	taiko := account.DefaultContracts(167009)
	require.Equal(t, common.HexToAddress("0x000008B3078bA5ed444FFf7658F76385F6004e7A"), taiko.Factory)
	require.Equal(t, crypto.CreateAddress(taiko.Factory, 1), taiko.Handler)
	require.Equal(t, common.HexToAddress("0x00000061FEfce24A79343c27127435286BB7A4E1"), account.DefaultContracts(88888).EntryPoint)
	known := account.DefaultContracts(1)
	require.Equal(t, known, account.DefaultContracts(137))
	require.Equal(t, crypto.CreateAddress(known.Factory, 1), known.Handler, "a factory makes its handler first")
}

func TestTaikoAccountsComeFromItsOwnFactory(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	owner := account.KeyOwner(key)
	client, err := account.NewClient(account.Config{ChainID: 167009, Chain: deadChain{}, Bundler: deadBundler{}})
	require.NoError(t, err)
	there := client.OwnedAccount(owner)
	require.Equal(t, client.Contracts().Factory.Bytes(), there.InitCode()[:20])
	require.NotEqual(t, offlineClient(t).OwnedAccount(owner).Address(), there.Address())
}

// deployCopy puts a copy of a contract's code on the chain, without its storage.
func deployCopy(t *testing.T, chain *accounttest.Chain, of common.Address) common.Address {
	t.Helper()
	code, err := chain.Client().CodeAt(t.Context(), of, nil)
	require.NoError(t, err)
	return deployCode(t, chain, code)
}

// deployCode puts a contract with this code on the chain.
func deployCode(t *testing.T, chain *accounttest.Chain, code []byte) common.Address {
	t.Helper()
	deployer := contracts.Deployed().Deployer
	creation := append([]byte{0x61, byte(len(code) >> 8), byte(len(code)), 0x80, 0x60, 12, 0x60, 0, 0x39, 0x60, 0, 0xf3}, code...)
	salt := common.Hash{31: 7}
	_, err := chain.SendTx(t.Context(), deployer, nil, append(salt[:], creation...))
	require.NoError(t, err)
	return crypto.CreateAddress2(deployer, salt, crypto.Keccak256(creation))
}

func TestAnotherDeploymentByOneValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	factory := deployCopy(t, w.chain, w.chain.Contracts.Factory)
	contracts, err := account.ReadContracts(t.Context(), w.chain.Client(), factory)
	require.NoError(t, err)
	known := account.DefaultContracts(w.client.ChainID())
	require.Equal(t, account.Contracts{
		Factory: factory, Implementation: known.Implementation, Handler: known.Handler, ProxyInitCodeHash: known.ProxyInitCodeHash,
	}, contracts)

	client := w.clientWith(t, contracts)
	owner := client.OwnedAccount(account.KeyOwner(w.ownerKey))
	require.NotEqual(t, w.owner.Address(), owner.Address())
	require.NoError(t, owner.CheckAddress(t.Context()))
	_, err = sendOwned(t, owner, []account.Call{w.mint(t, owner.Address())})
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.balance(t, w.chain.Contracts.NFT, owner.Address()))
}

func TestContractsThatDoNotBelongTogetherAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.clientWith(t, account.Contracts{Handler: stranger}).OwnedAccount(account.KeyOwner(w.ownerKey))
	err := owner.CheckAddress(t.Context())
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "puts the account at "+w.owner.Address().Hex()+", not at "+owner.Address().Hex()+"; ReadContracts reads")

	_, err = account.ReadContracts(t.Context(), w.chain.Client(), stranger)
	require.ErrorIs(t, err, account.ErrBadAnswer)
	require.ErrorContains(t, err, "factory "+stranger.Hex()+": unexpected answer of a contract: basicImplementation: no data")
	_, err = account.ReadContracts(t.Context(), deadChain{}, stranger)
	require.ErrorIs(t, err, errOffline)
}

func TestNewClientNeedsAllThatDecidesAddresses(t *testing.T) {
	newClient := func(contracts account.Contracts) error {
		_, err := account.NewClient(account.Config{ChainID: 1, Chain: deadChain{}, Bundler: deadBundler{}, Contracts: contracts})
		return err
	}
	err := newClient(account.Contracts{Implementation: stranger})
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "contracts with implementation "+stranger.Hex()+" need their ProxyInitCodeHash; ReadContracts reads them from the factory")
	err = newClient(account.Contracts{Factory: stranger})
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "contracts with factory "+stranger.Hex()+" need its Handler, without which accounts get another address; ReadContracts reads them from the factory")
	known := account.DefaultContracts(1)
	require.NoError(t, newClient(account.Contracts{Factory: known.Factory}))
	require.NoError(t, newClient(known))
}

func ExampleReadContracts() {
	w := exampleChain()
	defer w.close()
	contracts, err := account.ReadContracts(w.ctx, w.chain.Client(), w.chain.Contracts.Factory)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("implementation:", contracts.Implementation)
	fmt.Println("handler:", contracts.Handler)
	// Output:
	// implementation: 0x0000002512019Dafb59528B82CB92D3c5D2423aC
	// handler: 0x0bBa6d96BD616BedC6BFaa341742FD43c60b83C1
}
