package policy

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Condition is how a rule compares a word of the call with its reference. The ABI session validation
// module compares both as unsigned 256-bit integers, whatever the argument's type.
type Condition uint8

// The conditions, numbered as the contract numbers them. Any other number never holds.
const (
	Equal Condition = iota
	LessThanOrEqual
	LessThan
	GreaterThanOrEqual
	GreaterThan
	// NotEqual forbids one value. One published source of the module (bcnmy/scw-contracts, commit 8027bc8)
	// negates bitwise there, so that every value passes on chain: try it where the account is before other
	// people's money depends on it, or say what is allowed instead.
	NotEqual
)

var conditionSigns = [...]string{Equal: "=", LessThanOrEqual: "≤", LessThan: "<", GreaterThanOrEqual: "≥", GreaterThan: ">", NotEqual: "≠"}

// String returns the condition's sign, such as "≤".
func (c Condition) String() string {
	if c.known() {
		return conditionSigns[c]
	}
	return fmt.Sprintf("condition %d", uint8(c))
}

// ParseCondition reads a condition by the name that the TypeScript SDK gives it, LESS_THAN_OR_EQUAL or,
// as it is misspelt there, LASS_THAN_OR_EQUAL.
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

func (c Condition) known() bool { return int(c) < len(conditionSigns) }

// orders reports whether the condition asks for more than being the same or not.
func (c Condition) orders() bool { return c != Equal && c != NotEqual }

// passesLarger reports whether a word for which the condition does not hold can be made to pass by setting
// higher bits of it.
func (c Condition) passesLarger() bool {
	return c == NotEqual || c == GreaterThan || c == GreaterThanOrEqual
}

// holds is the contract's comparison.
func (c Condition) holds(word, reference common.Hash) bool {
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
