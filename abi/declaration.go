package abi

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
)

// declaration is a parsed function, error or event.
type declaration struct {
	name       string
	inputs     []field
	outputs    []field
	mutability string
}

// The forms of a declaration.
const (
	formFunction = "function"
	formError    = "error"
	formEvent    = "event"
)

// Name returns the name alone: "safeMint".
func (d *declaration) Name() string { return d.name }

// Signature returns the canonical signature, as it is hashed: "safeMint(address)".
func (d *declaration) Signature() string {
	var b strings.Builder
	b.WriteString(d.name)
	writeFields(&b, d.inputs, false)
	return b.String()
}

// Inputs returns the arguments, in order.
func (d *declaration) Inputs() []Param { return params(d.inputs) }

func (d *declaration) selector() [SelectorSize]byte {
	return [SelectorSize]byte(crypto.Keccak256([]byte(d.Signature())))
}

// Param is one argument, result or tuple component of a signature.
type Param struct {
	// Name is empty when the signature gives none.
	Name string
	// Type is the canonical type: "uint256", "address[3]", "(address,uint128)[]".
	Type string
	// Components are the components of a tuple, or of the tuples in an array.
	Components []Param
	// Indexed marks an event's argument that is a topic of the log.
	Indexed bool
}

// params describes fields to callers: fresh memory at each call, so that nobody can change a parsed
// signature.
func params(fields []field) []Param {
	if len(fields) == 0 {
		return nil
	}
	list := make([]Param, len(fields))
	for i, f := range fields {
		base := f.typ
		for base.elem != nil {
			base = base.elem
		}
		list[i] = Param{Name: f.name, Type: f.typ.String(), Components: params(base.fields), Indexed: f.indexed}
	}
	return list
}

// pathError is a problem with a value inside an argument; its path grows from the inside out.
type pathError struct {
	index int // the outermost member
	path  string
	err   error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }

// inElement says that err is about element i of an array.
func inElement(i int, err error) error {
	return prependStep(i, fmt.Sprintf("[%d]", i), err)
}

// inField says that err is about member i of fields.
func inField(i int, fields []field, err error) error {
	return prependStep(i, "."+fieldName(fields, i), err)
}

func prependStep(index int, step string, err error) error {
	inner, ok := err.(*pathError)
	if !ok {
		return &pathError{index: index, path: step, err: err}
	}
	return &pathError{index: index, path: step + inner.path, err: inner.err}
}

// inArgument says which argument of fields err is about: "argument 2 (legs[0].amount): …". A problem of the
// whole is left as it is.
func inArgument(noun string, fields []field, err error) error {
	inner, ok := err.(*pathError)
	if !ok {
		return err
	}
	path := strings.TrimPrefix(inner.path, ".")
	return fmt.Errorf("%s %d (%s): %w", noun, inner.index+1, path, inner.err)
}

// fieldName is how paths call member i: by its name, or "arg0" and so on where it has none. Where a sibling
// is really named like that, the number alone says it.
func fieldName(fields []field, i int) string {
	if fields[i].name != "" {
		return fields[i].name
	}
	name := fmt.Sprintf("arg%d", i)
	for _, f := range fields {
		if f.name == name {
			return fmt.Sprint(i)
		}
	}
	return name
}
