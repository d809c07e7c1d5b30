package abi

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

// newRand returns numbers that are the same in every run.
func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// randomSignature returns the human-readable signature of some function.
func randomSignature(r *rand.Rand) string {
	return "function f" + randomList(r, r.IntN(5), 3)
}

func randomList(r *rand.Rand, n, depth int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("%s v%d", randomType(r, depth), i)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func randomType(r *rand.Rand, depth int) string {
	if depth > 0 {
		switch r.IntN(8) {
		case 0:
			return randomType(r, depth-1) + "[]"
		case 1:
			return fmt.Sprintf("%s[%d]", randomType(r, depth-1), 1+r.IntN(3))
		case 2, 3:
			return randomList(r, 1+r.IntN(3), depth-1)
		}
	}
	switch r.IntN(7) {
	case 0:
		return "address"
	case 1:
		return "bool"
	case 2:
		return "string"
	case 3:
		return "bytes"
	case 4:
		return fmt.Sprintf("bytes%d", 1+r.IntN(32))
	case 5:
		return fmt.Sprintf("int%d", 8*(1+r.IntN(32)))
	}
	return fmt.Sprintf("uint%d", 8*(1+r.IntN(32)))
}

// randomValues returns values of the function's arguments, typed as Unpack types them.
func randomValues(r *rand.Rand, fields []field) []any {
	values := make([]any, len(fields))
	for i, f := range fields {
		values[i] = randomValue(r, f.typ)
	}
	return values
}

func randomValue(r *rand.Rand, t *valueType) any {
	switch t.kind {
	case kindBytes:
		return randomBytes(r, r.IntN(100))
	case kindString:
		return string(randomBytes(r, r.IntN(100)))
	case kindTuple:
		tuple := Tuple{}
		for i, v := range randomValues(r, t.fields) {
			tuple = append(tuple, Component{Name: t.fields[i].name, Value: v})
		}
		return tuple
	case kindSlice, kindArray:
		n := t.size
		if t.kind == kindSlice {
			n = r.IntN(4)
		}
		list := reflect.MakeSlice(t.goType(), n, n)
		for i := range n {
			list.Index(i).Set(reflect.ValueOf(randomValue(r, t.elem)))
		}
		return list.Interface()
	}
	for { // a word that is in range
		word := common.Hash(randomBytes(r, WordSize))
		switch t.kind {
		case kindUint, kindInt:
			n := t.integer(word)
			n.Rsh(n, uint(256-t.size))
			if r.IntN(4) == 0 {
				n.Rsh(n, uint(r.IntN(t.size)))
			}
			word = common.Hash(appendInteger(nil, n))
		case kindAddress:
			clear(word[:12])
		case kindBool:
			word = common.Hash{31: word[31] & 1}
		case kindFixedBytes:
			clear(word[t.size:])
		}
		if v, err := t.fromWord(word); err == nil {
			return v
		}
	}
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// gethArguments are the function's arguments as go-ethereum's encoder knows them.
func gethArguments(t *testing.T, list []Param) gethabi.Arguments {
	args := make(gethabi.Arguments, len(list))
	for i, p := range gethComponents(list) {
		typ, err := gethabi.NewType(p.Type, "", p.Components)
		require.NoError(t, err)
		args[i] = gethabi.Argument{Name: p.Name, Type: typ}
	}
	return args
}

func gethComponents(list []Param) []gethabi.ArgumentMarshaling {
	out := make([]gethabi.ArgumentMarshaling, len(list))
	for i, p := range list {
		out[i] = gethabi.ArgumentMarshaling{Name: p.Name, Type: p.Type, Components: gethComponents(p.Components)}
		if len(p.Components) > 0 {
			out[i].Type = "tuple" + p.Type[strings.LastIndex(p.Type, ")")+1:]
		}
	}
	return out
}

// gethValue converts a decoded value into what go-ethereum's encoder takes for it.
func gethValue(typ reflect.Type, v any) reflect.Value {
	out := reflect.New(typ).Elem()
	switch rv := reflect.ValueOf(v); {
	case typ == reflect.TypeFor[*big.Int](), typ.Kind() == reflect.String, typ.Kind() == reflect.Bool:
		return rv
	case typ.Kind() == reflect.Struct:
		for i, c := range v.(Tuple) {
			out.Field(i).Set(gethValue(typ.Field(i).Type, c.Value))
		}
	case typ.Kind() == reflect.Slice:
		out = reflect.MakeSlice(typ, rv.Len(), rv.Len())
		fallthrough
	case typ.Kind() == reflect.Array:
		for i := range rv.Len() {
			out.Index(i).Set(gethValue(typ.Elem(), rv.Index(i).Interface()))
		}
	default:
		return rv.Convert(typ)
	}
	return out
}

// gethPack is what go-ethereum's encoder makes of the arguments.
func gethPack(t *testing.T, f *Function, values []any) []byte {
	args := gethArguments(t, f.Inputs())
	converted := make([]any, len(values))
	for i, v := range values {
		converted[i] = gethValue(args[i].Type.GetType(), v).Interface()
	}
	packed, err := args.Pack(converted...)
	require.NoError(t, err)
	return packed
}
