package userop

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// Operation is one ERC-4337 user operation in the form of EntryPoint v0.6. Gas limits are in gas,
// fees in wei per gas. The zero value of a field is what the chain reads as zero or empty.
type Operation struct {
	// Sender is the smart account that acts.
	Sender common.Address
	// Nonce is the EntryPoint's nonce: a 192-bit key (lane) and, in its low 64 bits, a counter.
	Nonce uint256.Int
	// InitCode is factory ‖ calldata when the account is still to be deployed, empty otherwise.
	InitCode []byte
	// CallData is what the EntryPoint calls the account with.
	CallData []byte
	// CallGasLimit is the gas for the execution.
	CallGasLimit uint256.Int
	// VerificationGasLimit is the gas for deployment, validation and the paymaster's validation.
	VerificationGasLimit uint256.Int
	// PreVerificationGas pays the bundler for what the EntryPoint cannot measure.
	PreVerificationGas uint256.Int
	// MaxFeePerGas is the highest total fee, in wei per gas.
	MaxFeePerGas uint256.Int
	// MaxPriorityFeePerGas is the highest tip, in wei per gas.
	MaxPriorityFeePerGas uint256.Int
	// PaymasterAndData is paymaster ‖ data, empty when the account pays itself.
	PaymasterAndData []byte
	// Signature is read by the account only and is not part of the hash.
	Signature []byte
}

// Hash returns the userOpHash that EntryPoint v0.6 computes for the operation (getUserOpHash):
// what the account's owner or session key signs. The signature is not part of it.
func (op *Operation) Hash(entryPoint common.Address, chainID uint64) common.Hash {
	packed := make([]byte, 0, 10*abi.WordSize)
	packed = abiword.AppendAddress(packed, op.Sender)
	packed = abiword.AppendUint256(packed, &op.Nonce)
	packed = abiword.AppendWord(packed, crypto.Keccak256Hash(op.InitCode))
	packed = abiword.AppendWord(packed, crypto.Keccak256Hash(op.CallData))
	packed = abiword.AppendUint256(packed, &op.CallGasLimit)
	packed = abiword.AppendUint256(packed, &op.VerificationGasLimit)
	packed = abiword.AppendUint256(packed, &op.PreVerificationGas)
	packed = abiword.AppendUint256(packed, &op.MaxFeePerGas)
	packed = abiword.AppendUint256(packed, &op.MaxPriorityFeePerGas)
	packed = abiword.AppendWord(packed, crypto.Keccak256Hash(op.PaymasterAndData))

	inner := crypto.Keccak256Hash(packed)
	packed = abiword.AppendWord(packed[:0], inner)
	packed = abiword.AppendAddress(packed, entryPoint)
	packed = abiword.AppendUint64(packed, chainID)
	return crypto.Keccak256Hash(packed)
}

// Clone returns a copy that shares no memory with op.
func (op *Operation) Clone() *Operation {
	clone := *op
	clone.InitCode = bytes.Clone(op.InitCode)
	clone.CallData = bytes.Clone(op.CallData)
	clone.PaymasterAndData = bytes.Clone(op.PaymasterAndData)
	clone.Signature = bytes.Clone(op.Signature)
	return &clone
}

// Fees returns the operation's two fee fields.
func (op *Operation) Fees() Fees {
	return Fees{MaxFeePerGas: op.MaxFeePerGas, MaxPriorityFeePerGas: op.MaxPriorityFeePerGas}
}

// Gas returns the operation's three gas limits.
func (op *Operation) Gas() Gas {
	return Gas{
		CallGasLimit:         op.CallGasLimit,
		VerificationGasLimit: op.VerificationGasLimit,
		PreVerificationGas:   op.PreVerificationGas,
	}
}
