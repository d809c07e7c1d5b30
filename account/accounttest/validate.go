package accounttest

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// maxSimulationGas is the gas of a call that simulates one operation.
const maxSimulationGas = node.BlockGasLimit

// validate runs the operation's validation as the EntryPoint would. The error is a *jsonrpctest.Error where
// the operation is at fault.
func (s *simulator) validate(ctx context.Context, op *userop.Operation) error {
	data, reverted, err := s.call(ctx, contracts.SimulateValidation(contracts.UserOperation(*op)), maxSimulationGas)
	if err != nil {
		return err
	}
	revert := contracts.DecodeRevert(data)
	switch {
	case !reverted:
		return errors.New("simulateValidation did not revert: is there an EntryPoint v0.6 at the address?")
	case revert.Name == "ValidationResultWithAggregation":
		return &jsonrpctest.Error{Code: codeAggregator, Message: "signature aggregators are not supported"}
	case revert.Name != "ValidationResult":
		return refusal(revert)
	}
	ok, err := s.validNow(ctx, revert.Args[0].(abi.Tuple))
	if err != nil || ok {
		return err
	}
	return s.refusedByHandleOps(ctx, op)
}

// validNow reports whether a validation that went through also says yes, at the time of the next block.
func (s *simulator) validNow(ctx context.Context, result abi.Tuple) (bool, error) {
	next, err := s.chain.NextTime(ctx)
	if err != nil {
		return false, err
	}
	failed, _ := result.Get("sigFailed")
	after, _ := result.Get("validAfter")
	until, _ := result.Get("validUntil")
	now := big.NewInt(next.Unix())
	return failed == false && now.Cmp(after.(*big.Int)) >= 0 && now.Cmp(until.(*big.Int)) <= 0, nil
}

// refusedByHandleOps asks for the reason: simulateValidation does not tell whether the account or the
// paymaster said no, handleOps does.
func (s *simulator) refusedByHandleOps(ctx context.Context, op *userop.Operation) error {
	revert, err := s.handleOps(ctx, []*userop.Operation{op}, maxSimulationGas)
	switch {
	case err != nil:
		return err
	case revert == nil:
		return &jsonrpctest.Error{Code: codeTimeRange, Message: "the operation is valid for this moment only"}
	}
	return refusal(*revert)
}

// handleOps tries a bundle. The revert is nil when it would be included.
func (s *simulator) handleOps(ctx context.Context, ops []*userop.Operation, gas uint64) (*abi.Revert, error) {
	data, reverted, err := s.call(ctx, packBundle(ops, common.Address{19: 1}), gas)
	if err != nil || !reverted {
		return nil, err
	}
	revert := contracts.DecodeRevert(data)
	return &revert, nil
}

// packBundle returns the calldata of handleOps.
func packBundle(ops []*userop.Operation, beneficiary common.Address) []byte {
	list := make([]contracts.UserOperation, len(ops))
	for i, op := range ops {
		list[i] = contracts.UserOperation(*op)
	}
	return contracts.HandleOps(list, beneficiary)
}

// refusal is the bundler's error for an operation that the EntryPoint refused.
func refusal(revert abi.Revert) *jsonrpctest.Error {
	text := revert.Reason()
	aa, ok := userop.ParseAA(text)
	if !ok {
		return withData(&jsonrpctest.Error{Code: codeRejected, Message: fmt.Sprintf("validation reverted: %s", revert)}, revert.Data)
	}
	return withData(&jsonrpctest.Error{Code: refusalCode(aa.Code), Message: text}, revert.Data)
}

func refusalCode(aa string) int {
	switch aa {
	case "AA22", "AA32":
		return codeTimeRange
	case "AA24", "AA34":
		return codeSignature
	}
	if aa[2] == '3' {
		return codePaymaster
	}
	return codeRejected
}
