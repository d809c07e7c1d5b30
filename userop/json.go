package userop

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/internal/jsonobject"
)

// operationJSON is the v0.6 shape of an operation in JSON-RPC.
type operationJSON struct {
	Sender               string        `json:"sender"`
	Nonce                Quantity      `json:"nonce"`
	InitCode             hexutil.Bytes `json:"initCode"`
	CallData             hexutil.Bytes `json:"callData"`
	CallGasLimit         Quantity      `json:"callGasLimit"`
	VerificationGasLimit Quantity      `json:"verificationGasLimit"`
	PreVerificationGas   Quantity      `json:"preVerificationGas"`
	MaxFeePerGas         Quantity      `json:"maxFeePerGas"`
	MaxPriorityFeePerGas Quantity      `json:"maxPriorityFeePerGas"`
	PaymasterAndData     hexutil.Bytes `json:"paymasterAndData"`
	Signature            hexutil.Bytes `json:"signature"`
}

// MarshalJSON writes the operation as JSON-RPC services of EntryPoint v0.6 take it: all eleven
// fields, the sender with its checksum, numbers as minimal 0x-hex, empty bytes as "0x".
func (op Operation) MarshalJSON() ([]byte, error) {
	return json.Marshal(operationJSON{
		Sender:               op.Sender.Hex(),
		Nonce:                Quantity(op.Nonce),
		InitCode:             op.InitCode,
		CallData:             op.CallData,
		CallGasLimit:         Quantity(op.CallGasLimit),
		VerificationGasLimit: Quantity(op.VerificationGasLimit),
		PreVerificationGas:   Quantity(op.PreVerificationGas),
		MaxFeePerGas:         Quantity(op.MaxFeePerGas),
		MaxPriorityFeePerGas: Quantity(op.MaxPriorityFeePerGas),
		PaymasterAndData:     op.PaymasterAndData,
		Signature:            op.Signature,
	})
}

// UnmarshalJSON reads an operation in the v0.6 shape. Numbers may be 0x-hex, decimal strings or JSON
// numbers. sender, nonce, callData, the three gas limits and the two fees have to be there; initCode,
// paymasterAndData and signature are empty where they are missing. Unknown fields are not carried
// along. The error names every field that is missing or wrong, and then op is unchanged.
func (op *Operation) UnmarshalJSON(data []byte) error {
	r, err := jsonobject.Parse(data)
	if err != nil {
		return fmt.Errorf("user operation: %w", err)
	}
	var read Operation
	r.Require("sender", &read.Sender)
	r.Require("nonce", (*Quantity)(&read.Nonce))
	r.Optional("initCode", (*hexutil.Bytes)(&read.InitCode))
	r.Require("callData", (*hexutil.Bytes)(&read.CallData))
	r.Require("callGasLimit", (*Quantity)(&read.CallGasLimit))
	r.Require("verificationGasLimit", (*Quantity)(&read.VerificationGasLimit))
	r.Require("preVerificationGas", (*Quantity)(&read.PreVerificationGas))
	r.Require("maxFeePerGas", (*Quantity)(&read.MaxFeePerGas))
	r.Require("maxPriorityFeePerGas", (*Quantity)(&read.MaxPriorityFeePerGas))
	r.Optional("paymasterAndData", (*hexutil.Bytes)(&read.PaymasterAndData))
	r.Optional("signature", (*hexutil.Bytes)(&read.Signature))
	if err := r.Err(); err != nil {
		return fmt.Errorf("user operation: %w", err)
	}
	*op = read
	return nil
}
