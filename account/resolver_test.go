package account_test

import (
	"context"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// resolved is what the resolver returns of one account.
type resolved struct {
	AccountAddress, FactoryAddress, CurrentImplementation common.Address
	CurrentVersion, FactoryVersion                        string
	DeploymentIndex                                       uint64
}

func encodeResolved(accounts ...resolved) []byte {
	data, err := abi.Pack("f((address accountAddress, address factoryAddress, address currentImplementation, string currentVersion, string factoryVersion, uint256 deploymentIndex)[])", accounts)
	if err != nil {
		panic(err)
	}
	return data[abi.SelectorSize:]
}

// answering is the code of a contract that answers every call alike.
func answering(answer []byte) []byte {
	high, low := byte(len(answer)>>8), byte(len(answer))
	return append([]byte{0x61, high, low, 0x60, 14, 0x60, 0, 0x39, 0x61, high, low, 0x60, 0, 0xf3}, answer...)
}

func TestUpgradedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.owner.Owner()
	// An account whose address does not follow from its owner, as one that another factory made.
	receipt, err := w.chain.SendTx(t.Context(), w.client.Contracts().Factory, nil,
		pack(t, "deployAccount(address,bytes)", w.client.Contracts().ECDSA, contracts.InitForSmartAccount(owner.Address())))
	require.NoError(t, err)
	created := receipt.Logs[len(receipt.Logs)-1] // AccountCreationWithoutIndex(address indexed account, …)
	upgraded := common.BytesToAddress(created.Topics[1][:])
	resolver := deployCode(t, w.chain, answering(encodeResolved(
		resolved{AccountAddress: stranger, CurrentVersion: "2.0.0", FactoryVersion: "v2", DeploymentIndex: 3},
		resolved{AccountAddress: stranger, CurrentVersion: "1.0.0", FactoryVersion: "v1", DeploymentIndex: 3},
		resolved{AccountAddress: upgraded, CurrentVersion: "2.0.0", FactoryVersion: "v1", DeploymentIndex: 3},
	)))
	client := w.clientWith(t, account.Contracts{Resolver: resolver})

	found, err := client.UpgradedAccount(t.Context(), owner.Address(), 3)
	require.NoError(t, err)
	require.Equal(t, upgraded, found)
	acting := client.OwnedAccount(owner, account.AtAddress(found))
	done(t)(acting.Send(t.Context(), []account.Call{w.mint(t, found)}, account.Sponsored()))
	require.Equal(t, uint64(1), w.balance(t, w.chain.Contracts.NFT, found))

	all, err := client.ResolveAccounts(t.Context(), owner.Address(), 3)
	require.NoError(t, err)
	require.Len(t, all, 3)

	_, err = client.UpgradedAccount(t.Context(), owner.Address(), 2)
	require.ErrorIs(t, err, account.ErrNoAccount)
	require.EqualError(t, err, "no such account: owner "+owner.Address().Hex()+" has none of version 1 with index 2 that was upgraded to version 2 on chain 80002")
	_, err = client.UpgradedAccount(t.Context(), owner.Address(), 256)
	require.ErrorIs(t, err, policy.ErrInvalid)
	_, err = w.clientWith(t, account.Contracts{Resolver: stranger}).UpgradedAccount(t.Context(), owner.Address(), 3)
	require.ErrorIs(t, err, account.ErrBadAnswer, "there is no resolver at that address")
	_, err = offlineClient(t).UpgradedAccount(t.Context(), owner.Address(), 3)
	require.ErrorIs(t, err, errOffline)
}

// resolverChain has a resolver on it, which checks what it is asked.
type resolverChain struct{ emptyChain }

func (resolverChain) CallContract(_ context.Context, msg ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	args, err := abi.Unpack("resolveAddressesFlexibleForV2(address owner, uint8 maxIndex, address module, bytes setupData)", msg.Data)
	if err != nil {
		return nil, err
	}
	upgraded := common.HexToAddress("0x3333333333333333333333333333333333333333")
	return encodeResolved(resolved{AccountAddress: upgraded, CurrentVersion: "2.0.0", FactoryVersion: "v1", DeploymentIndex: uint64(args[1].(uint8))}), nil
}

func ExampleClient_UpgradedAccount() {
	client, err := account.NewClient(account.Config{ChainID: 137, Chain: resolverChain{}, Bundler: deadBundler{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	owner := account.KeyOwner(exampleKey)
	address, err := client.UpgradedAccount(context.Background(), owner.Address(), 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.OwnedAccount(owner, account.AtAddress(address)).Address())
	// Output:
	// 0x3333333333333333333333333333333333333333
}
