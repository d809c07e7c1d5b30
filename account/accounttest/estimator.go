package accounttest

import (
	"bytes"
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// Limits of one operation. Together, with the verification gas counted three times, they fit into a block.
const (
	maxCallGas         = 20_000_000
	maxVerificationGas = 10_000_000
)

// Margins over what was measured, in percent and in gas: a call needs more than it uses, because it can pass
// on 63/64 of its gas only, and because storage may be colder and zeros fewer in the real thing.
const (
	marginPercent      = 15
	callMargin         = 8_000
	verificationMargin = 15_000
	maxEstimateTries   = 4
)

// estimator finds the gas limits that an operation needs.
type estimator struct {
	simulator
	// seal, when set, puts valid paymasterAndData into an operation whose limits and fees are final.
	seal func(context.Context, *userop.Operation) error
}

// usage is what one simulated operation used.
type usage struct {
	verification uint64
	call         uint64
	failed       *node.Frame // the account's call, when it reverted
}

// estimate measures op with generous limits and then checks that it succeeds with the ones it returns. op
// carries a dummy signature; its own limits do not matter. The error is a *jsonrpctest.Error where the
// operation is at fault.
func (e *estimator) estimate(ctx context.Context, op *userop.Operation, overrides userop.StateOverride) (userop.Gas, error) {
	trial, err := e.trial(ctx, op)
	if err != nil {
		return userop.Gas{}, err
	}
	used, err := e.measure(ctx, trial, overrides)
	if err != nil {
		return userop.Gas{}, err
	}
	if used.failed != nil {
		return userop.Gas{}, executionReverted(used.failed)
	}
	for range maxEstimateTries {
		gas := withMargins(used, trial.PreVerificationGas)
		ok, err := e.suffices(ctx, trial, gas, overrides)
		if err != nil || ok {
			return gas, err
		}
		// With the highest limits it may fail by now as well, as one whose nonce was used meanwhile.
		switch again, err := e.measure(ctx, trial, overrides); {
		case err != nil:
			return userop.Gas{}, err
		case again.failed != nil:
			return userop.Gas{}, executionReverted(again.failed)
		}
		used.call, used.verification = 2*used.call, 2*used.verification
	}
	return userop.Gas{}, &jsonrpctest.Error{Code: codeReverted, Message: "no gas limits found that the operation succeeds with"}
}

// trial returns op with the highest limits, and with fees that leave the flow of money as it will be.
func (e *estimator) trial(ctx context.Context, op *userop.Operation) (*userop.Operation, error) {
	trial := op.Clone()
	trial.CallGasLimit.SetUint64(maxCallGas)
	trial.VerificationGasLimit.SetUint64(maxVerificationGas)
	if sponsored := len(trial.PaymasterAndData) > 0 || e.seal != nil; sponsored || trial.MaxFeePerGas.IsZero() {
		trial.MaxFeePerGas.SetOne() // next to nothing, so that the payer's balance does not matter
		trial.MaxPriorityFeePerGas.SetOne()
	}
	if err := e.sealed(ctx, trial); err != nil { // preVerificationGas counts its bytes
		return nil, err
	}
	trial.PreVerificationGas.SetUint64(preVerificationGas(trial))
	return trial, e.sealed(ctx, trial)
}

func (e *estimator) sealed(ctx context.Context, op *userop.Operation) error {
	if e.seal == nil {
		return nil
	}
	return e.seal(ctx, op)
}

// suffices reports whether the operation succeeds with these limits.
func (e *estimator) suffices(ctx context.Context, trial *userop.Operation, gas userop.Gas, overrides userop.StateOverride) (bool, error) {
	final := trial.Clone()
	final.CallGasLimit, final.VerificationGasLimit = gas.CallGasLimit, gas.VerificationGasLimit
	if err := e.sealed(ctx, final); err != nil {
		return false, err
	}
	used, err := e.measure(ctx, final, overrides)
	if _, refused := err.(*jsonrpctest.Error); refused {
		return false, nil
	}
	return err == nil && used.failed == nil, err
}

// measure simulates the operation, dummy signature included.
func (e *estimator) measure(ctx context.Context, op *userop.Operation, overrides userop.StateOverride) (usage, error) {
	overrides, err := e.withPrefund(ctx, op, overrides)
	if err != nil {
		return usage{}, err
	}
	call := contracts.SimulateHandleOp(contracts.UserOperation(*op), common.Address{}, nil)
	top, err := e.trace(ctx, call, maxSimulationGas, overrides)
	if err != nil {
		return usage{}, err
	}
	revert := contracts.DecodeRevert(top.Output)
	if revert.Name != "ExecutionResult" {
		return usage{}, refusal(revert)
	}
	preOpGas := revert.Args[0].(*big.Int).Uint64()
	return e.readUsage(&top, op, preOpGas-op.PreVerificationGas.Uint64()), nil
}

// withPrefund adds to the account's balance what the EntryPoint takes from it before the operation, so that
// an account without funds can be estimated, and the call still sees the balance that is there.
func (e *estimator) withPrefund(ctx context.Context, op *userop.Operation, overrides userop.StateOverride) (userop.StateOverride, error) {
	if len(op.PaymasterAndData) > 0 {
		return overrides, nil
	}
	account := overrides[op.Sender]
	if account.Balance == nil {
		balance, err := e.chain.client.BalanceAt(ctx, op.Sender, nil)
		if err != nil {
			return nil, fmt.Errorf("balance of %s: %w", op.Sender, err)
		}
		account.Balance = (*hexutil.U256)(uint256.MustFromBig(balance))
	}
	var funded uint256.Int
	funded.AddUint64(&op.PreVerificationGas, maxCallGas+maxVerificationGas)
	funded.Mul(&funded, &op.MaxFeePerGas)
	funded.Add(&funded, (*uint256.Int)(account.Balance))
	account.Balance = (*hexutil.U256)(&funded)

	merged := userop.StateOverride{op.Sender: account}
	for address, override := range overrides {
		if address != op.Sender {
			merged[address] = override
		}
	}
	return merged, nil
}

// readUsage finds the account's call, and the paymaster's after it, in the trace of simulateHandleOp.
func (e *estimator) readUsage(top *node.Frame, op *userop.Operation, validation uint64) usage {
	used := usage{verification: validation}
	for i := range top.Calls {
		inner := &top.Calls[i]
		if inner.To != e.entryPoint {
			continue // validation; innerHandleOp is a call of the EntryPoint to itself
		}
		for j := range inner.Calls {
			call := &inner.Calls[j]
			if call.To != op.Sender || !bytes.Equal(call.Input, op.CallData) {
				used.verification = max(used.verification, uint64(call.GasUsed)) // postOp has the same limit
				continue
			}
			used.call = uint64(call.GasUsed)
			if call.Error != "" {
				used.failed = call
			}
		}
	}
	return used
}

func withMargins(used usage, preVerification uint256.Int) userop.Gas {
	gas := userop.Gas{PreVerificationGas: preVerification}
	gas.CallGasLimit.SetUint64(min(maxCallGas, used.call*(100+marginPercent)/100+callMargin))
	gas.VerificationGasLimit.SetUint64(min(maxVerificationGas, used.verification*(100+marginPercent)/100+verificationMargin))
	return gas
}

// executionReverted is the bundler's error for an operation whose call fails.
func executionReverted(call *node.Frame) *jsonrpctest.Error {
	reason := call.Error
	if len(call.Output) > 0 {
		reason = "execution reverted: " + contracts.DecodeRevert(call.Output).String()
	}
	return withData(&jsonrpctest.Error{Code: codeReverted, Message: reason}, call.Output)
}
