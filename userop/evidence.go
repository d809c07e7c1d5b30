package userop

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/contracts"
)

// fate tells what the chain shows of an operation: its receipt where it was included, an [*EndedError] where
// it never will be, and an error matching [ErrNotFound] while its nonce is unused and it may still land. Any
// other error leaves it open. Blocks below floor are not searched.
func (s *Sender) fate(ctx context.Context, op *Operation, hash common.Hash, floor uint64) (*Receipt, error) {
	state, err := s.cfg.Chain.NonceState(ctx, op)
	if err != nil {
		return nil, err
	}
	ended := &EndedError{Hash: hash, Sender: op.Sender, Nonce: op.Nonce}
	if !state.Used {
		if s.cfg.Until != nil {
			ended.Until, ended.BlockTime = s.cfg.Until(op), state.BlockTime
		}
		if ended.Until != 0 && ended.Until < ended.BlockTime {
			return nil, ended
		}
		return nil, fmt.Errorf("%w on chain: its nonce %s is unused", ErrNotFound, op.Nonce.Hex())
	}
	bySender := [][]common.Hash{{contracts.UserOperationEventTopic}, nil, {common.BytesToHash(op.Sender[:])}}
	used, err := s.search(ctx, bySender, floor, func(r *Receipt) bool { return r.Nonce == op.Nonce })
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("nonce %s of %s is used, and the blocks that were searched do not show by which operation", op.Nonce.Hex(), op.Sender)
	case err != nil:
		return nil, err
	case used.UserOpHash != hash:
		ended.By, ended.Transaction = used.UserOpHash, used.TransactionHash
		return nil, ended
	}
	return used, nil
}

// How far back the chain is searched for what it logged of an operation: so many blocks in a request, so many
// requests. Nodes bound the first; one that refuses is asked for fewer.
const (
	maxPortion  = 1000
	maxPortions = 10
)

// search looks for the newest operation that fits, from the newest block back to floor or as far as it goes;
// an error matching [ErrNotFound] says that there is none. What is found is without its logs and revert data.
func (s *Sender) search(ctx context.Context, topics [][]common.Hash, floor uint64, fits func(*Receipt) bool) (*Receipt, error) {
	to, err := s.cfg.Chain.BlockNumber(ctx)
	if err != nil {
		return nil, err
	}
	portion := uint64(maxPortion)
	for range maxPortions {
		from := max(to-min(to, portion-1), floor)
		logs, failed := s.cfg.Chain.FilterLogs(ctx, s.blocks(from, to, topics))
		switch err = failed; {
		case err != nil && (portion == 1 || ctx.Err() != nil):
			return nil, err
		case err != nil:
			portion = max(portion/8, 1)
			continue
		}
		for i := len(logs) - 1; i >= 0; i-- {
			if receipt, ok := s.included(&logs[i]); ok && fits(receipt) {
				return receipt, nil
			}
		}
		if from <= floor {
			break
		}
		to = from - 1
	}
	if err != nil {
		return nil, err
	}
	return nil, ErrNotFound
}

// blocks is a question for logs of the EntryPoint. It names blocks by number: a hash would be answered for a
// block, too, that is no part of the chain any more.
func (s *Sender) blocks(from, to uint64, topics [][]common.Hash) ethereum.FilterQuery {
	return ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(from),
		ToBlock:   new(big.Int).SetUint64(to),
		Addresses: []common.Address{s.cfg.EntryPoint},
		Topics:    topics,
	}
}

// included reads the receipt out of the EntryPoint's log about an operation; false where it is another log.
func (s *Sender) included(log *types.Log) (*Receipt, bool) {
	event, err := contracts.DecodeUserOperationEvent(log)
	if err != nil || log.Address != s.cfg.EntryPoint || log.Removed {
		return nil, false
	}
	return &Receipt{
		UserOpHash:      event.UserOpHash,
		EntryPoint:      log.Address,
		Sender:          event.Sender,
		Nonce:           event.Nonce,
		Paymaster:       event.Paymaster,
		ActualGasCost:   event.ActualGasCost,
		ActualGasUsed:   event.ActualGasUsed,
		Success:         event.Success,
		Confirmed:       true,
		TransactionHash: log.TxHash,
		BlockHash:       log.BlockHash,
		BlockNumber:     log.BlockNumber,
	}, true
}

