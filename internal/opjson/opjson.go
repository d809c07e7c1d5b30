// Package opjson writes user operations of EntryPoint v0.6 as JSON-RPC services take them: it appends to one
// slice, since each send does that twice.
package opjson

import (
	"encoding/hex"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/quantity"
)

// Form is how the three gas limits are written: all other fields go out in one way.
type Form struct {
	// Decimal writes them as decimal strings instead of 0x-hex.
	Decimal bool
	// LeaveOut names by their JSON names those that are left out where they are zero.
	LeaveOut []string
}

// InForm is an operation that is written in a form of its own: all eleven fields, the sender with its
// checksum, numbers as minimal 0x-hex, empty bytes as "0x". It is a parameter of a JSON-RPC request.
type InForm struct {
	Operation *contracts.UserOperation
	Form      Form
}

// MarshalJSON writes the operation in its form.
func (p InForm) MarshalJSON() ([]byte, error) {
	const rest = 640 // the names and numbers
	op := p.Operation
	return p.AppendJSON(make([]byte, 0, rest+2*(len(op.InitCode)+len(op.CallData)+len(op.PaymasterAndData)+len(op.Signature)))), nil
}

// AppendJSON appends the operation in its form.
func (p InForm) AppendJSON(b []byte) []byte {
	op, form := p.Operation, p.Form
	b = append(b, `{"sender":"`...)
	b = appendAddress(b, op.Sender)
	b = appendNumber(b, `","nonce":"`, &op.Nonce)
	b = appendBytes(b, `","initCode":"`, op.InitCode)
	b = appendBytes(b, `","callData":"`, op.CallData)
	b = form.appendLimit(b, "callGasLimit", &op.CallGasLimit)
	b = form.appendLimit(b, "verificationGasLimit", &op.VerificationGasLimit)
	b = form.appendLimit(b, "preVerificationGas", &op.PreVerificationGas)
	b = appendNumber(b, `","maxFeePerGas":"`, &op.MaxFeePerGas)
	b = appendNumber(b, `","maxPriorityFeePerGas":"`, &op.MaxPriorityFeePerGas)
	b = appendBytes(b, `","paymasterAndData":"`, op.PaymasterAndData)
	b = appendBytes(b, `","signature":"`, op.Signature)
	return append(b, `"}`...)
}

// Address is an address with its checksum, as a parameter of a JSON-RPC request.
type Address common.Address

// AppendJSON appends the address.
func (a Address) AppendJSON(b []byte) []byte {
	return append(appendAddress(append(b, '"'), common.Address(a)), '"')
}

// appendAddress appends an address with its checksum (ERC-55): a letter is a capital where the hash of the
// small ones has a digit of eight or more.
func appendAddress(b []byte, a common.Address) []byte {
	b = hex.AppendEncode(append(b, "0x"...), a[:])
	digits := b[len(b)-2*common.AddressLength:]
	hash := crypto.Keccak256Hash(digits)
	for i, c := range digits {
		if c > '9' && hash[i/2]<<(4*(i%2)) >= 0x80 {
			digits[i] = c - 'a' + 'A'
		}
	}
	return b
}

func (f Form) appendLimit(b []byte, name string, v *uint256.Int) []byte {
	if v.IsZero() {
		for _, left := range f.LeaveOut {
			if left == name {
				return b
			}
		}
	}
	b = append(append(append(b, `","`...), name...), `":"`...)
	if f.Decimal {
		return append(b, v.Dec()...)
	}
	return quantity.AppendHex(b, v)
}

func appendNumber(b []byte, name string, v *uint256.Int) []byte {
	return quantity.AppendHex(append(b, name...), v)
}

func appendBytes(b []byte, name string, v []byte) []byte {
	return hex.AppendEncode(append(append(b, name...), "0x"...), v)
}
