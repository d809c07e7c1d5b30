package policy

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
)

// Rule limits one 32-byte word of a call's arguments. Make one with [Arg] or [WordRule].
//
// The contract looks at words, not at arguments. An ordering compares unsigned 256-bit integers: text and
// bytes32 order by their bytes, and a negative number is larger than every positive one. What lies inside an
// array, string or bytes is where the standard encoding puts it, and a caller of the contract may encode
// otherwise: Arg("data.offset", Equal, …) on every offset on the way pins it down. A caller can also set bits
// that an address, a bool or a small integer does not have: that gets a call past [NotEqual], [GreaterThan]
// and [GreaterThanOrEqual], and contracts of old compilers ignore such bits. What fills the last word of a
// string or bytes up is the caller's as well, and ignored by all contracts: a text can be allowed, by its
// length and its words, and none be forbidden. [Lint] warns of such rules.
type Rule struct {
	// Path names the word as [abi.Function.Word] does, such as "to" or "order.amount". It is empty in a raw
	// rule.
	Path string
	// Value is what the word at Path is compared with. It is nil in a raw rule.
	Value any
	// Offset is where the word of a raw rule begins, in bytes after the selector.
	Offset uint64
	// Word is what the word of a raw rule is compared with.
	Word common.Hash
	// Condition must hold between the call's word and the given one, in this order: word ≤ given.
	Condition Condition
}

// Arg is a rule on an argument by its name, such as Arg("to", Equal, address). A tuple's field is
// "order.amount", an unnamed argument "0". The offset is computed from the policy's function, and value has
// to be of the argument's type: what [abi.Function.Pack] takes. A string, bytes, an array or a tuple with one
// of them in it is no word that could be compared, and its path is refused: see [abi.Function.Word] for
// "data.length", "data.words[0]", elements, components, and "data.offset". An ordering of a signed integer is
// refused, since the contract does not know of signs.
func Arg(path string, condition Condition, value any) Rule {
	return Rule{Path: path, Value: value, Condition: condition}
}

// WordRule is a rule on the word that begins offset bytes after the selector: a multiple of 32 that fits
// uint16. The word is compared as it is.
func WordRule(offset uint64, condition Condition, word common.Hash) Rule {
	return Rule{Offset: offset, Word: word, Condition: condition}
}

// resolve returns r as a raw rule of a call to f, which is nil when only the selector is known.
func (r Rule) resolve(f *abi.Function) (Rule, error) {
	if !r.Condition.isKnown() {
		return Rule{}, fmt.Errorf("unknown %s", r.Condition)
	}
	raw := r
	if r.Path != "" {
		var err error
		if raw, err = r.lookUp(f); err != nil {
			return Rule{}, err
		}
	} else if r.Value != nil {
		return Rule{}, errors.New("a value without an argument; name the argument, or give a raw Word")
	}
	switch {
	case raw.Offset%abi.WordSize != 0:
		return Rule{}, fmt.Errorf("offset %d is not a multiple of %d; it counts bytes after the selector", raw.Offset, abi.WordSize)
	case raw.Offset > math.MaxUint16:
		return Rule{}, fmt.Errorf("offset %d does not fit uint16; the contract cannot look that far", raw.Offset)
	}
	return raw, nil
}

// lookUp turns a rule by name into a raw one.
func (r Rule) lookUp(f *abi.Function) (Rule, error) {
	switch {
	case f == nil:
		return Rule{}, fmt.Errorf("argument %s of a bare selector; give the policy's Function, or use WordRule", r.Path)
	case r.Offset != 0 || r.Word != (common.Hash{}):
		return Rule{}, fmt.Errorf("argument %s with an offset or word of its own; use either Arg or WordRule", r.Path)
	}
	at, err := f.Word(r.Path)
	if err != nil {
		return Rule{}, err
	}
	if r.Condition.isOrdering() && isSigned(at.Type) {
		return Rule{}, fmt.Errorf("argument %s: %s on %s: the contract compares unsigned, where negative numbers are the largest; use WordRule(%d, …) if that is meant", r.Path, r.Condition, at.Type, at.Offset)
	}
	word, err := at.Encode(r.Value)
	if err != nil {
		return Rule{}, fmt.Errorf("argument %w", err)
	}
	return WordRule(at.Offset, r.Condition, word), nil
}

