package abi

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
)

// appendFields encodes values as the ABI encodes members of a tuple: their heads, then the tails of the
// dynamic ones. The caller has checked that there are as many values as fields.
func appendFields(dst []byte, fields []field, values []any) ([]byte, error) {
	base := len(dst)
	var err error
	for i, f := range fields {
		if f.typ.dynamic {
			dst = abiword.AppendUint64(dst, 0) // the offset: set below
		} else if dst, err = f.typ.appendValue(dst, values[i]); err != nil {
			return nil, inField(i, fields, err)
		}
	}
	head := base
	for i, f := range fields {
		if f.typ.dynamic {
			setOffset(dst, base, head)
			if dst, err = f.typ.appendValue(dst, values[i]); err != nil {
				return nil, inField(i, fields, err)
			}
		}
		head += f.typ.words * WordSize
	}
	return dst, nil
}

// appendElements encodes n elements of one type, likewise.
func appendElements(dst []byte, elem *valueType, n int, at func(int) any) ([]byte, error) {
	base := len(dst)
	if elem.dynamic {
		dst = append(dst, make([]byte, n*WordSize)...)
	}
	var err error
	for i := range n {
		if elem.dynamic {
			setOffset(dst, base, base+i*WordSize)
		}
		if dst, err = elem.appendValue(dst, at(i)); err != nil {
			return nil, inElement(i, err)
		}
	}
	return dst, nil
}

// setOffset makes the word at head point to the end of dst, counted from base.
func setOffset(dst []byte, base, head int) {
	binary.BigEndian.PutUint64(dst[head+WordSize-8:], uint64(len(dst)-base))
}

// appendValue appends the encoding of v, without the offset word of a dynamic type.
func (t *valueType) appendValue(dst []byte, v any) ([]byte, error) {
	v, err := indirect(v)
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case kindUint, kindInt:
		n, err := toInteger(t, v)
		if err != nil {
			return nil, err
		}
		return appendInteger(dst, n), nil
	case kindAddress:
		a, err := toAddress(v)
		return abiword.AppendAddress(dst, a), err
	case kindBool:
		b, err := toBool(v)
		return appendBool(dst, b), err
	case kindFixedBytes:
		b, err := toFixedBytes(t, v)
		var word common.Hash
		copy(word[:], b)
		return abiword.AppendWord(dst, word), err
	case kindBytes:
		b, err := toBytes(t, v)
		return abiword.AppendBytes(dst, b), err
	case kindString:
		s, err := toString(v)
		return abiword.AppendBytes(dst, []byte(s)), err
	case kindTuple:
		values, err := toComponents(t, v)
		if err != nil {
			return nil, err
		}
		return appendFields(dst, t.fields, values)
	default:
		return t.appendArray(dst, v)
	}
}

func (t *valueType) appendArray(dst []byte, v any) ([]byte, error) {
	n, at, err := toElements(t, v)
	if err != nil {
		return nil, err
	}
	if t.kind == kindSlice {
		dst = abiword.AppendUint64(dst, uint64(n))
	} else if n != t.size {
		return nil, fmt.Errorf("%s has %s, %d given", t, abiword.Count(t.size, "element"), n)
	}
	return appendElements(dst, t.elem, n, at)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return abiword.AppendUint64(dst, 1)
	}
	return abiword.AppendUint64(dst, 0)
}

// The functions here turn what callers have in Go into what an ABI type takes. They expect v as indirect
// returns it: no pointer, no interface, not nil.

var errNil = errors.New("is nil")

// maxPointers bounds chains of pointers; a pointer to itself is one without end.
const maxPointers = 4

// indirect returns what v points to.
func indirect(v any) (any, error) {
	if v == nil {
		return nil, errNil
	}
	rv := reflect.ValueOf(v)
	for range maxPointers {
		if rv.Kind() != reflect.Pointer && rv.Kind() != reflect.Interface {
			return rv.Interface(), nil
		}
		if rv.IsNil() {
			return nil, errNil
		}
		rv = rv.Elem()
	}
	return nil, fmt.Errorf("cannot use a %T: too many pointers", v)
}

func cannotUse(v any, t *valueType) error {
	return fmt.Errorf("cannot use %s as %s", describeType(v), t)
}

// describeType names v's type, and quotes v when it is text.
func describeType(v any) string {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.String {
		return quote(rv.String())
	}
	return reflect.TypeOf(v).String()
}

// asText returns v's text when its type is a string.
func asText(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	rv := reflect.ValueOf(v)
	return rv.String(), rv.Kind() == reflect.String
}

func toAddress(v any) (common.Address, error) {
	if a, ok := v.(common.Address); ok {
		return a, nil
	}
	if s, ok := asText(v); ok {
		return parseAddress(s)
	}
	if b, ok := byteArray(v); ok && len(b) == common.AddressLength {
		return common.Address(b), nil
	}
	return common.Address{}, cannotUse(v, &valueType{kind: kindAddress})
}

// parseAddress reads 0x and 40 hex digits. In mixed case they carry a checksum (EIP-55), which has to be
// right.
func parseAddress(s string) (common.Address, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != common.AddressLength {
		return common.Address{}, fmt.Errorf("%s is not an address: write 0x and 40 hex digits", quote(s))
	}
	a := common.Address(b)
	if mixed := digits != strings.ToLower(digits) && digits != strings.ToUpper(digits); mixed && a.Hex() != s {
		return common.Address{}, fmt.Errorf("address %s has a wrong checksum: a character is mistyped, or its letter case (EIP-55)", s)
	}
	return a, nil
}

func toBool(v any) (bool, error) {
	rv := reflect.ValueOf(v)
	switch {
	case rv.Kind() == reflect.Bool:
		return rv.Bool(), nil
	case rv.Kind() == reflect.String && rv.String() == "true":
		return true, nil
	case rv.Kind() == reflect.String && rv.String() == "false":
		return false, nil
	}
	return false, cannotUse(v, &valueType{kind: kindBool})
}

func toString(v any) (string, error) {
	s, ok := asText(v)
	if !ok {
		return "", cannotUse(v, &valueType{kind: kindString})
	}
	return s, nil
}

func toFixedBytes(t *valueType, v any) ([]byte, error) {
	b, err := toBytes(t, v)
	if err == nil && len(b) != t.size {
		return nil, fmt.Errorf("%s has %s, %d given", t, abiword.Count(t.size, "byte"), len(b))
	}
	return b, err
}

func toBytes(t *valueType, v any) ([]byte, error) {
	if s, ok := asText(v); ok {
		return parseHex(s)
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8 {
		return rv.Bytes(), nil
	}
	if b, ok := byteArray(v); ok {
		return b, nil
	}
	return nil, cannotUse(v, t)
}

func parseHex(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return nil, fmt.Errorf("%s is not 0x-hex: write 0x and two hex digits a byte", quote(s))
	}
	return b, nil
}

// byteArray returns a copy of v when it is some [N]byte.
func byteArray(v any) ([]byte, bool) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Array || rv.Type().Elem() != reflect.TypeFor[byte]() {
		return nil, false
	}
	b := make([]byte, rv.Len())
	reflect.Copy(reflect.ValueOf(b), rv)
	return b, true
}
