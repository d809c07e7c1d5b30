package userop

import "github.com/holiman/uint256"

// Fees are the two EIP-1559 fee fields of an operation, in wei per gas.
type Fees struct {
	MaxFeePerGas         uint256.Int
	MaxPriorityFeePerGas uint256.Int
}

// IsZero reports whether no fee is given.
func (f Fees) IsZero() bool {
	return f.MaxFeePerGas.IsZero() && f.MaxPriorityFeePerGas.IsZero()
}

// Gas are the three gas limits of an operation, in gas.
type Gas struct {
	CallGasLimit         uint256.Int
	VerificationGasLimit uint256.Int
	PreVerificationGas   uint256.Int
}

// IsZero reports whether no limit is given.
func (g Gas) IsZero() bool {
	return g.CallGasLimit.IsZero() && g.VerificationGasLimit.IsZero() && g.PreVerificationGas.IsZero()
}

// complete reports whether every limit is given.
func (g Gas) complete() bool {
	return !g.CallGasLimit.IsZero() && !g.VerificationGasLimit.IsZero() && !g.PreVerificationGas.IsZero()
}

func (op *Operation) setGas(g Gas) {
	op.CallGasLimit, op.VerificationGasLimit, op.PreVerificationGas = g.CallGasLimit, g.VerificationGasLimit, g.PreVerificationGas
}
