package accounttest

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/userop"
)

// maxIntervals is how many bundle intervals a bundle waits for operations that are being validated.
const maxIntervals = 20

// run sends bundles until ctx ends.
func (b *Bundler) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.pool.wake:
		}
		b.gather(ctx)
		for ctx.Err() == nil {
			entries := b.pool.take()
			if len(entries) == 0 {
				break
			}
			b.bundle(ctx, entries)
		}
	}
}

// gather gives operations that come at the same time the chance to share a bundle.
func (b *Bundler) gather(ctx context.Context) {
	ticker := time.NewTicker(b.interval)
	defer ticker.Stop()
	for range maxIntervals {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !b.pool.hasArriving() {
			return
		}
	}
}

// bundle sends the operations in one transaction, without those that would fail in it.
func (b *Bundler) bundle(ctx context.Context, entries []*pooledOp) {
	b.chain.rewinding.RLock()
	defer b.chain.rewinding.RUnlock()
	entries, err := b.sieve(ctx, entries)
	if err == nil && len(entries) > 0 {
		err = b.submit(ctx, entries)
	}
	if err != nil {
		b.logger.WarnContext(ctx, "bundle failed", "operations", len(entries), "error", err)
		for _, entry := range entries {
			b.pool.drop(entry, err.Error())
		}
	}
}

// sieve drops every operation that makes the bundle fail, until the bundle succeeds.
func (b *Bundler) sieve(ctx context.Context, entries []*pooledOp) ([]*pooledOp, error) {
	for len(entries) > 0 {
		revert, err := b.handleOps(ctx, operations(entries), totalGas(entries))
		if err != nil || revert == nil {
			return entries, err
		}
		if revert.Name != "FailedOp" {
			return entries, fmt.Errorf("handleOps reverted: %w", *revert)
		}
		at := int(revert.Args[0].(*big.Int).Int64())
		if at < 0 || at >= len(entries) {
			return entries, fmt.Errorf("handleOps blames operation %d of %d: %w", at, len(entries), *revert)
		}
		b.pool.drop(entries[at], revert.Reason())
		entries = append(entries[:at:at], entries[at+1:]...)
	}
	return nil, nil
}

// submit sends the bundle and waits for its block.
func (b *Bundler) submit(ctx context.Context, entries []*pooledOp) error {
	executor := crypto.PubkeyToAddress(b.executor.PublicKey)
	data := packBundle(operations(entries), executor)
	receipt, err := b.chain.transact(ctx, b.executor, b.entryPoint, nil, data, totalGas(entries))
	if err != nil {
		return err
	}
	if receipt.Status != types.ReceiptStatusSuccessful {
		return fmt.Errorf("bundle %s reverted", receipt.TxHash)
	}
	b.pool.include(entries, receipt.TxHash)
	return nil
}

func operations(entries []*pooledOp) []*userop.Operation {
	ops := make([]*userop.Operation, len(entries))
	for i, entry := range entries {
		ops[i] = entry.op
	}
	return ops
}

// totalGas is enough for the bundle, whatever its operations do.
func totalGas(entries []*pooledOp) uint64 {
	var gas uint64 = 1_000_000
	for _, entry := range entries {
		gas += bundleGas(entry.op)
	}
	return min(gas, node.BlockGasLimit)
}
