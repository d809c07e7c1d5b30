package model

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/userop"
)

// Usage is the gas that an operation takes.
type Usage struct {
	Verification, Call uint64
	// Failed is why its call reverts, nil if it does not. That the paymaster cannot take its pay, for which
	// the EntryPoint undoes the call, is no failure of it.
	Failed *Reverted
	paid   uint256.Int
}

// measure executes an operation whose signatures need not be right. The error is the EntryPoint's revert.
func (m *Machine) measure(op *userop.Operation) (Usage, error) {
	if err := m.simulationChecks(op); err != nil {
		return Usage{}, err
	}
	p, err := m.prepay(0, op)
	if err != nil {
		return Usage{}, err
	}
	included, err := m.execute(0, p)
	if err != nil {
		return Usage{}, err
	}
	return Usage{Verification: p.gas, Call: callGas * uint64(included.calls), Failed: included.failed, paid: included.Cost}, nil
}

// simulationChecks are those that the EntryPoint makes in simulations only.
func (m *Machine) simulationChecks(op *userop.Operation) error {
	if len(op.InitCode) == 0 && !m.HasCode(op.Sender) {
		return failedOp(0, "AA20 account not deployed")
	}
	if len(op.PaymasterAndData) >= common.AddressLength && !m.HasCode(common.BytesToAddress(op.PaymasterAndData[:common.AddressLength])) {
		return failedOp(0, "AA30 paymaster not deployed")
	}
	return nil
}

// Measure is what an operation takes, with so much more in its account; its signatures need not be right.
func (m *Machine) Measure(op *userop.Operation, balances map[common.Address]uint256.Int, extra *uint256.Int) (Usage, error) {
	start := m.mark()
	defer m.rollback(start)
	for account, balance := range balances {
		m.setNumber(balanceOf(account), &balance)
	}
	m.add(balanceOf(op.Sender), extra)
	return m.measure(op)
}

// Validate reports whether the EntryPoint would take the operation now, as its revert.
func (m *Machine) Validate(op *userop.Operation) error {
	start := m.mark()
	defer m.rollback(start)
	if err := m.simulationChecks(op); err != nil {
		return err
	}
	p, err := m.prepay(0, op)
	if err != nil {
		return err
	}
	return m.judge(0, p)
}

// executionResult is how simulateHandleOp answers.
func executionResult(used Usage, success bool, result []byte) error {
	data := pack("ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)",
		uintWord(used.Verification), used.paid.Bytes32(), common.Hash{}, uintWord(math.MaxUint32), flagWord(success), uintWord(6*abi.WordSize))
	return &Reverted{abiword.AppendBytes(data, result)}
}
