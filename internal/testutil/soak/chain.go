package main

import (
	"context"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
)

// effect is an operation as the chain has it.
type effect struct {
	Hash    common.Hash
	User    common.Address
	Success bool
	// Jobs are the jobs that it did: the amounts that it minted.
	Jobs  []uint64
	Block uint64
}

var (
	operationEvent = sync.OnceValue(func() *abi.Event {
		return abi.MustParseEvent(`event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender,
			address indexed paymaster, uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed)`)
	})
	transferEvent = sync.OnceValue(func() *abi.Event {
		return abi.MustParseEvent("event Transfer(address indexed from, address indexed to, uint256 amount)")
	})
)

// readEffects reads all operations on chain, in their order.
func readEffects(ctx context.Context, node *ethclient.Client, at accounttest.Contracts) ([]effect, error) {
	head, err := node.BlockNumber(ctx)
	if err != nil {
		return nil, err
	}
	const portion = 100
	var all []effect
	for from := uint64(0); from <= head; from += portion {
		logs, err := node.FilterLogs(ctx, ethereum.FilterQuery{
			FromBlock: new(big.Int).SetUint64(from),
			ToBlock:   new(big.Int).SetUint64(min(head, from+portion-1)),
			Addresses: []common.Address{at.EntryPoint, at.Token},
			Topics:    [][]common.Hash{{operationEvent().Topic(), transferEvent().Topic()}},
		})
		if err != nil {
			return nil, err
		}
		some, err := effects(logs, at)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// effects reads operations out of whole blocks' logs: what was minted since the last operation belongs to the
// next one of the same transaction.
func effects(logs []types.Log, at accounttest.Contracts) ([]effect, error) {
	var all []effect
	var jobs []uint64
	var tx common.Hash
	for i := range logs {
		log := &logs[i]
		if log.TxHash != tx {
			jobs, tx = nil, log.TxHash
		}
		if log.Address == at.Token {
			event, err := transferEvent().Decode(log)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, event[2].(*big.Int).Uint64())
			continue
		}
		event, err := operationEvent().Decode(log)
		if err != nil {
			return nil, err
		}
		all = append(all, effect{
			Hash:    log.Topics[1],
			User:    event[1].(common.Address),
			Success: event[4].(bool),
			Jobs:    jobs,
			Block:   log.BlockNumber,
		})
		jobs = nil
	}
	return all, nil
}
