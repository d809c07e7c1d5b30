package tsstore

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
)

// inspectRule inspects one rule of the ABI module, of a call to f if that is known.
func (in *inspection) inspectRule(field string, raw []byte, f *abi.Function, known map[common.Address]bool) {
	r := parseRule(raw)
	if text, ok := spells(raw[:conditionAt]); ok && r.offset%abi.WordSize != 0 {
		in.addLeaf(FindingNumberText, session.SeverityDanger, field, "the offset %d spells %q: the SDK writes a text by its characters, and the rule looks elsewhere; %s with a number", r.offset, text, anew)
	}
	if r.condition > session.NotEqual {
		in.inspectCondition(field, r.condition)
	}
	ref := reference{rule: r, field: field, typ: wordType(f, r.offset)}
	if ref.typ == abi.TypeOffset || r.word == (common.Hash{}) {
		return
	}
	if right, sure := ref.paddedRight(known); right {
		in.addPadded(&ref, FindingPaddedRight, sure)
	} else if ref.paddedLeft() {
		in.addPadded(&ref, FindingPaddedLeft, true)
	} else if !in.inspectNumber(&ref) && ref.foreign() {
		in.addLeaf(FindingData, session.SeverityWarning, field, "no %s encodes to the reference %s; %s", ref.typ, r.word, anew)
	}
}

func (in *inspection) inspectCondition(field string, c session.Condition) {
	if text, ok := spells([]byte{byte(c)}); ok {
		in.addLeaf(FindingNumberText, session.SeverityWarning, field, "condition %d spells %q and never holds: the SDK writes a text by its characters; %s with a number", c, text, anew)
		return
	}
	in.addLeaf(FindingCondition, session.SeverityWarning, field, "condition %d never holds: the SDK's RuleHelpers.Condition makes -1, which is 255, of a name that it does not know, and it spells one LASS_THAN_OR_EQUAL; %s with a number from 0 to 5", uint8(c), anew)
}

// reference is a rule with what its reference value should be.
type reference struct {
	rule
	field string
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
	return r.condition != session.Equal && r.condition != session.NotEqual
}

// plausibleSize is how many bytes numbers have that people write.
const plausibleSize = 16

// paddedRight reports whether the reference looks like an address or a number with its zeros behind it,
// and whether it can hardly be anything else.
func (r *reference) paddedRight(known map[common.Address]bool) (looks, sure bool) {
	switch {
	case r.typ == "address":
		looks = !fitsLeft(r.word, common.AddressLength) && fitsRight(r.word, common.AddressLength)
		return looks, true
	case r.typ == "bool":
		return r.word[0] == 1 && fitsRight(r.word, 1), true
	case r.typ != "":
		return r.isNumber() && fitsRight(r.word, plausibleSize), true
	case fitsLeft(r.word, common.AddressLength):
		return false, false
	}
	significant := bytes.TrimRight(r.word[:], "\x00")
	n := len(significant)
	switch {
	case n <= common.AddressLength && known[common.Address(r.word[:common.AddressLength])]:
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
	return size > 0 && !fitsRight(r.word, size) && fitsLeft(r.word, size)
}

// foreign reports whether no value of the argument's type encodes to the reference.
func (r *reference) foreign() bool {
	digits, isUint := strings.CutPrefix(r.typ, "uint")
	bits, _ := strconv.Atoi(digits)
	switch {
	case r.typ == "address":
		return !fitsLeft(r.word, common.AddressLength)
	case r.typ == "bool":
		return !fitsLeft(r.word, 1) || r.word[abi.WordSize-1] > 1
	case isUint:
		return !fitsLeft(r.word, bits/8)
	}
	return r.bytesSize() > 0 && !fitsRight(r.word, r.bytesSize())
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
func (in *inspection) addPadded(r *reference, code session.FindingCode, sure bool) {
	side, way := "left", "right, as bytes are"
	if code == FindingPaddedRight {
		side, way = "right", "left, as a bigint or an address is"
	}
	severity, passes := session.SeverityWarning, "no call passes"
	if r.lets(code == FindingPaddedRight) {
		severity, passes = session.SeverityDanger, "every call passes the rule"
	}
	is, ifSo := "is", ""
	if !sure {
		severity, is, ifSo = session.SeverityNote, "looks", "if so, "
	}
	in.addLeaf(code, severity, r.field, "the reference %s %s padded on the %s, and as the module reads it %s; %s%s padded on the %s", r.word, is, side, passes, ifSo, anew, way)
}

// lets reports whether the rule holds for all sensible arguments if its reference is far too large or,
// otherwise, too small.
func (r *reference) lets(tooLarge bool) bool {
	switch r.condition {
	case session.NotEqual:
		return true
	case session.LessThan, session.LessThanOrEqual:
		return tooLarge
	case session.GreaterThan, session.GreaterThanOrEqual:
		return !tooLarge
	}
	return false
}

// inspectNumber looks for a number whose hex digits are the decimal number that was meant: the SDK takes
// the text "100" for 0x100. A round number in hex, such as 0x64, is one that was meant.
func (in *inspection) inspectNumber(r *reference) bool {
	digits := strings.TrimLeft(r.word.Hex()[2:], "0")
	if !r.isNumber() || len(digits) < 2 || strings.Trim(digits, "0123456789") != "" || r.typ == "" && !r.untypedNumber() {
		return false
	}
	value := new(uint256.Int).SetBytes32(r.word[:])
	rounder := zeros(digits) - zeros(value.Dec())
	if rounder < 0 {
		return false
	}
	severity := session.SeverityNote
	if rounder > 0 {
		severity = session.SeverityWarning
	}
	in.addLeaf(FindingDecimalAsHex, severity, r.field, "the reference is %s, and its hex digits read %s: the SDK takes the text \"%s\" for hex; if %s was meant, %s with a bigint", value.Dec(), digits, digits, digits, anew)
	return true
}

// untypedNumber reports whether the reference of an argument whose type is not known is a number, rather
// than an address or where the content of an array begins.
func (r *reference) untypedNumber() bool {
	const farthest = 32 * abi.WordSize
	value := new(uint256.Int).SetBytes32(r.word[:])
	isOffset := r.condition == session.Equal && value.LtUint64(farthest+1) && value.Uint64()%abi.WordSize == 0
	return fitsLeft(r.word, plausibleSize) && !isOffset
}

// zeros counts the zeros that a number ends in.
func zeros(digits string) int { return len(digits) - len(strings.TrimRight(digits, "0")) }

// spells returns the text whose characters the bytes of a number are, without leading zeros: decimal
// digits, or 0x and hex digits.
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
