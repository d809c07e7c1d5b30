package tsstore

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// inspectRule inspects rule i of the ABI module, of a call to f if that is known.
func (in *inspection) inspectRule(i int, raw []byte, f *abi.Function, known map[common.Address]bool) {
	encoded := contracts.ParseABIRule(raw)
	r := policy.WordRule(uint64(encoded.Offset), policy.Condition(encoded.Condition), *encoded.Word)
	if text, ok := spells(raw[:contracts.ABIRuleConditionAt]); ok && r.Offset%abi.WordSize != 0 {
		in.addRule(FindingNumberText, policy.SeverityDanger, i, "the offset %d spells %q: the SDK writes a text by its characters, and the rule looks elsewhere; %s with a number", r.Offset, text, anew)
	}
	if r.Condition > policy.NotEqual {
		in.inspectCondition(i, r.Condition)
	}
	ref := reference{Rule: r, index: i, typ: wordType(f, r.Offset)}
	if ref.typ == abi.TypeOffset || r.Word == (common.Hash{}) {
		return
	}
	if right, sure := ref.paddedRight(known); right {
		in.addPadded(&ref, FindingPaddedRight, sure)
	} else if ref.paddedLeft() {
		in.addPadded(&ref, FindingPaddedLeft, true)
	} else if !in.inspectNumber(&ref) && ref.foreign() {
		in.addRule(FindingData, policy.SeverityWarning, i, "no %s encodes to the reference %s; %s", ref.typ, r.Word, anew)
	}
}

func (in *inspection) inspectCondition(i int, c policy.Condition) {
	if text, ok := spells([]byte{byte(c)}); ok {
		in.addRule(FindingNumberText, policy.SeverityWarning, i, "condition %d spells %q and never holds: the SDK writes a text by its characters; %s with a number", c, text, anew)
		return
	}
	in.addRule(FindingCondition, policy.SeverityWarning, i, "condition %d never holds: the SDK's RuleHelpers.Condition makes -1, which is 255, of a name that it does not know, and it spells one LASS_THAN_OR_EQUAL; %s with a number from 0 to 5", uint8(c), anew)
}

// reference is a rule with what its reference value should be.
type reference struct {
	policy.Rule
	index int
	typ   string // elementary type of the argument's word; empty if it is not known
}

// wordType returns the type of the word at an offset of f's arguments; empty if it is not known.
func wordType(f *abi.Function, offset uint64) string {
	if f == nil {
		return ""
	}
	at, _ := f.WordAt(offset)
	return at.Type
}

// isNumber reports whether the reference is a number, or may be one.
func (r *reference) isNumber() bool {
	return r.typ == "" || r.typ == abi.TypeLength || strings.HasPrefix(r.typ, "uint") || strings.HasPrefix(r.typ, "int")
}

// bytesSize returns the N of bytesN, 0 for other types.
func (r *reference) bytesSize() int {
	digits, _ := strings.CutPrefix(r.typ, "bytes")
	size, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return size
}

// orders reports whether the rule asks for more than being the same or not.
func (r *reference) orders() bool {
	return r.Condition != policy.Equal && r.Condition != policy.NotEqual
}

// plausibleSize is how many bytes numbers have that people write.
const plausibleSize = 16

// paddedRight reports whether the reference looks like an address or a number with its zeros behind it, and
// whether it can hardly be anything else.
func (r *reference) paddedRight(known map[common.Address]bool) (looks, sure bool) {
	switch {
	case r.typ == "address":
		looks = !fitsLeft(r.Word, common.AddressLength) && fitsRight(r.Word, common.AddressLength)
		return looks, true
	case r.typ == "bool":
		return r.Word[0] == 1 && fitsRight(r.Word, 1), true
	case r.typ != "":
		return r.isNumber() && fitsRight(r.Word, plausibleSize), true
	case fitsLeft(r.Word, common.AddressLength):
		return false, false
	}
	significant := bytes.TrimRight(r.Word[:], "\x00")
	n := len(significant)
	switch {
	case n <= common.AddressLength && known[common.Address(r.Word[:common.AddressLength])]:
		return true, true
	case isText(significant):
		return false, false
	case n <= plausibleSize: // what is as short as a selector is often meant so
		return r.orders() || n != abi.SelectorSize, r.orders()
	}
	return n > common.AddressLength-3 && n <= common.AddressLength, true
}

// paddedLeft reports whether the reference is bytesN with its zeros in front, as the SDK pads everything.
func (r *reference) paddedLeft() bool {
	size := r.bytesSize()
	return size > 0 && !fitsRight(r.Word, size) && fitsLeft(r.Word, size)
}

