package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// prepayment is an operation that validated, before it is executed.
type prepayment struct {
	op        *userop.Operation
	hash      common.Hash
	payer     common.Address // who gets back what is left: the account or the paymaster
	paymaster common.Address // zero where the account pays
	prefund   uint256.Int
	gas       uint64 // of the validation
	account   validation
	sponsor   validation
	post      postOp // nil where the paymaster wants to hear nothing
}

// prepay validates an operation and takes what it may cost at most. The error is the EntryPoint's revert.
func (m *Machine) prepay(index int, op *userop.Operation) (*prepayment, error) {
	p := &prepayment{op: op, hash: m.hash(op), payer: op.Sender}
	if n := len(op.PaymasterAndData); n > 0 && n < common.AddressLength {
		return nil, reason("AA93 invalid paymasterAndData")
	} else if n > 0 {
		p.paymaster = common.BytesToAddress(op.PaymasterAndData[:common.AddressLength])
	}
	if p.paymaster != (common.Address{}) {
		p.payer = p.paymaster
	}
	if overflows(op) {
		return nil, reason("AA94 gas values overflow")
	}
	p.prefund = prefund(op, p.paymaster)
	before := m.calls
	if err := m.deploy(index, p); err != nil {
		return nil, err
	}
	if err := m.prepayAccount(index, p); err != nil {
		return nil, err
	}
	if !m.useNonce(op.Sender, &op.Nonce) {
		return nil, failedOp(index, "AA25 invalid account nonce")
	}
	if err := m.prepaySponsor(index, p); err != nil {
		return nil, err
	}
	p.gas = verificationGas + callGas*uint64(m.calls-before)
	return p, nil
}

// overflows reports whether a gas limit or fee has more than 120 bits.
func overflows(op *userop.Operation) bool {
	var all uint256.Int
	for _, field := range []*uint256.Int{
		&op.PreVerificationGas, &op.VerificationGasLimit, &op.CallGasLimit, &op.MaxFeePerGas, &op.MaxPriorityFeePerGas,
	} {
		all.Or(&all, field)
	}
	return all.BitLen() > 120
}

// prefund is what an operation may cost at most: a paymaster's may be verified three times.
func prefund(op *userop.Operation, paymaster common.Address) (wei uint256.Int) {
	times := uint64(1)
	if paymaster != (common.Address{}) {
		times = 3
	}
	wei.Mul(&op.VerificationGasLimit, uint256.NewInt(times))
	wei.Add(&wei, &op.CallGasLimit)
	wei.Add(&wei, &op.PreVerificationGas)
	wei.Mul(&wei, &op.MaxFeePerGas)
	return wei
}

// deploy makes the account where the operation brings its initCode along.
func (m *Machine) deploy(index int, p *prepayment) error {
	code := p.op.InitCode
	switch {
	case len(code) == 0:
		return nil
	case m.HasCode(p.op.Sender):
		return failedOp(index, "AA10 sender already constructed")
	case len(code) < common.AddressLength:
		return bare()
	}
	factory := common.BytesToAddress(code[:common.AddressLength])
	result, err := m.Call(common.Address{}, factory, new(uint256.Int), code[common.AddressLength:])
	if err != nil || len(result) < abi.WordSize {
		return failedOp(index, "AA13 initCode failed or OOG")
	}
	switch made := common.BytesToAddress(result[:abi.WordSize]); {
	case made != p.op.Sender:
		return failedOp(index, "AA14 initCode must return sender")
	case !m.HasCode(made):
		return failedOp(index, "AA15 initCode must create sender")
	}
	m.log(m.Addresses.EntryPoint, []common.Hash{contracts.AccountDeployedTopic, p.hash, word(p.op.Sender)},
		flat([]common.Hash{word(factory), word(p.paymaster)}))
	return nil
}

// prepayAccount has the account validate the operation and, unless a paymaster does, pay for it.
func (m *Machine) prepayAccount(index int, p *prepayment) (err error) {
	sender := p.op.Sender
	var missing uint256.Int
	if deposit := m.deposit(sender); p.paymaster == (common.Address{}) && p.prefund.Gt(&deposit) {
		missing.Sub(&p.prefund, &deposit)
	}
	if !m.HasCode(sender) {
		return bare()
	}
	if m.contractAt(sender) != m.account {
		return failedOp(index, "AA23 reverted (or OOG)")
	}
	m.calls++
	start := m.mark()
	if p.account, err = m.at(sender).validate(p.op, p.hash, &missing); err != nil {
		m.rollback(start)
		return blame(index, "AA23", err)
	}
	if p.paymaster == (common.Address{}) && !m.subtract(m.depositAt(sender), &p.prefund) {
		return failedOp(index, "AA21 didn't pay prefund")
	}
	return nil
}

// prepaySponsor has the paymaster validate the operation and pay for it.
func (m *Machine) prepaySponsor(index int, p *prepayment) (err error) {
	if p.paymaster == (common.Address{}) {
		return nil
	}
	if !m.subtract(m.depositAt(p.paymaster), &p.prefund) {
		return failedOp(index, "AA31 paymaster deposit too low")
	}
	validate, ok := m.paymasters[p.paymaster]
	switch {
	case !m.HasCode(p.paymaster):
		return bare()
	case !ok:
		return failedOp(index, "AA33 reverted (or OOG)")
	}
	m.calls++
	c := &call{Machine: m, from: m.Addresses.EntryPoint, self: p.paymaster}
	if p.post, p.sponsor, err = validate(c, p.op, p.hash, &p.prefund); err != nil {
		return blame(index, "AA33", err)
	}
	return nil
}

// blame is the EntryPoint's refusal for what an account or a paymaster reverted with: it tells texts only.
func blame(index int, code string, err error) error {
	if text, ok := revertText(err); ok {
		return failedOp(index, "%s reverted: %s", code, text)
	}
	return failedOp(index, "%s reverted (or OOG)", code)
}

// judge refuses what the validations say no to, at the time that it is.
func (m *Machine) judge(index int, p *prepayment) error {
	switch {
	case p.account.failed:
		return failedOp(index, "AA24 signature error")
	case !p.account.due(m.Now):
		return failedOp(index, "AA22 expired or not due")
	case p.sponsor.failed:
		return failedOp(index, "AA34 signature error")
	case !p.sponsor.due(m.Now):
		return failedOp(index, "AA32 paymaster expired or not due")
	}
	return nil
}
