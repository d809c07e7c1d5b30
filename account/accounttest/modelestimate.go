package accounttest

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// seal puts valid paymasterAndData into an operation whose limits and fees are final.
type seal func(*userop.Operation) error

// estimate finds limits for an operation as the estimator of a chain does. seal is nil where the operation
// has its paymasterAndData, or none. The lock is held.
func (m *Model) estimate(op *userop.Operation, overrides userop.StateOverride, seal seal) (userop.Gas, error) {
	balances, err := balancesOf(overrides)
	if err != nil {
		return userop.Gas{}, err
	}
	trial, err := modelTrial(op, seal)
	if err != nil {
		return userop.Gas{}, err
	}
	var extra uint256.Int
	if len(trial.PaymasterAndData) == 0 {
		extra.AddUint64(&trial.PreVerificationGas, maxCallGas+maxVerificationGas)
		extra.Mul(&extra, &trial.MaxFeePerGas)
	}
	used, err := m.at().Measure(trial, balances, &extra)
	switch {
	case err != nil:
		return userop.Gas{}, refusalOf(err)
	case used.Failed != nil:
		return userop.Gas{}, executionReverted(&node.Frame{Output: used.Failed.Data, Error: "execution reverted"})
	}
	return withMargins(usage{verification: used.Verification, call: used.Call}, trial.PreVerificationGas), nil
}

// modelTrial is what the estimator of a chain tries; see [estimator.trial].
func modelTrial(op *userop.Operation, seal seal) (*userop.Operation, error) {
	if seal == nil {
		seal = func(*userop.Operation) error { return nil }
	}
	trial := op.Clone()
	trial.CallGasLimit.SetUint64(maxCallGas)
	trial.VerificationGasLimit.SetUint64(maxVerificationGas)
	if err := seal(trial); err != nil {
		return nil, err
	}
	if len(trial.PaymasterAndData) > 0 || trial.MaxFeePerGas.IsZero() {
		trial.MaxFeePerGas.SetOne()
		trial.MaxPriorityFeePerGas.SetOne()
	}
	trial.PreVerificationGas.SetUint64(preVerificationGas(trial))
	return trial, seal(trial)
}

// balancesOf reads the overrides that the model knows.
func balancesOf(overrides userop.StateOverride) (map[common.Address]uint256.Int, error) {
	balances := make(map[common.Address]uint256.Int, len(overrides))
	for address, o := range overrides {
		if o.Nonce != nil || o.Code != nil || o.State != nil || o.StateDiff != nil {
			return nil, jsonrpctest.Invalid("the model overrides balances only: it has neither code nor storage")
		}
		if o.Balance != nil {
			balances[address] = uint256.Int(*o.Balance)
		}
	}
	return balances, nil
}
