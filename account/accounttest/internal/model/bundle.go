package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// Included is an operation that is on chain.
type Included struct {
	Op      *userop.Operation
	Hash    common.Hash
	Success bool
	// RevertData is what its call reverted with, nil for no data.
	RevertData []byte
	Cost, Gas  uint256.Int
	// failed is why its call reverted, and calls how many that took, whatever the paymaster made of it.
	failed *Reverted
	calls  int
	// Logs are those of its execution, its own event the last.
	Logs []*types.Log
}

// Bundle includes operations, all or none: the error is the EntryPoint's revert.
func (m *Machine) Bundle(ops []*userop.Operation, beneficiary common.Address) ([]*Included, error) {
	if m.bundling {
		return nil, reason("ReentrancyGuard: reentrant call")
	}
	m.bundling = true
	defer func() { m.bundling = false }()
	start := m.mark()
	included, err := m.bundle(ops, beneficiary)
	if err != nil {
		m.rollback(start)
	}
	return included, err
}

func (m *Machine) bundle(ops []*userop.Operation, beneficiary common.Address) ([]*Included, error) {
	prepaid := make([]*prepayment, len(ops))
	for i, op := range ops {
		p, err := m.prepay(i, op)
		if err == nil {
			err = m.judge(i, p)
		}
		if err != nil {
			return nil, err
		}
		prepaid[i] = p
	}
	m.log(m.Addresses.EntryPoint, []common.Hash{contracts.BeforeExecutionTopic}, nil)
	included := make([]*Included, len(ops))
	var collected uint256.Int
	for i, p := range prepaid {
		var err error
		if included[i], err = m.execute(i, p); err != nil {
			return nil, err
		}
		collected.Add(&collected, &included[i].Cost)
	}
	m.subtract(balanceOf(m.Addresses.EntryPoint), &collected)
	m.add(balanceOf(beneficiary), &collected)
	return included, nil
}

// Nominal gas: what a call takes, whatever it does, and what validating takes beside its calls.
const (
	callGas         = 30_000
	verificationGas = 40_000
)

// execute makes the operation's call, has the paymaster hear of it, and settles what it cost.
func (m *Machine) execute(index int, p *prepayment) (*Included, error) {
	result := &Included{Op: p.op, Hash: p.hash, Success: true}
	start, before := m.mark(), m.calls
	if len(p.op.CallData) > 0 {
		if _, err := m.Call(m.Addresses.EntryPoint, p.op.Sender, new(uint256.Int), p.op.CallData); err != nil {
			result.Success, result.RevertData = false, cut(revertData(err))
			result.failed = &Reverted{result.RevertData}
			m.logRevert(p, result.RevertData)
		}
	}
	result.calls = m.calls - before
	m.price(result, p, result.calls)
	if p.post != nil {
		if err := p.post(&result.Cost, false); err != nil {
			m.rollback(start) // the calls are undone, and the paymaster asked once more
			result.Success, result.RevertData = false, nil
			if err := p.post(&result.Cost, true); err != nil {
				return nil, postFailed(index, err)
			}
		}
	}
	refund := new(uint256.Int).Sub(&p.prefund, &result.Cost)
	m.add(m.depositAt(p.payer), refund)
	m.log(m.Addresses.EntryPoint, []common.Hash{contracts.UserOperationEventTopic, p.hash, word(p.op.Sender), word(p.paymaster)},
		flat([]common.Hash{p.op.Nonce.Bytes32(), flagWord(result.Success), result.Cost.Bytes32(), result.Gas.Bytes32()}))
	result.Logs = m.logs[start.logs:len(m.logs):len(m.logs)]
	return result, nil
}

// cut is what the EntryPoint keeps of revert data.
func cut(data []byte) []byte {
	const most = 2048
	return data[:min(len(data), most)]
}

func (m *Machine) logRevert(p *prepayment, data []byte) {
	if len(data) == 0 {
		return
	}
	args := flat([]common.Hash{p.op.Nonce.Bytes32(), uintWord(2 * abi.WordSize)})
	m.log(m.Addresses.EntryPoint, []common.Hash{contracts.UserOperationRevertReasonTopic, p.hash, word(p.op.Sender)}, abiword.AppendBytes(args, data))
}

// price sets what the operation costs: nominal gas, no more than its limits have.
func (m *Machine) price(result *Included, p *prepayment, calls int) {
	verification, call := uint256.NewInt(p.gas), uint256.NewInt(callGas*uint64(calls))
	result.Gas.Set(&p.op.PreVerificationGas)
	result.Gas.Add(&result.Gas, least(verification, &p.op.VerificationGasLimit))
	result.Gas.Add(&result.Gas, least(call, &p.op.CallGasLimit))
	fee := new(uint256.Int).AddUint64(&p.op.MaxPriorityFeePerGas, m.BaseFee)
	result.Cost.Mul(&result.Gas, least(fee, &p.op.MaxFeePerGas))
}

func least(a, b *uint256.Int) *uint256.Int {
	if a.Lt(b) {
		return a
	}
	return b
}

// postFailed is the EntryPoint's refusal where the paymaster cannot be paid even with the calls undone.
func postFailed(index int, err error) error {
	if text, ok := revertText(err); ok {
		return failedOp(index, "AA50 postOp reverted: %s", text)
	}
	return failedOp(index, "AA50 postOp revert")
}
