package abi

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"sync"

	"github.com/go-sesame/sesame/internal/abiword"
)

// Revert is what a call reverted with. It is an error, so that a failed call can be one: [errors.As] with a
// *Revert as target gets it back.
type Revert struct {
	// Name is the error's name: "Error", "Panic", "FailedOp", "WrongValidationModule". It is empty when the
	// error is unknown, malformed, or when there is no data.
	Name string
	// Signature is the error's canonical signature, "FailedOp(uint256,string)"; empty where Name is.
	Signature string
	// Args are the error's arguments, typed as [Function.Unpack] says and as the contract gave them: text in
	// them may be of any length and hold anything.
	Args []any
	// Message is the text in the error, as the contract gave it: that of Error(string). Of other errors it is
	// set by whoever decoded the revert and knows which of the arguments it is.
	Message string
	// Title introduces the message of an error that is said as "Title: message" and not with its arguments.
	// It is set by whoever set Message.
	Title string
	// Inner is the revert that this one reports, set by whoever decoded the revert and knows that it reports
	// one: that of a call which failed within.
	Inner *Revert
	// Data is the revert data, a copy.
	Data []byte

	def *ErrorDef
	// malformed is the error whose selector Data has without having its arguments.
	malformed *ErrorDef
}

// DecodeRevert reads revert data: the errors given, such as those of the contract that was called (see
// [Contract.Errors]), and Solidity's own Error(string) and Panic(uint256). The first with the selector
// counts. Data that is none of these is a Revert too, without a name.
func DecodeRevert(data []byte, known ...*ErrorDef) Revert {
	r := Revert{Data: bytes.Clone(data)}
	def := findError(data, known)
	if def == nil {
		return r
	}
	args, err := def.Unpack(data)
	if err != nil {
		r.malformed = def
		return r
	}
	r.Name, r.Signature, r.Args, r.def = def.name, def.Signature(), args, def
	if r.Signature == sigError {
		r.Message = args[0].(string)
	}
	return r
}

// Reason returns Message, cleaned as in [Revert.String]. It is empty for errors without a text.
func (r Revert) Reason() string { return clean(r.Message, maxReason) }

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

// String says the revert in one line: "ABISV Arg Rule Violated", "WrongValidationModule(0x…)", "panic 0x11:
// arithmetic overflow or underflow", "no reason", "0x12345678 (unknown error, 36 bytes)". Text that came from
// the contract is shortened, and what does not print is replaced.
func (r Revert) String() string {
	switch {
	case len(r.Data) == 0:
		return "no reason"
	case r.malformed != nil:
		return fmt.Sprintf("0x%x (malformed %s, %s)", r.malformed.selector, r.malformed.name, abiword.Count(len(r.Data), "byte"))
	case r.def == nil:
		return fmt.Sprintf("0x%x (unknown error, %s)", r.Data[:min(len(r.Data), SelectorSize)], abiword.Count(len(r.Data), "byte"))
	}
	switch r.Signature {
	case sigError:
		if strings.TrimSpace(r.Reason()) == "" {
			return "no reason"
		}
		return r.Reason()
	case sigPanic:
		return panicText(r.Args[0].(*big.Int))
	}
	if r.Title != "" {
		return r.Title + ": " + r.Reason() + r.innerText()
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

// maxReason bounds a reason in text, in bytes.
const maxReason = 512

// The errors that the compiler makes.
const (
	sigError = "Error(string)"
	sigPanic = "Panic(uint256)"
)

var solidityErrors = sync.OnceValue(func() []*ErrorDef {
	return []*ErrorDef{MustParseErrorDef("error Error(string reason)"), MustParseErrorDef("error Panic(uint256 code)")}
})

func findError(data []byte, known []*ErrorDef) *ErrorDef {
	if len(data) < SelectorSize {
		return nil
	}
	selector := [SelectorSize]byte(data[:SelectorSize])
	for _, list := range [][]*ErrorDef{known, solidityErrors()} {
		for _, def := range list {
			if def.selector == selector {
				return def
			}
		}
	}
	return nil
}

// ErrorDef is a contract's custom error, parsed from its human-readable signature. It is immutable and safe
// for concurrent use.
type ErrorDef struct {
	declaration
	selector [SelectorSize]byte
}

// ParseErrorDef reads a signature such as "error ModuleAlreadyEnabled(address module)"; the word "error" is
// optional. See [ParseFunction] for what a signature may have.
func ParseErrorDef(signature string) (*ErrorDef, error) {
	d, err := parseDeclaration(formError, signature)
	if err != nil {
		return nil, err
	}
	return &ErrorDef{declaration: d, selector: d.selector()}, nil
}

// MustParseErrorDef is [ParseErrorDef] for signatures that are constants of a program: it panics where
// ParseErrorDef returns an error.
func MustParseErrorDef(signature string) *ErrorDef {
	e, err := ParseErrorDef(signature)
	if err != nil {
		panic(err)
	}
	return e
}

// Selector returns the four bytes that the revert data begins with.
func (e *ErrorDef) Selector() [SelectorSize]byte { return e.selector }

// String returns the error with its names, as [ParseErrorDef] reads it.
func (e *ErrorDef) String() string {
	var b strings.Builder
	b.WriteString("error " + e.name)
	writeFields(&b, e.inputs, true)
	return b.String()
}

// Unpack returns the arguments of the error from revert data, in the types and with the tolerance of
// [Function.UnpackResult].
func (e *ErrorDef) Unpack(data []byte) ([]any, error) {
	if len(data) < SelectorSize || !bytes.Equal(data[:SelectorSize], e.selector[:]) {
		return nil, fmt.Errorf("unpack %s: %s does not begin with its selector 0x%x", e.Signature(), abiword.Describe(data), e.selector)
	}
	values, err := decode(data[SelectorSize:], e.inputs, anyLayout)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", e.Signature(), inArgument("argument", e.inputs, err))
	}
	return values, nil
}