// foreign reports whether no value of the argument's type encodes to the reference.
func (r *reference) foreign() bool {
	digits, isUint := strings.CutPrefix(r.typ, "uint")
	bits, _ := strconv.Atoi(digits)
	switch {
	case r.typ == "address":
		return !fitsLeft(r.Word, common.AddressLength)
	case r.typ == "bool":
		return !fitsLeft(r.Word, 1) || r.Word[abi.WordSize-1] > 1
	case isUint:
		return !fitsLeft(r.Word, bits/8)
	}
	return r.bytesSize() > 0 && !fitsRight(r.Word, r.bytesSize())
}

// fitsLeft reports whether all but the last n bytes are zero, as numbers and addresses are encoded.
func fitsLeft(word common.Hash, n int) bool {
	return len(bytes.TrimLeft(word[:], "\x00")) <= n
}

// fitsRight reports whether all but the first n bytes are zero, as bytes are encoded.
func fitsRight(word common.Hash, n int) bool {
	return len(bytes.TrimRight(word[:], "\x00")) <= n
}

// isText reports whether b are the characters of a short text.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return len(b) > 2
}

// addPadded says what a reference value with its zeros on the wrong side does.
func (in *inspection) addPadded(r *reference, code policy.FindingCode, sure bool) {
	side, way := "left", "right, as bytes are"
	if code == FindingPaddedRight {
		side, way = "right", "left, as a bigint or an address is"
	}
	severity, passes := policy.SeverityWarning, "no call passes"
	if r.lets(code == FindingPaddedRight) {
		severity, passes = policy.SeverityDanger, "every call passes the rule"
	}
	is, ifSo := "is", ""
	if !sure {
		severity, is, ifSo = policy.SeverityNote, "looks", "if so, "
	}
	in.addRule(code, severity, r.index, "the reference %s %s padded on the %s, and as the module reads it %s; %s%s padded on the %s", r.Word, is, side, passes, ifSo, anew, way)
}

// lets reports whether the rule holds for all sensible arguments if its reference is far too large or,
// otherwise, too small.
func (r *reference) lets(tooLarge bool) bool {
	switch r.Condition {
	case policy.NotEqual:
		return true
	case policy.LessThan, policy.LessThanOrEqual:
		return tooLarge
	case policy.GreaterThan, policy.GreaterThanOrEqual:
		return !tooLarge
	}
	return false
}

// inspectNumber looks for a number whose hex digits are the decimal number that was meant: the SDK takes the
// text "100" for 0x100. A round number in hex, such as 0x64, is one that was meant.
func (in *inspection) inspectNumber(r *reference) bool {
	digits := strings.TrimLeft(r.Word.Hex()[2:], "0")
	if !r.isNumber() || len(digits) < 2 || strings.Trim(digits, "0123456789") != "" || r.typ == "" && !r.untypedNumber() {
		return false
	}
	value := new(uint256.Int).SetBytes32(r.Word[:])
	rounder := zeros(digits) - zeros(value.Dec())
	if rounder < 0 {
		return false
	}
	severity := policy.SeverityNote
	if rounder > 0 {
		severity = policy.SeverityWarning
	}
	in.addRule(FindingDecimalAsHex, severity, r.index, "the reference is %s, and its hex digits read %s: the SDK takes the text \"%s\" for hex; if %s was meant, %s with a bigint", value.Dec(), digits, digits, digits, anew)
	return true
}

// untypedNumber reports whether the reference of an argument whose type is not known is a number, rather than
// an address or where the content of an array begins.
func (r *reference) untypedNumber() bool {
	const farthest = 32 * abi.WordSize
	value := new(uint256.Int).SetBytes32(r.Word[:])
	isOffset := r.Condition == policy.Equal && value.LtUint64(farthest+1) && value.Uint64()%abi.WordSize == 0
	return fitsLeft(r.Word, plausibleSize) && !isOffset
}

// zeros counts the zeros that a number ends in.
func zeros(digits string) int { return len(digits) - len(strings.TrimRight(digits, "0")) }

// spells returns the text whose characters the bytes of a number are, without leading zeros: decimal digits,
// or 0x and hex digits.
func spells(number []byte) (text string, ok bool) {
	text = string(bytes.TrimLeft(number, "\x00"))
	digits, isHex := cutHexPrefix(text)
	for _, c := range digits {
		if !isHexDigit(c) || !isHex && c > '9' {
			return "", false
		}
	}
	return text, digits != ""
}
