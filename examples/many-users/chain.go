package main

import (
	"context"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
)

// userOperationEvent is what the EntryPoint says of each operation that it has executed.
var userOperationEvent = sync.OnceValue(func() *abi.Event {
	return abi.MustParseEvent(`event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender,
		address indexed paymaster, uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)`)
})

// sight is what the chain shows.
type sight struct{ operations, transactions int }

// look reads what the chain has of the users since a block. Anything but a grant and a mint for each, and one
// NFT, is an error.
func look(ctx context.Context, network *accounttest.Network, nft common.Address, users []common.Address, since uint64) (sight, error) {
	seen, operations, err := count(ctx, network, users, since)
	if err != nil {
		return sight{}, err
	}
	for _, user := range users {
		nfts, err := balance(ctx, network.Node, nft, user)
		if err != nil {
			return sight{}, err
		}
		if nfts != 1 || operations[user] != 2 {
			return sight{}, fmt.Errorf("user %s has %d NFTs after %d operations; want 1 after a grant and a mint", user, nfts, operations[user])
		}
	}
	return seen, nil
}

// count counts the operations of the users since a block, together and each user's.
func count(ctx context.Context, network *accounttest.Network, users []common.Address, since uint64) (seen sight, operations map[common.Address]int, err error) {
	logs, err := network.Node.FilterLogs(ctx, ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(since),
		Addresses: []common.Address{network.Client.Contracts().EntryPoint},
		Topics:    [][]common.Hash{{userOperationEvent().Topic()}},
	})
	if err != nil {
		return sight{}, nil, fmt.Errorf("read the chain's logs: %w", err)
	}
	operations, transactions := make(map[common.Address]int), make(map[common.Hash]bool)
	for _, user := range users {
		operations[user] = 0
	}
	for i := range logs {
		event, err := userOperationEvent().Decode(&logs[i])
		if err != nil {
			return sight{}, nil, err
		}
		sender := event[1].(common.Address)
		if _, ours := operations[sender]; !ours {
			continue // somebody else's, on a chain that is not ours alone
		}
		operations[sender]++
		seen.operations++
		transactions[logs[i].TxHash] = true
	}
	seen.transactions = len(transactions)
	return seen, operations, nil
}

func balance(ctx context.Context, node *ethclient.Client, nft, user common.Address) (uint64, error) {
	const balanceOf = "function balanceOf(address holder) view returns (uint256)"
	call, err := abi.Pack(balanceOf, user)
	if err != nil {
		return 0, err
	}
	data, err := node.CallContract(ctx, ethereum.CallMsg{To: &nft, Data: call}, nil)
	if err != nil {
		return 0, fmt.Errorf("NFTs of %s: %w", user, err)
	}
	result, err := abi.UnpackResult(balanceOf, data)
	if err != nil {
		return 0, fmt.Errorf("NFTs of %s: %w", user, err)
	}
	return result[0].(*big.Int).Uint64(), nil
}
