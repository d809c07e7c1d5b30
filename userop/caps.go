package userop

import (
	"errors"
	"fmt"

	"github.com/holiman/uint256"
)

// ErrCap means that an operation would cost more than its [Caps] allow. Nothing was signed.
var ErrCap = errors.New("over the cap")

// Caps are what an operation may cost at most, whoever proposes its limits and fees. Nil is no cap.
type Caps struct {
	// MaxFeePerGas is in wei per gas.
	MaxFeePerGas *uint256.Int
	// MaxCost is in wei: the sum of the gas limits times the fee, as the EntryPoint prefunds it.
	MaxCost *uint256.Int
	// The gas limits, in gas.
	CallGasLimit, VerificationGasLimit, PreVerificationGas *uint256.Int
}

// check returns an error matching [ErrCap] that names the field and both numbers.
func (c *Caps) check(op *Operation) error {
	for _, field := range []struct {
		name, unit string
		cap, value *uint256.Int
	}{
		{"maxFeePerGas", "wei", c.MaxFeePerGas, &op.MaxFeePerGas},
		{"callGasLimit", "gas", c.CallGasLimit, &op.CallGasLimit},
		{"verificationGasLimit", "gas", c.VerificationGasLimit, &op.VerificationGasLimit},
		{"preVerificationGas", "gas", c.PreVerificationGas, &op.PreVerificationGas},
	} {
		if field.cap != nil && field.value.Gt(field.cap) {
			return fmt.Errorf("%w: %s is %s %s, the cap is %s", ErrCap, field.name, field.value.Dec(), field.unit, field.cap.Dec())
		}
	}
	if c.MaxCost != nil {
		if cost, ok := op.Prefund(); !ok || cost.Gt(c.MaxCost) {
			return fmt.Errorf("%w: the operation may cost %s wei, the cap is %s", ErrCap, cost.Dec(), c.MaxCost.Dec())
		}
	}
	return nil
}

// Prefund returns what the EntryPoint takes in advance, in wei: the gas limits, the verification limit
// thrice with a paymaster, times the maximum fee. It saturates, with ok false, on overflow.
func (op *Operation) Prefund() (wei *uint256.Int, ok bool) {
	gas, overflow := new(uint256.Int).MulOverflow(&op.VerificationGasLimit, op.verifications())
	for _, add := range []*uint256.Int{&op.CallGasLimit, &op.PreVerificationGas} {
		var over bool
		_, over = gas.AddOverflow(gas, add)
		overflow = overflow || over
	}
	wei, over := new(uint256.Int).MulOverflow(gas, &op.MaxFeePerGas)
	if overflow || over {
		return wei.SetAllOne(), false
	}
	return wei, true
}

// verifications is how often the EntryPoint counts the verification limit.
func (op *Operation) verifications() *uint256.Int {
	if len(op.PaymasterAndData) > 0 {
		return uint256.NewInt(3)
	}
	return uint256.NewInt(1)
}
