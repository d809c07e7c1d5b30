package userop

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/contracts"
)

// evidence is what a sender reads of its chain, asked in the way of who asks.
type evidence struct {
	*Sender
	chain Chain
}

// evidence asks the chain as it is.
func (s *Sender) evidence() evidence { return evidence{s, s.cfg.Chain} }

// fate tells what the chain shows of an operation: its receipt where it was included, an [*EndedError] where
// it never will be, and an error matching [ErrNotFound] while its nonce is unused and it may still land. Any
// other error leaves it open. A receipt is what the newest block shows; that the operation never will be
// included has so many confirmations.
func (s evidence) fate(ctx context.Context, op *Operation, hash common.Hash, confirmations uint64) (*Receipt, error) {
	state, err := s.chain.NonceState(ctx, op, nil)
	if err != nil {
		return nil, err
	}
	ended := &EndedError{Hash: hash, Sender: op.Sender, Nonce: op.Nonce}
	if !state.Used {
		if s.cfg.Until != nil {
			ended.Until = s.cfg.Until(op)
		}
		over := func() bool { return !state.Used && ended.Until != 0 && ended.Until < state.BlockTime }
		if over() && confirmations > 1 {
			if state, err = s.confirmedState(ctx, op, confirmations); err != nil {
				return nil, err
			}
		}
		if over() {
			ended.BlockTime = state.BlockTime
			return nil, ended
		}
		return nil, fmt.Errorf("%w on chain: its nonce %s is unused", ErrNotFound, op.Nonce.Hex())
	}
	bySender := [][]common.Hash{{contracts.UserOperationEventTopic}, nil, {common.BytesToHash(op.Sender[:])}}
	used, head, err := s.search(ctx, bySender, 0, func(r *Receipt) bool { return r.Nonce == op.Nonce })
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, fmt.Errorf("nonce %s of %s is used, and the blocks that were searched do not show by which operation", op.Nonce.Hex(), op.Sender)
	case err != nil:
		return nil, err
	case used.UserOpHash != hash && missing(confirmations, used.BlockNumber, head) > 0:
		return nil, fmt.Errorf("nonce %s of %s is used by operation %s in block %d, which has not %d confirmations yet", op.Nonce.Hex(), op.Sender, used.UserOpHash, used.BlockNumber, confirmations)
	case used.UserOpHash != hash:
		ended.By, ended.Transaction = used.UserOpHash, used.TransactionHash
		return nil, ended
	}
	return used, nil
}

// confirmedState is what the newest block with so many confirmations says of the nonce.
func (s evidence) confirmedState(ctx context.Context, op *Operation, confirmations uint64) (NonceState, error) {
	block, err := s.confirmedBlock(ctx, confirmations)
	if err != nil {
		return NonceState{}, err
	}
	return s.chain.NonceState(ctx, op, block)
}

// How far back the chain is searched for what it logged of an operation: so many blocks in a request, so many
// requests. Nodes bound the first; one that refuses is asked for fewer.
const (
	maxPortion  = 1000
	maxPortions = 10
)

