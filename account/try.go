package account

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// callAccount has the EntryPoint call the account, after its deployment where that is part of the operation.
func (s *simulation) callAccount(ctx context.Context, data []byte, gas *uint256.Int) (*SimulationError, error) {
	if len(s.op.InitCode) == 0 {
		return s.try(ctx, s.client.contracts.EntryPoint, s.op.Sender, data, gas)
	}
	failure, err := s.try(ctx, common.Address{}, s.client.contracts.EntryPoint, contracts.SimulateHandleOp(s.deployment(), s.op.Sender, data), nil)
	switch {
	case err != nil:
		return nil, err
	case failure == nil || failure.Revert.Name != "ExecutionResult":
		return nil, fmt.Errorf("%w: simulateHandleOp of EntryPoint %s", ErrBadAnswer, s.client.contracts.EntryPoint)
	case failure.Revert.Inner == nil:
		return nil, nil
	}
	return &SimulationError{Operation: s.op, Revert: *failure.Revert.Inner}, nil
}

// deployment is an operation that deploys the account and calls nothing. Its signature is a dummy, which
// the EntryPoint puts up with in a simulation; for nobody else's fees to depend on that, it has none where a
// paymaster pays.
func (s *simulation) deployment() contracts.UserOperation {
	op := *s.op
	op.CallData = nil
	if len(op.PaymasterAndData) > 0 {
		op.PaymasterAndData = nil
		op.MaxFeePerGas.Clear()
		op.MaxPriorityFeePerGas.Clear()
	}
	op.Signature = contracts.WrapSignature(dummyOwnerSignature, contracts.SignatureModule(op.Signature))
	return contracts.UserOperation(op)
}

// try makes a call with so much gas to run on; nil is all that the node grants. The failure is nil if the call
// succeeds; err is the node's or the network's.
func (s *simulation) try(ctx context.Context, from, to common.Address, data []byte, gas *uint256.Int) (failure *SimulationError, err error) {
	call := ethereum.CallMsg{From: from, To: &to, Data: data}
	if gas != nil {
		call.Gas = callGas(gas, data)
	}
	_, err = s.client.chain.CallContract(ctx, call, nil)
	if err == nil {
		return nil, nil
	}
	revert, reverted := revertOf(err)
	if !reverted && !strings.Contains(err.Error(), "out of gas") {
		return nil, fmt.Errorf("simulate user operation of %s: %w", s.op.Sender, withoutURL(err))
	}
	failure = &SimulationError{Operation: s.op, Revert: revert}
	if gas != nil && len(revert.Data) == 0 {
		// Out of gas in a call within the call, the account's proxy says nothing. So does a bare revert.
		if unlimited, err := s.try(ctx, from, to, data, nil); err == nil && unlimited == nil {
			failure.Err = fmt.Errorf("out of gas: a limit of %s is too low", gas.Dec())
		}
	}
	return failure, nil
}

// callGas is the gas limit of a call from outside that is to run on gas: it pays for being a transaction
// first, which a call of the EntryPoint does not. A limit of very little is what EIP-7623 asks for the data.
func callGas(gas *uint256.Int, data []byte) uint64 {
	limit := uint64(1 << 40)
	if gas.LtUint64(limit) {
		limit = gas.Uint64()
	}
	tokens := uint64(4*len(data) - 3*bytes.Count(data, []byte{0}))
	return params.TxGas + max(limit+tokens*params.TxDataZeroGas, tokens*params.TxCostFloorPerToken)
}
