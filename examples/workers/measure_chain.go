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
)

var transferEvent = sync.OnceValue(func() *abi.Event {
	return abi.MustParseEvent("event Transfer(address indexed from, address indexed to, uint256 indexed id)")
})

// portion is of how many blocks logs are asked for at once.
const portion = 100

// onChain counts what the chain has of orders: how often each recipient got an NFT.
func onChain(ctx context.Context, node *ethclient.Client, nft common.Address) (map[common.Address]int, error) {
	head, err := node.BlockNumber(ctx)
	if err != nil {
		return nil, fmt.Errorf("block number: %w", err)
	}
	got := make(map[common.Address]int)
	for from := uint64(0); from <= head; from += portion {
		logs, err := node.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from),
			ToBlock:   new(big.Int).SetUint64(min(head, from+portion-1)),
			Addresses: []common.Address{nft},
			Topics:    [][]common.Hash{{transferEvent().Topic()}},
		})
		if err != nil {
			return nil, fmt.Errorf("read the chain's logs: %w", err)
		}
		for i := range logs {
			event, err := transferEvent().Decode(&logs[i])
			if err != nil {
				return nil, err
			}
			got[event[1].(common.Address)]++
		}
	}
	return got, nil
}

// eachOnce requires that the chain has each order once.
func eachOnce(ctx context.Context, node *ethclient.Client, nft common.Address, orders []Order) error {
	got, err := onChain(ctx, node, nft)
	if err != nil {
		return err
	}
	lost, doubled := 0, 0
	for i := range orders {
		switch n := got[orders[i].To]; {
		case n < 1:
			lost++
		case n > 1:
			doubled++
		}
	}
	if lost+doubled > 0 {
		return fmt.Errorf("of %d orders the chain has %d not at all and %d more than once", len(orders), lost, doubled)
	}
	return nil
}
