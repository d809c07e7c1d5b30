package main

import (
	"context"
	"fmt"

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
	logs, err := s.Chain.Client().FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{s.Chain.Contracts.EntryPoint},
		Topics:    [][]common.Hash{{abi.UserOperationEventTopic}},
	})
	if err != nil {
		return sight{}, fmt.Errorf("read the chain's logs: %w", err)
	}
	operations, transactions := make(map[common.Address]int), make(map[common.Hash]bool)
	for i := range logs {
		event, err := abi.DecodeUserOperationEvent(&logs[i])
		if err != nil {
			return sight{}, err
		}
		operations[event.Sender]++
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
	data, err := s.Chain.Call(ctx, s.Chain.Contracts.NFT, abi.BalanceOf(user))
	if err != nil {
		return 0, fmt.Errorf("NFTs of %s: %w", user, err)
	}
	n, err := abi.DecodeUint256(data)
	return n.Uint64(), err
}
