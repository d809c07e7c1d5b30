package userop

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/keccak"
	"github.com/go-sesame/sesame/internal/opjson"
	"github.com/go-sesame/sesame/internal/quantity"
)

// Operation is one ERC-4337 user operation in the form of EntryPoint v0.6. Gas limits are in gas, fees in wei
// per gas. The zero value of a field is what the chain reads as zero or empty.
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

// Hash returns the userOpHash that EntryPoint v0.6 computes for the operation (getUserOpHash): what the
// account's owner or session key signs. The signature is not part of it.
func (op *Operation) Hash(entryPoint common.Address, chainID uint64) common.Hash {
	h := keccak.Get()
	defer h.Put()
	packed := abiword.AppendAddress(h.Buffer(), op.Sender)
	packed = abiword.AppendUint256(packed, &op.Nonce)
	packed = abiword.AppendWord(packed, h.Sum(op.InitCode))
	packed = abiword.AppendWord(packed, h.Sum(op.CallData))
	packed = abiword.AppendUint256(packed, &op.CallGasLimit)
	packed = abiword.AppendUint256(packed, &op.VerificationGasLimit)
	packed = abiword.AppendUint256(packed, &op.PreVerificationGas)
	packed = abiword.AppendUint256(packed, &op.MaxFeePerGas)
	packed = abiword.AppendUint256(packed, &op.MaxPriorityFeePerGas)
	packed = abiword.AppendWord(packed, h.Sum(op.PaymasterAndData))

	inner := h.Sum(packed)
	packed = abiword.AppendWord(packed[:0], inner)
	packed = abiword.AppendAddress(packed, entryPoint)
	packed = abiword.AppendUint64(packed, chainID)
	return h.Sum(packed)
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

// MarshalJSON writes the operation as JSON-RPC services of EntryPoint v0.6 take it: all eleven fields, the
// sender with its checksum, numbers as minimal 0x-hex, empty bytes as "0x".
func (op Operation) MarshalJSON() ([]byte, error) {
	return opjson.InForm{Operation: (*contracts.UserOperation)(&op)}.MarshalJSON()
}

// UnmarshalJSON reads an operation in the v0.6 shape. Numbers may be 0x-hex, decimal strings or JSON numbers.
// sender, nonce, callData, the three gas limits and the two fees have to be there; initCode, paymasterAndData
// and signature are empty where they are missing. Unknown fields are not carried along. The error names every
// field that is missing or wrong, and then op is unchanged.
func (op *Operation) UnmarshalJSON(data []byte) error {
	r, err := jsonobject.Parse(data)
	if err != nil {
		return fmt.Errorf("user operation: %w", err)
	}
	var read Operation
	r.Require("sender", &read.Sender)
	r.Require("nonce", (*quantity.Quantity)(&read.Nonce))
	r.Optional("initCode", (*hexutil.Bytes)(&read.InitCode))
	r.Require("callData", (*hexutil.Bytes)(&read.CallData))
	r.Require("callGasLimit", (*quantity.Quantity)(&read.CallGasLimit))
	r.Require("verificationGasLimit", (*quantity.Quantity)(&read.VerificationGasLimit))
	r.Require("preVerificationGas", (*quantity.Quantity)(&read.PreVerificationGas))
	r.Require("maxFeePerGas", (*quantity.Quantity)(&read.MaxFeePerGas))
	r.Require("maxPriorityFeePerGas", (*quantity.Quantity)(&read.MaxPriorityFeePerGas))
	r.Optional("paymasterAndData", (*hexutil.Bytes)(&read.PaymasterAndData))
	r.Optional("signature", (*hexutil.Bytes)(&read.Signature))
	if err := r.Err(); err != nil {
		return fmt.Errorf("user operation: %w", err)
	}
	*op = read
	return nil
}

// String says what the operation is in one line, for people: who acts, the nonce, what is called, the gas
// limits, the fees and who pays. Signatures, the account's and the paymaster's, are told by their length
// only: whoever has an operation with its signature can send it.
func (op Operation) String() string {
	parts := []string{"nonce " + nonceText(&op.Nonce)}
	if len(op.InitCode) > 0 {
		parts = append(parts, "deploys with "+addressText(op.InitCode, "factory"))
	}
	parts = append(parts,
		callText(op.CallData),
		"gas "+op.Gas().String(),
		"fee "+op.Fees().String())
	if len(op.PaymasterAndData) > 0 {
		parts = append(parts, "paid by "+addressText(op.PaymasterAndData, "paymaster"))
	}
	parts = append(parts, signatureText(op.Signature))
	return "user operation of " + op.Sender.Hex() + ": " + strings.Join(parts, ", ")
}

// Format implements [fmt.Formatter], so that every verb prints [Operation.String].
func (op Operation) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, op.String()) }

// nonceText says a nonce by its two parts where there are two.
func nonceText(nonce *uint256.Int) string {
	lane := new(uint256.Int).Rsh(nonce, 64)
	if lane.IsZero() {
		return nonce.Dec()
	}
	return fmt.Sprintf("%d of lane %s", nonce.Uint64(), lane.Hex())
}

func callText(data []byte) string {
	switch n := len(data); {
	case n == 0:
		return "no call"
	case n < 4:
		return fmt.Sprintf("calls with 0x%x", data)
	default:
		return fmt.Sprintf("calls 0x%x with %d bytes", data[:4], n-4)
	}
}

// addressText returns the address that bytes begin with, and how many follow.
func addressText(data []byte, what string) string {
	if len(data) < common.AddressLength {
		return fmt.Sprintf("%d bytes, too short for a %s", len(data), what)
	}
	return fmt.Sprintf("%s %s and %d bytes", what, common.BytesToAddress(data[:common.AddressLength]), len(data)-common.AddressLength)
}

func signatureText(signature []byte) string {
	if len(signature) == 0 {
		return "unsigned"
	}
	return fmt.Sprintf("signed with %d bytes", len(signature))
}