// search looks for the newest operation that fits, from the newest block back to floor or as far as it goes;
// an error matching [ErrNotFound] says that there is none. What is found is without its logs and revert data.
// The number of the newest block is as before the search.
func (s evidence) search(ctx context.Context, topics [][]common.Hash, floor uint64, fits func(*Receipt) bool) (found *Receipt, head uint64, err error) {
	if head, err = s.chain.BlockNumber(ctx); err != nil {
		return nil, 0, err
	}
	to := head
	portion := uint64(maxPortion)
	for range maxPortions {
		from := max(to-min(to, portion-1), floor)
		query := s.blocks(from, to, topics)
		logs, failed := s.chain.FilterLogs(ctx, query)
		switch err = failed; {
		case err != nil && (portion == 1 || ctx.Err() != nil):
			return nil, head, err
		case err != nil:
			portion = max(portion/8, 1)
			continue
		}
		logs = answering(query, logs)
		for i := len(logs) - 1; i >= 0; i-- {
			if receipt, ok := s.included(&logs[i]); ok && fits(receipt) {
				return receipt, head, nil
			}
		}
		if from <= floor {
			break
		}
		to = from - 1
	}
	if err != nil {
		return nil, head, err
	}
	return nil, head, ErrNotFound
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
	if log.Address != s.cfg.EntryPoint {
		return nil, false
	}
	event, err := contracts.DecodeUserOperationEvent(log)
	if err != nil {
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

// answering keeps the logs that the query asked for, in the order of the chain: what stands between us and
// the node may leave parts of a query out, and a log that was not asked for must not pass for another
// operation with the nonce. Logs that answer it as they are are not copied: many waits read a block's.
func answering(query ethereum.FilterQuery, logs []types.Log) []types.Log {
	fit := true
	for i := range logs {
		fit = fit && answers(query, &logs[i]) && (i == 0 || byPlace(&logs[i-1], &logs[i]) <= 0)
	}
	if fit {
		return logs
	}
	logs = slices.DeleteFunc(slices.Clone(logs), func(log types.Log) bool { return !answers(query, &log) })
	slices.SortStableFunc(logs, func(a, b types.Log) int { return byPlace(&a, &b) })
	return logs
}

func answers(query ethereum.FilterQuery, log *types.Log) bool {
	if log.Removed || log.BlockNumber < query.FromBlock.Uint64() || log.BlockNumber > query.ToBlock.Uint64() ||
		len(query.Addresses) > 0 && !slices.Contains(query.Addresses, log.Address) || len(log.Topics) < len(query.Topics) {
		return false
	}
	for i, any := range query.Topics {
		if len(any) > 0 && !slices.Contains(any, log.Topics[i]) {
			return false
		}
	}
	return true
}

func byPlace(a, b *types.Log) int {
	return cmp.Or(cmp.Compare(a.BlockNumber, b.BlockNumber), cmp.Compare(a.Index, b.Index))
}

// inBlock returns the receipt of an operation as a block of the node's chain shows it, with its revert data
// and those of its own logs that the query asks for: from the log that ended the operation before it, or the
// validations, to its own. An error matching [ErrNotFound] says that the block does not show the operation.
func (s evidence) inBlock(ctx context.Context, hash common.Hash, query ethereum.FilterQuery) (*Receipt, error) {
	logs, err := s.chain.FilterLogs(ctx, query)
	if err != nil {
		return nil, err
	}
	logs = answering(query, logs)
	var found *Receipt
	var last int
	for i := range logs {
		if log := &logs[i]; len(log.Topics) < 2 || log.Topics[1] != hash {
			continue // of a block with many operations, they are not all decoded for each
		}
		receipt, ok := s.included(&logs[i])
		if !ok || found != nil && receipt.TransactionHash == found.TransactionHash { // an answer may have it twice
			continue
		}
		found, last = receipt, i
	}
	if found == nil {
		return nil, ErrNotFound
	}
	for i := last; i >= 0; i-- {
		log := logs[i] // a copy, which does not keep those of a whole block in memory
		if log.TxHash != found.TransactionHash {
			continue // some nodes count the logs of each transaction anew
		}
		if i < last && s.endsBefore(&log) {
			break
		}
		found.Logs = append(found.Logs, &log)
		if data, ok := found.revertDataOf(&log); ok && !found.Success {
			found.RevertData = data
		}
	}
	slices.Reverse(found.Logs)
	return found, nil
}

// endsBefore reports whether the logs of the next operation begin after this one: that of the operation
// before it, or of the validations.
func (s *Sender) endsBefore(log *types.Log) bool {
	if _, ok := s.included(log); ok {
		return true
	}
	return log.Address == s.cfg.EntryPoint && len(log.Topics) > 0 && log.Topics[0] == contracts.BeforeExecutionTopic
}

// wholeBlock is a question for all logs of a block.
func (s *Sender) wholeBlock(number uint64) ethereum.FilterQuery {
	query := s.blocks(number, number, nil)
	query.Addresses = nil
	return query
}

// mostNamed is how many contracts whose logs a bundler names are asked about.
const mostNamed = 64

// bearingOut is the question for what bears a bundler's receipt out: the EntryPoint's logs about the
// operation, and the logs of the contracts that the receipt has logs of. What it says of logs is its word.
// Why an operation failed is told by logs that it may not name.
func (s *Sender) bearingOut(claim *Receipt) ethereum.FilterQuery {
	if !claim.Success {
		return s.wholeBlock(claim.BlockNumber)
	}
	about := [][]common.Hash{{contracts.UserOperationEventTopic, contracts.UserOperationRevertReasonTopic}, {claim.UserOpHash}}
	query := s.blocks(claim.BlockNumber, claim.BlockNumber, about)
	for _, log := range claim.Logs {
		if !slices.Contains(query.Addresses, log.Address) && len(query.Addresses) < mostNamed {
			query.Addresses, query.Topics = append(query.Addresses, log.Address), nil
		}
	}
	return query
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
	case (receipt.nonceZero || !receipt.Nonce.IsZero()) && receipt.Nonce != op.Nonce:
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
