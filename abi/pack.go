package abi

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/go-sesame/sesame/internal/abiword"
)

// appendFields encodes values as the ABI encodes members of a tuple: their heads, then the
// tails of the dynamic ones. The caller has checked that there are as many values as fields.
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
		return nil, fmt.Errorf("%s has %s, %d given", t, plural(t.size, "element"), n)
	}
	return appendElements(dst, t.elem, n, at)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return abiword.AppendUint64(dst, 1)
	}
	return abiword.AppendUint64(dst, 0)
}
