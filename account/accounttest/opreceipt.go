package accounttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/quantity"
)

// opReceipt is the answer of eth_getUserOperationReceipt, with the receipt of the bundle in it. The bundle's
// logs are left out there: with many operations in a bundle, each would carry the logs of all.
type opReceipt struct {
	UserOpHash    common.Hash       `json:"userOpHash"`
	EntryPoint    common.Address    `json:"entryPoint"`
	Sender        common.Address    `json:"sender"`
	Nonce         quantity.Quantity `json:"nonce"`
	Paymaster     common.Address    `json:"paymaster"`
	ActualGasCost quantity.Quantity `json:"actualGasCost"`
	ActualGasUsed quantity.Quantity `json:"actualGasUsed"`
	Success       bool              `json:"success"`
	Reason        string            `json:"reason,omitempty"`
	Logs          []*types.Log      `json:"logs"`
	Receipt       *types.Receipt    `json:"receipt"`
}

// receipt looks an operation up on the chain, whoever bundled it. It is nil while there is none, JSON null as
// the method has it, and until the mempool knows of a bundle's block: who has a receipt finds nothing in the
// way of what comes next.
func (b *Bundler) receipt(ctx context.Context, hash common.Hash) (*opReceipt, error) {
	b.chain.rewinding.RLock()
	defer b.chain.rewinding.RUnlock()
	if entry, ok := b.pool.get(hash); ok && entry.state == opSubmitted {
		return nil, nil
	}
	logs, err := b.chain.client.FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{b.entryPoint},
		Topics:    [][]common.Hash{{contracts.UserOperationEventTopic}, {hash}},
	})
	if err != nil || len(logs) == 0 {
		return nil, err
	}
	event, err := contracts.DecodeUserOperationEvent(&logs[0])
	if err != nil {
		return nil, err
	}
	bundle, err := b.bundleReceipt(ctx, logs[0].TxHash)
	if err != nil {
		return nil, fmt.Errorf("receipt of bundle %s: %w", logs[0].TxHash, err)
	}
	withoutLogs := *bundle
	withoutLogs.Logs = []*types.Log{}
	own := ownLogs(bundle.Logs, &logs[0])
	return &opReceipt{
		UserOpHash:    hash,
		EntryPoint:    b.entryPoint,
		Sender:        event.Sender,
		Nonce:         quantity.Quantity(event.Nonce),
		Paymaster:     event.Paymaster,
		ActualGasCost: quantity.Quantity(event.ActualGasCost),
		ActualGasUsed: quantity.Quantity(event.ActualGasUsed),
		Success:       event.Success,
		Reason:        revertReason(own, hash),
		Logs:          own,
		Receipt:       &withoutLogs,
	}, nil
}

// bundleReceipt reads a bundle's receipt once, however many operations are in it. A reorg
// forgets those that it undid.
func (b *Bundler) bundleReceipt(ctx context.Context, txHash common.Hash) (*types.Receipt, error) {
	if receipt, ok := b.receipts.Load(txHash); ok {
		return receipt.(*types.Receipt), nil
	}
	receipt, err := b.chain.client.TransactionReceipt(ctx, txHash)
	if err == nil {
		b.receipts.Store(txHash, receipt)
	}
	return receipt, err
}

// ownLogs returns the logs that the execution of one operation made: those since the execution before it, up
// to and including its own UserOperationEvent.
func ownLogs(bundle []*types.Log, event *types.Log) []*types.Log {
	end := slices.IndexFunc(bundle, func(l *types.Log) bool { return l.Index == event.Index }) + 1
	start := end - 1
	for start > 0 && !endsExecution(bundle[start-1], event.Address) {
		start--
	}
	return bundle[start:end]
}

func endsExecution(l *types.Log, entryPoint common.Address) bool {
	return l.Address == entryPoint && len(l.Topics) > 0 &&
		(l.Topics[0] == contracts.UserOperationEventTopic || l.Topics[0] == contracts.BeforeExecutionTopic)
}

// revertReason says why the account's call failed, in the contract's words.
func revertReason(logs []*types.Log, hash common.Hash) string {
	for _, l := range logs {
		if event, err := contracts.DecodeUserOperationRevertReason(l); err == nil && event.UserOpHash == hash {
			return contracts.DecodeRevert(event.RevertData).String()
		}
	}
	return ""
}
