package account_test

import (
	"context"
	"errors"
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

// resolverChain has a resolver on it that knows of one account, and answers as the real one does: for the
// indexes below maxIndex, which it doubles in eight bits.
type resolverChain struct {
	emptyChain
	index uint64
}

func (c resolverChain) CallContract(_ context.Context, msg ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	args, err := abi.Unpack("resolveAddressesFlexibleForV2(address owner, uint8 maxIndex, address module, bytes setupData)", msg.Data)
	if err != nil {
		return nil, err
	}
	switch end := args[1].(uint8); {
	case end > 127:
		return nil, errors.New("execution reverted: arithmetic underflow or overflow")
	case c.index >= uint64(end):
		return encodeResolved(), nil
	}
	upgraded := common.HexToAddress("0x3333333333333333333333333333333333333333")
	return encodeResolved(resolved{AccountAddress: upgraded, CurrentVersion: "2.0.0", FactoryVersion: "v1", DeploymentIndex: c.index}), nil
}

func TestTheResolverLooksBelowItsMaxIndex(t *testing.T) {
	t.Parallel()
	for _, index := range []uint8{0, 1, 126} {
		client := clientOf(t, resolverChain{index: uint64(index)})
		found, err := client.UpgradedAccount(t.Context(), stranger, uint64(index))
		require.NoError(t, err, index)
		require.Equal(t, common.HexToAddress("0x3333333333333333333333333333333333333333"), found)
		all, err := client.ResolveAccounts(t.Context(), stranger, index)
		require.NoError(t, err)
		require.Len(t, all, 1, "up to the index, itself included")
		if index > 0 {
			all, err = client.ResolveAccounts(t.Context(), stranger, index-1)
			require.NoError(t, err)
			require.Empty(t, all)
		}
	}
	for _, index := range []uint64{127, 128, 255} {
		_, err := offlineClient(t).UpgradedAccount(t.Context(), stranger, index)
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.EqualError(t, err, fmt.Sprintf("invalid input: the resolver looks at indexes up to 126, not at %d", index))
		_, err = offlineClient(t).ResolveAccounts(t.Context(), stranger, uint8(index))
		require.ErrorIs(t, err, policy.ErrInvalid)
	}
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
