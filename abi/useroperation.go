package abi

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// UserOperation is an operation of EntryPoint v0.6 as its functions take it. The fields are those
// of userop.Operation, in the same order, so that one converts to the other: abi.UserOperation(op).
type UserOperation struct {
	Sender               common.Address
	Nonce                uint256.Int
	InitCode             []byte
	CallData             []byte
	CallGasLimit         uint256.Int
	VerificationGasLimit uint256.Int
	PreVerificationGas   uint256.Int
	MaxFeePerGas         uint256.Int
	MaxPriorityFeePerGas uint256.Int
	PaymasterAndData     []byte
	Signature            []byte
}

// userOperationHead is the length of an operation's head.
const userOperationHead = 11 * WordSize

// size is the length of the operation's encoding.
func (op *UserOperation) size() int {
	return userOperationHead + BytesSize(len(op.InitCode)) + BytesSize(len(op.CallData)) +
		BytesSize(len(op.PaymasterAndData)) + BytesSize(len(op.Signature))
}

// append appends the operation's encoding as a tuple.
func (op *UserOperation) append(dst []byte) []byte {
	tail := userOperationHead
	offset := func(dst, b []byte) []byte {
		dst = AppendUint64(dst, uint64(tail))
		tail += BytesSize(len(b))
		return dst
	}
	dst = AppendAddress(dst, op.Sender)
	dst = AppendUint256(dst, &op.Nonce)
	dst = offset(dst, op.InitCode)
	dst = offset(dst, op.CallData)
	dst = AppendUint256(dst, &op.CallGasLimit)
	dst = AppendUint256(dst, &op.VerificationGasLimit)
	dst = AppendUint256(dst, &op.PreVerificationGas)
	dst = AppendUint256(dst, &op.MaxFeePerGas)
	dst = AppendUint256(dst, &op.MaxPriorityFeePerGas)
	dst = offset(dst, op.PaymasterAndData)
	dst = offset(dst, op.Signature)
	dst = AppendBytes(dst, op.InitCode)
	dst = AppendBytes(dst, op.CallData)
	dst = AppendBytes(dst, op.PaymasterAndData)
	return AppendBytes(dst, op.Signature)
}
