package abi

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-sesame/sesame/internal/abiword"
)

// Function is a contract's function, parsed from its human-readable signature. It is immutable and safe for
// concurrent use.
type Function struct {
	declaration
	selector [SelectorSize]byte
}

// ParseFunction reads a signature as TypeScript libraries write it:
//
//	function safeMint(address _to)
//	safeMint(address)
//	function swap(bytes32 id, (address to, uint128 amount)[] legs) external payable returns (uint256 out)
//
// The word "function", names, modifiers, data locations, the word "tuple" before a tuple and a final
// semicolon are all optional; uint and int stand for uint256 and int256. Structs are written as tuples.
//
// What is copied from Solidity may keep its comments, override(A, B), and the brace that its body begins
// with; constant stands for view. Modifiers of the contract's own, such as onlyOwner, are to be left out. A
// signature that cannot be read is a [*SyntaxError]; signatures are at most 4096 bytes long, comments
// included, and 16 tuples and arrays deep.
func ParseFunction(signature string) (*Function, error) {
	d, err := parseDeclaration(formFunction, signature)
	if err != nil {
		return nil, err
	}
	return &Function{declaration: d, selector: d.selector()}, nil
}

// MustParseFunction is [ParseFunction] for signatures that are constants of a program: it panics where
// ParseFunction returns an error.
func MustParseFunction(signature string) *Function {
	f, err := ParseFunction(signature)
	if err != nil {
		panic(err)
	}
	return f
}

// WordSize is the size of one ABI word in bytes.
const WordSize = abiword.Size

// SelectorSize is how many bytes of a function's hash begin its calldata.
const SelectorSize = 4

// Selector returns the four bytes that calldata for the function begins with.
func (f *Function) Selector() [SelectorSize]byte { return f.selector }

// String returns the function with its names, as [ParseFunction] reads it: "function transfer(address to,
// uint256 amount) returns (bool)".
func (f *Function) String() string {
	var b strings.Builder
	b.WriteString("function " + f.name)
	writeFields(&b, f.inputs, true)
	if f.mutability != "" && f.mutability != "nonpayable" {
		b.WriteString(" " + f.mutability)
	}
	if len(f.outputs) > 0 {
		b.WriteString(" returns ")
		writeFields(&b, f.outputs, true)
	}
	return b.String()
}

// Outputs returns the results, in order; none when the signature does not say.
func (f *Function) Outputs() []Param { return params(f.outputs) }

// Pack returns the calldata of a call: the selector, then args.
//
// Go types are taken leniently, values strictly; what does not fit is an error that names the argument,
// counted from 1:
//
//   - address: [common.Address], [20]byte, or a 0x-hex string. A string in mixed case has to have its EIP-55
//     checksum.
//   - uintN, intN: any Go integer, *[big.Int], *[uint256.Int] (or their values), or a string of decimals or
//     0x-hex. Never floats.
//   - bool: bool, or "true" and "false".
//   - bytes: []byte, [N]byte, or a 0x-hex string. bytesN: the same, of exactly N bytes.
//   - string: string.
//   - arrays: any slice or array.
//   - tuples: a struct or map with the components' names (letter case and underscores do not matter, an
//     `abi:"name"` tag overrides a field's name), or the components in order in a slice or a [Tuple].
//
// Named types and pointers stand for what they hold. A nil pointer or nil interface is an error.
func (f *Function) Pack(args ...any) ([]byte, error) {
	if err := f.count(len(args)); err != nil {
		return nil, fmt.Errorf("pack %s: %w", f.Signature(), err)
	}
	data := make([]byte, SelectorSize, SelectorSize+WordSize*(headWords(f.inputs)+len(args)))
	copy(data, f.selector[:])
	data, err := appendFields(data, f.inputs, args)
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", f.Signature(), inArgument("argument", f.inputs, err))
	}
	return data, nil
}

// count checks how many arguments were given.
func (f *Function) count(given int) error {
	if want := len(f.inputs); given != want {
		return fmt.Errorf("it takes %s, %d given", abiword.Count(want, "argument"), given)
	}
	return nil
}

// Unpack returns the arguments of a call from its calldata. It is strict: the selector must be the
// function's, and what follows must be, byte for byte, what the standard encoder makes of the arguments — no
// other layout, no value out of its range, nothing left over.
//
// The types of the values: address is [common.Address]; bool, string and []byte are themselves; uint8, 16,
// 32, 64 and their signed kin are the Go type of that name, all other integers *[big.Int]; bytes32 is
// [common.Hash], any other bytesN is [N]byte; arrays, fixed or not, are slices of these ([]common.Address,
// []*big.Int); a tuple is a [Tuple]. They share no memory with calldata, and take memory in proportion to its
// length, whatever it holds.
func (f *Function) Unpack(calldata []byte) ([]any, error) {
	if len(calldata) < SelectorSize || !bytes.Equal(calldata[:SelectorSize], f.selector[:]) {
		return nil, fmt.Errorf("unpack %s: %s does not begin with its selector 0x%x", f.Signature(), abiword.Describe(calldata), f.selector)
	}
	values, err := decode(calldata[SelectorSize:], f.inputs, canonical)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", f.Signature(), inArgument("argument", f.inputs, err))
	}
	return values, nil
}

// UnpackResult returns the results of a call from its return data, typed as [Function.Unpack] does. Like a
// contract reading another's answer it takes every layout that is within data, and ignores what is left over;
// values have to be in their range.
func (f *Function) UnpackResult(data []byte) ([]any, error) {
	if len(f.outputs) == 0 {
		return nil, fmt.Errorf("unpack result of %s: the signature declares no results: add returns (…)", f.Signature())
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("unpack result of %s: %w", f.Signature(), ErrNoData)
	}
	values, err := decode(data, f.outputs, anyLayout)
	if err != nil {
		return nil, fmt.Errorf("unpack result of %s: %w", f.Signature(), inArgument("result", f.outputs, err))
	}
	return values, nil
}

// Pack returns the calldata for a call of the function with this signature:
//
//	abi.Pack("function safeMint(address to)", address)
//
// See [ParseFunction] for signatures and [Function.Pack] for arguments. Where the same function is called
// often, parse it once.
func Pack(signature string, args ...any) ([]byte, error) {
	f, err := ParseFunction(signature)
	if err != nil {
		return nil, err
	}
	return f.Pack(args...)
}

// Unpack returns the arguments of a call of the function with this signature. See [Function.Unpack].
func Unpack(signature string, calldata []byte) ([]any, error) {
	f, err := ParseFunction(signature)
	if err != nil {
		return nil, err
	}
	return f.Unpack(calldata)
}

// UnpackResult returns the results of a call of the function with this signature, which has to declare them:
//
//	abi.UnpackResult("function ownerOf(uint256 id) view returns (address)", data)
//
// See [Function.UnpackResult].
func UnpackResult(signature string, data []byte) ([]any, error) {
	f, err := ParseFunction(signature)
	if err != nil {
		return nil, err
	}
	return f.UnpackResult(data)
}
