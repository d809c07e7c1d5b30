package userop

import (
	"fmt"

	"github.com/holiman/uint256"
)

// Fees are the two EIP-1559 fee fields of an operation, in wei per gas.
type Fees struct {
	MaxFeePerGas         uint256.Int
	MaxPriorityFeePerGas uint256.Int
}

// isZero reports whether no fee is given.
func (f Fees) isZero() bool {
	return f.MaxFeePerGas.IsZero() && f.MaxPriorityFeePerGas.IsZero()
}

// Gas are the three gas limits of an operation, in gas.
type Gas struct {
	CallGasLimit         uint256.Int
	VerificationGasLimit uint256.Int
	PreVerificationGas   uint256.Int
}

// isZero reports whether no limit is given.
func (g Gas) isZero() bool {
	return g.CallGasLimit.IsZero() && g.VerificationGasLimit.IsZero() && g.PreVerificationGas.IsZero()
}

// complete reports whether every limit is given.
func (g Gas) complete() bool {
	return !g.CallGasLimit.IsZero() && !g.VerificationGasLimit.IsZero() && !g.PreVerificationGas.IsZero()
}

func (op *Operation) setFees(f Fees) {
	op.MaxFeePerGas, op.MaxPriorityFeePerGas = f.MaxFeePerGas, f.MaxPriorityFeePerGas
}

func (op *Operation) setGas(g Gas) {
	op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = g.CallGasLimit, g.VerificationGasLimit, g.PreVerificationGas
}

// String says the limits in words.
func (g Gas) String() string {
	return partsText(&g.CallGasLimit, &g.VerificationGasLimit, &g.PreVerificationGas)
}

// String says the fees in words.
func (f Fees) String() string {
	return fmt.Sprintf("at most %s wei per gas, tip %s", f.MaxFeePerGas.Dec(), f.MaxPriorityFeePerGas.Dec())
}

func partsText(call, verification, preVerification *uint256.Int) string {
	return fmt.Sprintf("%s call + %s verification + %s pre-verification", call.Dec(), verification.Dec(), preVerification.Dec())
}
