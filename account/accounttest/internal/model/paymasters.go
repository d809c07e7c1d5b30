package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// paymaster judges an operation that it is to pay for, and says what it does when the cost is known.
type paymaster func(c *call, op *userop.Operation, hash common.Hash, most *uint256.Int) (postOp, validation, error)

// postOp takes the pay. It is called once more, with everything undone, where it reverts.
type postOp func(cost *uint256.Int, undone bool) error

// sponsorBalance is a sponsor's at the verifying paymaster.
const sponsorBalance = "paymaster ID's balance"

const validatePaymaster = "validatePaymasterUserOp(" + operationTuple + ",bytes32,uint256)"

// paymasterMethods are those of the verifying paymaster.
func paymasterMethods() map[string]method {
	return map[string]method{
		"depositFor(address)": withValue(take1((*input).address, depositForSponsor)),
		"getBalance(address)": take1((*input).address, func(c *call, id common.Address) ([]byte, error) {
			return number(c.number(c.slot(sponsorBalance, word(id))))
		}),
		"verifyingSigner()": take0(func(c *call) ([]byte, error) { return address(c.Signer) }),
		validatePaymaster:   {run: validateOnly(validateSponsor)},
	}
}

// validateOnly is the paymaster's own function, for who asks it what the EntryPoint would be told: why it
// reverts.
func validateOnly(judge paymaster) func(*call, *input) ([]byte, error) {
	return func(c *call, in *input) ([]byte, error) {
		op, hash, most := readOperation(in.tuple(0)), in.head(1), in.number(2)
		if in.bad || op == nil {
			return nil, bare()
		}
		if c.from != c.Addresses.EntryPoint {
			return nil, custom("CallerIsNotAnEntryPoint(address)", word(c.from))
		}
		_, v, err := judge(c, op, hash, &most)
		if err != nil {
			return nil, err
		}
		return flat([]common.Hash{uintWord(2 * abi.WordSize), v.word(), {}}), nil
	}
}

func depositForSponsor(c *call, id common.Address) ([]byte, error) {
	switch {
	case id == (common.Address{}):
		return nil, custom("PaymasterIdCannotBeZero()")
	case c.value.IsZero():
		return nil, custom("DepositCanNotBeZero()")
	}
	c.add(c.slot(sponsorBalance, word(id)), &c.value)
	if _, err := c.call(c.Addresses.EntryPoint, &c.value, contracts.DepositTo(c.self)); err != nil {
		return nil, err
	}
	c.emit("GasDeposited(address,uint256)", []common.Hash{word(id), numberWord(&c.value)})
	return nothing()
}

// validateSponsor is the verifying paymaster's judgement.
func validateSponsor(c *call, op *userop.Operation, _ common.Hash, most *uint256.Int) (postOp, validation, error) {
	in := &input{data: op.PaymasterAndData[common.AddressLength:]}
	data := contracts.VerifyingPaymasterData{Paymaster: c.self, PaymasterID: in.address(0), ValidUntil: in.time(1), ValidAfter: in.time(2), Signature: in.bytes(3)}
	v := validation{until: data.ValidUntil, after: data.ValidAfter}
	switch {
	case in.bad:
		return nil, v, bare()
	case len(data.Signature) != crypto.SignatureLength:
		return nil, v, custom("InvalidPaymasterSignatureLength(uint256)", uintWord(uint64(len(data.Signature))))
	}
	signer, err := recoverSigner(messageHash(kit.SponsorHash(op, &data, c.ChainID)), data.Signature)
	if err != nil {
		return nil, v, err
	}
	if v.failed = signer != c.Signer; v.failed {
		return nil, v, nil
	}
	if balance := c.number(c.slot(sponsorBalance, word(data.PaymasterID))); most.Gt(&balance) {
		return nil, v, custom("InsufficientBalance(uint256,uint256)", numberWord(most), numberWord(&balance))
	}
	return func(cost *uint256.Int, _ bool) error { return c.chargeSponsor(op, data.PaymasterID, cost) }, v, nil
}

// chargeSponsor takes what the operation cost from the sponsor's balance.
func (c *call) chargeSponsor(op *userop.Operation, id common.Address, cost *uint256.Int) error {
	const overhead = 9_600
	charge := new(uint256.Int).Mul(uint256.NewInt(overhead), c.gasPrice(op))
	if !c.subtract(c.slot(sponsorBalance, word(id)), charge.Add(charge, cost)) {
		return panicked(0x11)
	}
	c.emit("GasBalanceDeducted(address,uint256)", []common.Hash{word(id), numberWord(charge)})
	return nil
}

// gasPrice is what the operation pays per gas; here its bundle's transaction pays the same.
func (m *Machine) gasPrice(op *userop.Operation) *uint256.Int {
	fee := new(uint256.Int).AddUint64(&op.MaxPriorityFeePerGas, m.BaseFee)
	return least(fee, &op.MaxFeePerGas)
}
