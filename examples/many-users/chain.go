package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/examples/internal/stage"
)

// sight is what the chain shows.
type sight struct{ operations, transactions int }

// look reads what the chain has of the users. Anything but a grant and a mint for each, and one NFT, is
// an error.
func look(ctx context.Context, s *stage.Stage, users []common.Address) (sight, error) {
	executed, err := abi.ParseEvent("event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster, " +
		"uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)")
	if err != nil {
		return sight{}, err
	}
	logs, err := s.Chain.Client().FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{s.Chain.Contracts.EntryPoint},
		Topics:    [][]common.Hash{{executed.Topic()}},
	})
	if err != nil {
		return sight{}, fmt.Errorf("read the chain's logs: %w", err)
	}
	operations, transactions := make(map[common.Address]int), make(map[common.Hash]bool)
	for i := range logs {
		values, err := executed.Decode(&logs[i])
		if err != nil {
			return sight{}, err
		}
		operations[values[1].(common.Address)]++
		transactions[logs[i].TxHash] = true
	}
	for _, user := range users {
		nfts, err := balance(ctx, s, user)
		if err != nil {
			return sight{}, err
		}
		if nfts != 1 || operations[user] != 2 {
			return sight{}, fmt.Errorf("user %s has %d NFTs after %d operations; want 1 after a grant and a mint", user, nfts, operations[user])
		}
	}
	return sight{operations: len(logs), transactions: len(transactions)}, nil
}

func balance(ctx context.Context, s *stage.Stage, user common.Address) (uint64, error) {
	balanceOf, err := abi.ParseFunction("function balanceOf(address owner) view returns (uint256)")
	if err != nil {
		return 0, err
	}
	data, err := balanceOf.Pack(user)
	if err != nil {
		return 0, err
	}
	answer, err := s.Chain.Call(ctx, s.Chain.Contracts.NFT, data)
	if err != nil {
		return 0, fmt.Errorf("NFTs of %s: %w", user, err)
	}
	values, err := balanceOf.UnpackResult(answer)
	if err != nil {
		return 0, err
	}
	return values[0].(*big.Int).Uint64(), nil
}
