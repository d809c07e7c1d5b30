package abi

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// Revert is what a call reverted with. It is an error, so that a failed call can be one:
// [errors.As] with a *Revert as target gets it back.
type Revert struct {
	// Name is the error's name: "Error", "Panic", "FailedOp", "WrongValidationModule". It is empty when
	// the error is unknown, malformed, or when there is no data.
	Name string
	// Signature is the error's canonical signature, "FailedOp(uint256,string)"; empty where Name is.
	Signature string
	// Args are the error's arguments, typed as [Function.Unpack] says and as the contract gave
	// them: text in them may be of any length and hold anything.
	Args []any
	// Inner is the revert that this one reports, when it reports one: that of FailedOpWithRevert,
	// or of the failed call in ExecutionResult.
	Inner *Revert
	// Data is the revert data, a copy.
	Data []byte

	def *ErrorDef
	// malformed is the error whose selector Data has without having its arguments.
	malformed *ErrorDef
}

const (
	// maxReverts bounds reverts within reverts.
	maxReverts = 4
	// maxReason bounds a reason in text, in bytes.
	maxReason = 512
)

// Errors that are said in their own way.
const (
	sigError              = "Error(string)"
	sigPanic              = "Panic(uint256)"
	sigFailedOp           = "FailedOp(uint256,string)"
	sigFailedOpWithRevert = "FailedOpWithRevert(uint256,string,bytes)"
	sigExecutionResult    = "ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)"
)

// DecodeRevert reads revert data: Error(string), Panic(uint256), and the errors of all contracts this
// package knows, beside the common ones of tokens. Data that is none of these is a Revert too, without a name.
func DecodeRevert(data []byte) Revert {
	return DecodeRevertWith(data)
}

// DecodeRevertWith is [DecodeRevert] for callers that know more errors, such as those of the contract
// that was called (see [Contract.Errors]). They come first where selectors are equal.
func DecodeRevertWith(data []byte, extra ...*ErrorDef) Revert {
	return decodeRevert(data, extra, maxReverts)
}

func decodeRevert(data []byte, extra []*ErrorDef, depth int) Revert {
	r := Revert{Data: bytes.Clone(data)}
	def := findError(data, extra)
	if def == nil {
		return r
	}
	args, err := def.Unpack(data)
	if err != nil {
		r.malformed = def
		return r
	}
	r.Name, r.Signature, r.Args, r.def = def.name, def.Signature(), args, def
	if inner, ok := r.innerData(); ok && depth > 1 {
		decoded := decodeRevert(inner, extra, depth-1)
		r.Inner = &decoded
	}
	return r
}

func findError(data []byte, extra []*ErrorDef) *ErrorDef {
	if len(data) < SelectorSize {
		return nil
	}
	selector := [SelectorSize]byte(data[:SelectorSize])
	for _, def := range extra {
		if def.selector == selector {
			return def
		}
	}
	return knownErrors()[selector]
}

// knownErrors are all errors that DecodeRevert knows by itself.
var knownErrors = sync.OnceValue(func() map[[SelectorSize]byte]*ErrorDef {
	known := make(map[[SelectorSize]byte]*ErrorDef)
	for _, c := range []*Contract{
		solidityErrors(), tokenErrors(), EntryPoint(), SmartAccount(), AccountFactory(), OwnershipModule(), otherModuleErrors(), VerifyingPaymaster(),
	} {
		for _, def := range c.errors {
			known[def.selector] = def
		}
	}
	return known
})

// innerData returns the data of the revert that r reports.
func (r *Revert) innerData() ([]byte, bool) {
	switch r.Signature {
	case sigFailedOpWithRevert:
		return r.Args[2].([]byte), true
	case sigExecutionResult:
		return r.Args[5].([]byte), r.Args[4] == false
	}
	return nil, false
}

// Reason returns the text that the contract gave, cleaned as in [Revert.String]: that of Error(string),
// or the one in FailedOp ("AA24 signature error"). It is empty for errors without a text.
func (r Revert) Reason() string {
	switch r.Signature {
	case sigError:
		return clean(r.Args[0].(string), maxReason)
	case sigFailedOp, sigFailedOpWithRevert:
		return clean(r.Args[1].(string), maxReason)
	}
	return ""
}

// Error returns the same as String.
func (r Revert) Error() string { return r.String() }

// As makes [errors.As] find a Revert and a *Revert alike, whichever of them an error wraps.
func (r Revert) As(target any) bool {
	switch target := target.(type) {
	case *Revert:
		*target = r
	case **Revert:
		*target = &r
	default:
		return false
	}
	return true
}

// String says the revert in one line: "ABISV Arg Rule Violated", "WrongValidationModule(0x…)",
// "panic 0x11: arithmetic overflow or underflow", "no reason", "0x12345678 (unknown error, 36 bytes)".
// Text that came from the contract is shortened, and what does not print is replaced.
func (r Revert) String() string {
	switch {
	case len(r.Data) == 0:
		return "no reason"
	case r.malformed != nil:
		return fmt.Sprintf("0x%x (malformed %s, %s)", r.malformed.selector, r.malformed.name, plural(len(r.Data), "byte"))
	case r.def == nil:
		return fmt.Sprintf("0x%x (unknown error, %s)", r.Data[:min(len(r.Data), SelectorSize)], plural(len(r.Data), "byte"))
	}
	switch r.Signature {
	case sigError:
		if strings.TrimSpace(r.Reason()) == "" {
			return "no reason"
		}
		return r.Reason()
	case sigPanic:
		return panicText(r.Args[0].(*big.Int))
	case sigFailedOp, sigFailedOpWithRevert:
		return fmt.Sprintf("FailedOp %s: %s", r.Args[0], r.Reason()) + r.innerText()
	}
	return shorten(r.Name+"("+formatFields(r.def.inputs, r.Args)+")", maxReason) + r.innerText()
}

func (r Revert) innerText() string {
	if r.Inner == nil {
		return ""
	}
	return ": " + r.Inner.String()
}

// panicText says the codes of Solidity's Panic(uint256).
func panicText(code *big.Int) string {
	meaning, known := map[string]string{
		"0":  "generic panic",
		"1":  "assertion failed",
		"11": "arithmetic overflow or underflow",
		"12": "division or modulo by zero",
		"21": "value out of range for the enum",
		"22": "storage byte array wrongly encoded",
		"31": "pop from an empty array",
		"32": "array index out of bounds",
		"41": "too much memory allocated",
		"51": "call of an uninitialized internal function",
	}[code.Text(16)]
	if !known {
		meaning = "unknown code"
	}
	return fmt.Sprintf("panic 0x%02x: %s", code, meaning)
}
