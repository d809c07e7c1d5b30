package abi

import (
	"fmt"
	"math/big"
	"reflect"

	"github.com/ethereum/go-ethereum/common"
)

// fromWord decodes a type of one word, and checks that the word is in its range.
func (t *valueType) fromWord(word common.Hash) (any, error) {
	switch t.kind {
	case kindUint, kindInt:
		n := t.integer(word)
		if !t.holds(n) {
			return nil, fmt.Errorf("word %s does not fit %s", word, t)
		}
		return t.native(n), nil
	case kindAddress:
		if !isZero(word[:WordSize-common.AddressLength]) {
			return nil, fmt.Errorf("word %s is not an address", word)
		}
		return common.Address(word[WordSize-common.AddressLength:]), nil
	case kindBool:
		if !isZero(word[:WordSize-1]) || word[WordSize-1] > 1 {
			return nil, fmt.Errorf("word %s is not a bool", word)
		}
		return word[WordSize-1] == 1, nil
	default:
		return t.fixedBytes(word)
	}
}

func (t *valueType) fixedBytes(word common.Hash) (any, error) {
	if t.size == WordSize {
		return word, nil
	}
	if !isZero(word[t.size:]) {
		return nil, fmt.Errorf("word %s does not fit %s", word, t)
	}
	array := reflect.New(t.goType()).Elem()
	reflect.Copy(array, reflect.ValueOf(word[:t.size]))
	return array.Interface(), nil
}

// goType is the type of decoded values of t.
func (t *valueType) goType() reflect.Type {
	switch t.kind {
	case kindUint, kindInt:
		return reflect.TypeOf(t.native(new(big.Int)))
	case kindBool:
		return reflect.TypeFor[bool]()
	case kindAddress:
		return reflect.TypeFor[common.Address]()
	case kindFixedBytes:
		if t.size == WordSize {
			return reflect.TypeFor[common.Hash]()
		}
		return reflect.ArrayOf(t.size, reflect.TypeFor[byte]())
	case kindBytes:
		return reflect.TypeFor[[]byte]()
	case kindString:
		return reflect.TypeFor[string]()
	case kindTuple:
		return reflect.TypeFor[Tuple]()
	default:
		return reflect.SliceOf(t.elem.goType())
	}
}
