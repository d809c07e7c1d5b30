package abi

import (
	"bytes"
	"fmt"
	"strings"
)

// ErrorDef is a contract's custom error, parsed from its human-readable signature. It is immutable
// and safe for concurrent use.
type ErrorDef struct {
	declaration
	selector [SelectorSize]byte
}

// ParseErrorDef reads a signature such as "error ModuleAlreadyEnabled(address module)"; the word "error"
// is optional. See [ParseFunction] for what a signature may have.
func ParseErrorDef(signature string) (*ErrorDef, error) {
	d, err := parseDeclaration(formError, signature)
	if err != nil {
		return nil, err
	}
	return &ErrorDef{declaration: d, selector: d.selector()}, nil
}

// MustParseErrorDef is [ParseErrorDef] for signatures that are constants of a program: it panics
// where ParseErrorDef returns an error.
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
		return nil, fmt.Errorf("unpack %s: %s does not begin with its selector 0x%x", e.Signature(), describeData(data), e.selector)
	}
	values, err := decode(data[SelectorSize:], e.inputs, anyLayout)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", e.Signature(), inArgument("argument", e.inputs, err))
	}
	return values, nil
}
