package abi

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
)

// The functions here turn what callers have in Go into what an ABI type takes. They expect v as
// indirect returns it: no pointer, no interface, not nil.

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

// text returns v's text when its type is a string.
func text(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, true
	}
	rv := reflect.ValueOf(v)
	return rv.String(), rv.Kind() == reflect.String
}

// toInteger returns v when it is in t's range.
func toInteger(t *valueType, v any) (*big.Int, error) {
	n, err := anyInteger(t, v)
	if err != nil {
		return nil, err
	}
	if !t.holds(n) {
		return nil, fmt.Errorf("%s does not fit %s", shorten(n.String(), maxQuoted), t)
	}
	return n, nil
}

func anyInteger(t *valueType, v any) (*big.Int, error) {
	switch v := v.(type) {
	case big.Int:
		return &v, nil
	case hexutil.Big:
		return (*big.Int)(&v), nil
	case uint256.Int:
		return v.ToBig(), nil
	case hexutil.U256:
		return (*uint256.Int)(&v).ToBig(), nil
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.CanInt():
		return big.NewInt(rv.Int()), nil
	case rv.CanUint():
		return new(big.Int).SetUint64(rv.Uint()), nil
	case rv.Kind() == reflect.String:
		return parseInteger(rv.String())
	case rv.CanFloat():
		return nil, fmt.Errorf("%w: a float is not exact, give a *big.Int or a decimal string", cannotUse(v, t))
	}
	return nil, cannotUse(v, t)
}

// maxDigits bounds integers as text; 78 decimals make 256 bits.
const maxDigits = 100

// parseInteger reads decimals or 0x-hex, with or without a minus sign.
func parseInteger(s string) (*big.Int, error) {
	digits, base := strings.TrimPrefix(s, "-"), 10
	if rest, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = rest, 16
	}
	n, ok := new(big.Int), len(digits) <= maxDigits && !strings.ContainsAny(digits, "+-_")
	if ok {
		n, ok = n.SetString(digits, base)
	}
	if !ok {
		return nil, fmt.Errorf("%s is not an integer: write decimals or 0x-hex", quote(s))
	}
	if strings.HasPrefix(s, "-") {
		n.Neg(n)
	}
	return n, nil
}

// holds reports whether n is in the range of the integer type t.
func (t *valueType) holds(n *big.Int) bool {
	if t.kind == kindUint {
		return n.Sign() >= 0 && n.BitLen() <= t.size
	}
	if n.Sign() < 0 {
		n = new(big.Int).Not(n) // -n-1: -128 takes as many bits as 127
	}
	return n.BitLen() < t.size
}

func toAddress(v any) (common.Address, error) {
	if a, ok := v.(common.Address); ok {
		return a, nil
	}
	if s, ok := text(v); ok {
		return parseAddress(s)
	}
	if b, ok := byteArray(v); ok && len(b) == common.AddressLength {
		return common.Address(b), nil
	}
	return common.Address{}, cannotUse(v, &valueType{kind: kindAddress})
}

// parseAddress reads 0x and 40 hex digits. In mixed case they carry a checksum (EIP-55), which has to be right.
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
	s, ok := text(v)
	if !ok {
		return "", cannotUse(v, &valueType{kind: kindString})
	}
	return s, nil
}

func toFixedBytes(t *valueType, v any) ([]byte, error) {
	b, err := toBytes(t, v)
	if err == nil && len(b) != t.size {
		return nil, fmt.Errorf("%s has %s, %d given", t, plural(t.size, "byte"), len(b))
	}
	return b, err
}

func toBytes(t *valueType, v any) ([]byte, error) {
	if s, ok := text(v); ok {
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

// toElements returns how many elements the slice or array v has, and how to get at them.
func toElements(t *valueType, v any) (n int, at func(int) any, err error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return 0, nil, cannotUse(v, t)
	}
	return rv.Len(), func(i int) any { return rv.Index(i).Interface() }, nil
}

// toComponents returns v's values for the components of the tuple t, in order.
func toComponents(t *valueType, v any) ([]any, error) {
	if tuple, ok := v.(Tuple); ok {
		v = tuple.values()
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Struct:
		return componentsByName(t, structValues(rv))
	case reflect.Map:
		if rv.Type().Key().Kind() != reflect.String {
			return nil, cannotUse(v, t)
		}
		if rv.Len() > len(t.fields) {
			return nil, fmt.Errorf("%s has %s, the map has %d", t, plural(len(t.fields), "component"), rv.Len())
		}
		return componentsByName(t, mapValues(rv))
	default:
		n, at, err := toElements(t, v)
		if err != nil {
			return nil, err
		}
		if n != len(t.fields) {
			return nil, fmt.Errorf("%s has %s, %d given", t, plural(len(t.fields), "component"), n)
		}
		values := make([]any, n)
		for i := range values {
			values[i] = at(i)
		}
		return values, nil
	}
}

// namedValue is a struct's field or a map's entry.
type namedValue struct {
	name  string
	value any
}

func structValues(rv reflect.Value) []namedValue {
	var list []namedValue
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name := f.Name
		if tag := f.Tag.Get("abi"); tag != "" {
			name = tag
		}
		list = append(list, namedValue{name, rv.Field(i).Interface()})
	}
	return list
}

func mapValues(rv reflect.Value) []namedValue {
	var list []namedValue
	for entries := rv.MapRange(); entries.Next(); {
		list = append(list, namedValue{entries.Key().String(), entries.Value().Interface()})
	}
	return list
}

// componentsByName finds each component of t in list, where each value serves one component.
func componentsByName(t *valueType, list []namedValue) ([]any, error) {
	byName := make(map[string][]any)
	for _, v := range list {
		name := plainName(v.name)
		byName[name] = append(byName[name], v.value)
	}
	values := make([]any, len(t.fields))
	for i, f := range t.fields {
		name := plainName(f.name)
		found, known := byName[name]
		switch {
		case f.name == "":
			return nil, fmt.Errorf("component %d of %s has no name: give the components in order, as []any", i+1, t)
		case !known:
			return nil, fmt.Errorf("no value for component %q of %s", f.name, t)
		case len(found) != 1:
			return nil, fmt.Errorf("which value is for component %q of %s is not clear: give the components in order, as []any", f.name, t)
		}
		values[i], byName[name] = found[0], nil
	}
	return values, nil
}

// plainName is a name without letter case and underscores: _maxFee, max_fee and MaxFee are one.
func plainName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}
