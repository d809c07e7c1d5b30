package accounttest

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// accept validates an operation and puts it into the mempool.
func (b *Bundler) accept(ctx context.Context, op *userop.Operation, entryPoint common.Address, execute bool) (common.Hash, error) {
	if err := b.checkEntryPoint(entryPoint); err != nil {
		return common.Hash{}, err
	}
	defer b.pool.arrive()()
	hash := op.Hash(b.entryPoint, b.chain.ChainID())
	if err := b.pool.checkNew(hash, op); err != nil {
		return common.Hash{}, err
	}
	if err := b.checkFields(ctx, op); err != nil {
		return common.Hash{}, err
	}
	if err := b.validate(ctx, op); err != nil {
		return common.Hash{}, err
	}
	if execute {
		if err := b.execute(ctx, op); err != nil {
			return common.Hash{}, err
		}
	}
	return hash, b.pool.add(hash, op)
}

func (b *Bundler) checkEntryPoint(entryPoint common.Address) error {
	if entryPoint != b.entryPoint {
		return jsonrpctest.Invalid("EntryPoint %s is not supported, only %s is", entryPoint, b.entryPoint)
	}
	return nil
}

// checkFields checks what the EntryPoint does not: that the bundler gets its pay.
func (b *Bundler) checkFields(ctx context.Context, op *userop.Operation) error {
	head, err := b.chain.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return err
	}
	return checkPay(op, uint256.MustFromBig(head.BaseFee))
}

// checkPay returns an error for an operation whose limits and fees a bundler would not take.
func checkPay(op *userop.Operation, baseFee *uint256.Int) error {
	leastPre := uint256.NewInt(preVerificationGas(op) * 9 / 10)
	switch {
	case op.MaxPriorityFeePerGas.Gt(&op.MaxFeePerGas):
		return jsonrpctest.Invalid("maxPriorityFeePerGas %s is above maxFeePerGas %s", op.MaxPriorityFeePerGas.Dec(), op.MaxFeePerGas.Dec())
	case op.MaxFeePerGas.Lt(baseFee):
		return jsonrpctest.Invalid("maxFeePerGas is too low: it has to be at least %s, it is %s", baseFee.Dec(), op.MaxFeePerGas.Dec())
	case op.PreVerificationGas.Lt(leastPre):
		return jsonrpctest.Invalid("preVerificationGas is too low: it has to be at least %s, it is %s", leastPre.Dec(), op.PreVerificationGas.Dec())
	case !op.VerificationGasLimit.LtUint64(maxVerificationGas + 1):
		return jsonrpctest.Invalid("verificationGasLimit is too high: it may be %d at most, it is %s", maxVerificationGas, op.VerificationGasLimit.Dec())
	case !op.CallGasLimit.LtUint64(maxCallGas + 1):
		return jsonrpctest.Invalid("callGasLimit is too high: it may be %d at most, it is %s", maxCallGas, op.CallGasLimit.Dec())
	case !op.PreVerificationGas.LtUint64(maxCallGas):
		return jsonrpctest.Invalid("preVerificationGas is too high: %s", op.PreVerificationGas.Dec())
	}
	return nil
}

// execute tries the operation's call with its own limits.
func (b *Bundler) execute(ctx context.Context, op *userop.Operation) error {
	used, err := (&estimator{simulator: b.simulator}).measure(ctx, op, nil)
	if err == nil && used.failed != nil {
		return executionReverted(used.failed)
	}
	return err
}