// inBlock returns the receipt of an operation as that block of the node's chain shows it, with its revert
// data; an error matching [ErrNotFound] where it does not show the operation.
func (s *Sender) inBlock(ctx context.Context, hash common.Hash, block uint64) (*Receipt, error) {
	topics := [][]common.Hash{{contracts.UserOperationEventTopic, contracts.UserOperationRevertReasonTopic}, {hash}}
	logs, err := s.cfg.Chain.FilterLogs(ctx, s.blocks(block, block, topics))
	if err != nil {
		return nil, err
	}
	var found *Receipt
	for i := range logs {
		if receipt, ok := s.included(&logs[i]); ok && receipt.UserOpHash == hash {
			found = receipt
		}
	}
	if found == nil {
		return nil, ErrNotFound
	}
	for i := range logs {
		log := &logs[i]
		if data, ok := found.revertDataOf(log); ok && log.TxHash == found.TransactionHash && !found.Success {
			found.RevertData = data
		}
		found.Logs = append(found.Logs, log)
	}
	return found, nil
}

// complete adds what the search for an operation left out: its revert data, and all logs from the one that
// ended the operation before it, or the validations, to its own.
func (s *Sender) complete(ctx context.Context, found *Receipt) (*Receipt, error) {
	receipt, err := s.inBlock(ctx, found.UserOpHash, found.BlockNumber)
	if err != nil {
		return nil, err
	}
	all := s.blocks(receipt.BlockNumber, receipt.BlockNumber, nil)
	all.Addresses = nil
	logs, err := s.cfg.Chain.FilterLogs(ctx, all)
	if err != nil {
		return nil, err
	}
	var own []*types.Log
	for i := range logs {
		log := &logs[i]
		if log.TxHash != receipt.TransactionHash {
			continue
		}
		own = append(own, log)
		if log.Address != s.cfg.EntryPoint || len(log.Topics) == 0 {
			continue
		}
		switch done, ok := s.included(log); {
		case ok && done.UserOpHash == receipt.UserOpHash:
			receipt.Logs = own
			return receipt, nil
		case ok, log.Topics[0] == contracts.BeforeExecutionTopic:
			own = nil
		}
	}
	return receipt, nil
}

// contradicts returns an error matching [ErrUnconfirmed] if a receipt of the bundler names something else
// than the operation does; op is nil where the hash alone is known. What bundlers leave out is zero.
func (s *Sender) contradicts(receipt *Receipt, hash common.Hash, op *Operation) error {
	wrong := func(what string, named, want any) error {
		return fmt.Errorf("%w: it names %s %v, the operation has %v", ErrUnconfirmed, what, named, want)
	}
	switch {
	case receipt.UserOpHash != hash:
		return fmt.Errorf("%w: it is the receipt of %s", ErrUnconfirmed, receipt.UserOpHash)
	case receipt.EntryPoint != (common.Address{}) && receipt.EntryPoint != s.cfg.EntryPoint:
		return wrong("EntryPoint", receipt.EntryPoint, s.cfg.EntryPoint)
	case op == nil:
		return nil
	case receipt.Sender != (common.Address{}) && receipt.Sender != op.Sender:
		return wrong("sender", receipt.Sender, op.Sender)
	case !receipt.Nonce.IsZero() && receipt.Nonce != op.Nonce:
		return wrong("nonce", receipt.Nonce.Hex(), op.Nonce.Hex())
	}
	var paymaster common.Address
	if len(op.PaymasterAndData) >= common.AddressLength {
		paymaster = common.BytesToAddress(op.PaymasterAndData[:common.AddressLength])
	}
	if receipt.Paymaster != (common.Address{}) && receipt.Paymaster != paymaster {
		return wrong("paymaster", receipt.Paymaster, paymaster)
	}
	return nil
}

// bearOut returns what the chain shows, with what the bundler knows beside it of the same transaction: its
// logs, and its words for a revert that has no data.
func (r *Receipt) bearOut(claim *Receipt) *Receipt {
	if len(claim.Logs) > 0 {
		r.Logs = claim.Logs
	}
	if !r.Success {
		r.Reason = claim.Reason
	}
	return r
}