func isSigned(abiType string) bool { return strings.HasPrefix(abiType, "int") }

// describe writes a raw rule in words, by the function's names where they are known: "to = 0x…". What is
// somewhere only as long as a caller encodes in the standard way is marked, unless one of the rules beside it
// leaves no other way.
func (r Rule) describe(f *abi.Function, rules []Rule) string {
	name, format := nameWord(f, r.Offset)
	if f != nil {
		if at, ok := f.WordAt(r.Offset); ok && freeOffset(rules, f, at) != "" {
			name += " (in the standard encoding)"
		}
	}
	return fmt.Sprintf("%s %s %s", name, r.Condition, format(r.Word))
}

// nameWord returns what to call the word at an offset, and how to print it.
func nameWord(f *abi.Function, offset uint64) (name string, format func(common.Hash) string) {
	if f != nil {
		if at, ok := f.WordAt(offset); ok {
			return at.Name(), at.Format
		}
	}
	return fmt.Sprintf("the word at offset %d", offset), common.Hash.Hex
}

// Condition is how a rule compares a word of the call with its reference. The ABI session validation module
// compares both as unsigned 256-bit integers, whatever the argument's type.
type Condition uint8

// The conditions, numbered as the contract numbers them. Any other number never holds.
const (
	Equal Condition = iota
	LessThanOrEqual
	LessThan
	GreaterThanOrEqual
	GreaterThan
	// NotEqual forbids one value.
	NotEqual
)

var conditionSigns = [...]string{Equal: "=", LessThanOrEqual: "≤", LessThan: "<", GreaterThanOrEqual: "≥", GreaterThan: ">", NotEqual: "≠"}

// String returns the condition's sign, such as "≤".
func (c Condition) String() string {
	if c.isKnown() {
		return conditionSigns[c]
	}
	return fmt.Sprintf("condition %d", uint8(c))
}

// ParseCondition reads a condition by the name that the TypeScript SDK gives it, LESS_THAN_OR_EQUAL or, as it
// is misspelt there, LASS_THAN_OR_EQUAL.
func ParseCondition(name string) (Condition, error) {
	switch name {
	case "EQUAL":
		return Equal, nil
	case "LESS_THAN_OR_EQUAL", "LASS_THAN_OR_EQUAL":
		return LessThanOrEqual, nil
	case "LESS_THAN":
		return LessThan, nil
	case "GREATER_THAN_OR_EQUAL":
		return GreaterThanOrEqual, nil
	case "GREATER_THAN":
		return GreaterThan, nil
	case "NOT_EQUAL":
		return NotEqual, nil
	}
	return 0, fmt.Errorf("%w: unknown condition %q; want EQUAL, LESS_THAN_OR_EQUAL, LESS_THAN, GREATER_THAN_OR_EQUAL, GREATER_THAN or NOT_EQUAL", ErrInvalid, name)
}

func (c Condition) isKnown() bool { return int(c) < len(conditionSigns) }

// isOrdering reports whether the condition asks for more than being the same or not.
func (c Condition) isOrdering() bool { return c != Equal && c != NotEqual }

// passesHighBits reports whether a word for which the condition does not hold can be made to pass by setting
// higher bits of it.
func (c Condition) passesHighBits() bool {
	return c == NotEqual || c == GreaterThan || c == GreaterThanOrEqual
}

// holds is the contract's comparison.
func (c Condition) holds(word, reference *common.Hash) bool {
	order := bytes.Compare(word[:], reference[:])
	switch c {
	case Equal:
		return order == 0
	case LessThanOrEqual:
		return order <= 0
	case LessThan:
		return order < 0
	case GreaterThanOrEqual:
		return order >= 0
	case GreaterThan:
		return order > 0
	case NotEqual:
		return order != 0
	}
	return false
}
