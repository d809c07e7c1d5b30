package abi

import (
	"strconv"
	"strings"
)

// kind tells the ABI types apart.
type kind uint8

const (
	kindUint kind = iota
	kindInt
	kindBool
	kindAddress
	kindFixedBytes
	kindBytes
	kindString
	kindSlice
	kindArray
	kindTuple
)

// valueType is one ABI type. It is immutable once made.
type valueType struct {
	kind kind
	// size is the bits of an integer, the bytes of a bytesN, the length of a fixed array.
	size int
	// elem is the element of a slice or fixed array.
	elem *valueType
	// fields are the components of a tuple.
	fields []field
	// dynamic types have an offset word in the head and their content in the tail.
	dynamic bool
	// words is how many words the type takes in the head: its whole encoding when it is static, one when it
	// is dynamic.
	words int
	// depth is how deep tuples and arrays are nested, 0 for an elementary type.
	depth int
}

// field is a named member: an argument, a result, a component of a tuple.
type field struct {
	name    string
	typ     *valueType
	indexed bool
}

// elementaryType resolves a type name such as "uint", "bytes4" or "address".
func elementaryType(name string) (*valueType, bool) {
	switch name {
	case "address":
		return &valueType{kind: kindAddress, words: 1}, true
	case "bool":
		return &valueType{kind: kindBool, words: 1}, true
	case "string":
		return &valueType{kind: kindString, words: 1, dynamic: true}, true
	case "bytes":
		return &valueType{kind: kindBytes, words: 1, dynamic: true}, true
	case "uint":
		return &valueType{kind: kindUint, size: 256, words: 1}, true
	case "int":
		return &valueType{kind: kindInt, size: 256, words: 1}, true
	}
	return sizedType(name)
}

// sizedType resolves uintN, intN and bytesN.
func sizedType(name string) (*valueType, bool) {
	for _, family := range [...]struct {
		prefix    string
		kind      kind
		step, max int
	}{
		{"uint", kindUint, 8, 256},
		{"int", kindInt, 8, 256},
		{"bytes", kindFixedBytes, 1, 32},
	} {
		digits, ok := strings.CutPrefix(name, family.prefix)
		if !ok || len(digits) > 3 {
			continue
		}
		n, err := strconv.Atoi(digits)
		if err != nil || n < family.step || n > family.max || n%family.step != 0 || strconv.Itoa(n) != digits {
			return nil, false
		}
		return &valueType{kind: family.kind, size: n, words: 1}, true
	}
	return nil, false
}

func sliceOf(elem *valueType) *valueType {
	return &valueType{kind: kindSlice, elem: elem, dynamic: true, words: 1, depth: elem.depth + 1}
}

func arrayOf(elem *valueType, size int) *valueType {
	t := &valueType{kind: kindArray, elem: elem, size: size, words: elem.words * size, depth: elem.depth + 1}
	if t.dynamic = elem.dynamic; t.dynamic {
		t.words = 1
	}
	return t
}

func tupleOf(fields []field) *valueType {
	t := &valueType{kind: kindTuple, fields: fields, words: headWords(fields)}
	for _, f := range fields {
		t.dynamic = t.dynamic || f.typ.dynamic
		t.depth = max(t.depth, f.typ.depth+1)
	}
	if t.dynamic {
		t.words = 1
	}
	return t
}

// headWords is how many words the heads of fields take together.
func headWords(fields []field) int {
	words := 0
	for _, f := range fields {
		words += f.typ.words
	}
	return words
}

// String returns the canonical name, as it enters a selector.
func (t *valueType) String() string {
	var b strings.Builder
	t.write(&b, false)
	return b.String()
}

// write writes the type's name; with names, those of tuple components too.
func (t *valueType) write(b *strings.Builder, names bool) {
	switch t.kind {
	case kindUint:
		b.WriteString("uint" + strconv.Itoa(t.size))
	case kindInt:
		b.WriteString("int" + strconv.Itoa(t.size))
	case kindBool:
		b.WriteString("bool")
	case kindAddress:
		b.WriteString("address")
	case kindFixedBytes:
		b.WriteString("bytes" + strconv.Itoa(t.size))
	case kindBytes:
		b.WriteString("bytes")
	case kindString:
		b.WriteString("string")
	case kindSlice:
		t.elem.write(b, names)
		b.WriteString("[]")
	case kindArray:
		t.elem.write(b, names)
		b.WriteString("[" + strconv.Itoa(t.size) + "]")
	case kindTuple:
		writeFields(b, t.fields, names)
	}
}

// writeFields writes fields in parentheses, canonical or as people write them.
func writeFields(b *strings.Builder, fields []field, names bool) {
	b.WriteByte('(')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
			if names {
				b.WriteByte(' ')
			}
		}
		f.typ.write(b, names)
		if names && f.indexed {
			b.WriteString(" indexed")
		}
		if names && f.name != "" {
			b.WriteString(" " + f.name)
		}
	}
	b.WriteByte(')')
}
