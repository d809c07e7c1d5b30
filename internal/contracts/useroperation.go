package contracts

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// UserOperation is an operation of EntryPoint v0.6 as its functions take it. The fields are those of
// userop.Operation, in the same order, so that one converts to the other: contracts.UserOperation(op).
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

// userOperationType is the operation in signatures.
const userOperationType = "(address sender, uint256 nonce, bytes initCode, bytes callData, uint256 callGasLimit, uint256 verificationGasLimit, " +
	"uint256 preVerificationGas, uint256 maxFeePerGas, uint256 maxPriorityFeePerGas, bytes paymasterAndData, bytes signature)"

// userOperationHead is the length of an operation's head.
const userOperationHead = 11 * abiword.Size

// size is the length of the operation's encoding.
func (op *UserOperation) size() int {
	return userOperationHead + abiword.BytesSize(len(op.InitCode)) + abiword.BytesSize(len(op.CallData)) +
		abiword.BytesSize(len(op.PaymasterAndData)) + abiword.BytesSize(len(op.Signature))
}

// append appends the operation's encoding as a tuple.
func (op *UserOperation) append(dst []byte) []byte {
	tail := userOperationHead
	offset := func(dst, b []byte) []byte {
		dst = abiword.AppendUint64(dst, uint64(tail))
		tail += abiword.BytesSize(len(b))
		return dst
	}
	dst = abiword.AppendAddress(dst, op.Sender)
	dst = abiword.AppendUint256(dst, &op.Nonce)
	dst = offset(dst, op.InitCode)
	dst = offset(dst, op.CallData)
	dst = abiword.AppendUint256(dst, &op.CallGasLimit)
	dst = abiword.AppendUint256(dst, &op.VerificationGasLimit)
	dst = abiword.AppendUint256(dst, &op.PreVerificationGas)
	dst = abiword.AppendUint256(dst, &op.MaxFeePerGas)
	dst = abiword.AppendUint256(dst, &op.MaxPriorityFeePerGas)
	dst = offset(dst, op.PaymasterAndData)
	dst = offset(dst, op.Signature)
	dst = abiword.AppendBytes(dst, op.InitCode)
	dst = abiword.AppendBytes(dst, op.CallData)
	dst = abiword.AppendBytes(dst, op.PaymasterAndData)
	return abiword.AppendBytes(dst, op.Signature)
}

// newValidation returns a call of an operation's account or paymaster by the EntryPoint:
// f(UserOperation,bytes32,uint256).
func newValidation(selector [abi.SelectorSize]byte, op *UserOperation, hash common.Hash, wei *uint256.Int) []byte {
	call := newCall(selector, 3*abiword.Size+op.size())
	call = abiword.AppendUint64(call, 3*abiword.Size)
	call = abiword.AppendWord(call, hash)
	call = abiword.AppendUint256(call, wei)
	return op.append(call)
}
