package abi

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// The Decode functions here read the result of a call that returns one value. Those of one word are
// strict: no more and no less than the word, and that in its range.

// DecodeHash reads a result of one word, such as a bytes32.
func DecodeHash(result []byte) (common.Hash, error) {
	switch len(result) {
	case WordSize:
		return common.Hash(result), nil
	case 0:
		return common.Hash{}, ErrNoData
	}
	return common.Hash{}, fmt.Errorf("result of %s where one word of %d is expected", plural(len(result), "byte"), WordSize)
}

// DecodeUint256 reads a uint256, or a smaller unsigned integer.
func DecodeUint256(result []byte) (uint256.Int, error) {
	word, err := DecodeHash(result)
	var n uint256.Int
	n.SetBytes32(word[:])
	return n, err
}

// DecodeUint8 reads a uint8.
func DecodeUint8(result []byte) (uint8, error) {
	v, err := decodeWord(kindUint, 8, result)
	if err != nil {
		return 0, err
	}
	return v.(uint8), nil
}

// DecodeAddress reads an address.
func DecodeAddress(result []byte) (common.Address, error) {
	v, err := decodeWord(kindAddress, 0, result)
	if err != nil {
		return common.Address{}, err
	}
	return v.(common.Address), nil
}

// DecodeBool reads a bool.
func DecodeBool(result []byte) (bool, error) {
	v, err := decodeWord(kindBool, 0, result)
	if err != nil {
		return false, err
	}
	return v.(bool), nil
}

func decodeWord(k kind, size int, result []byte) (any, error) {
	word, err := DecodeHash(result)
	if err != nil {
		return nil, err
	}
	t := &valueType{kind: k, size: size, words: 1}
	return t.fromWord(word)
}

// DecodeBytes reads bytes. It is as tolerant of their layout as [Function.UnpackResult].
func DecodeBytes(result []byte) ([]byte, error) {
	if len(result) == 0 {
		return nil, ErrNoData
	}
	bytesType, _ := elementaryType("bytes")
	fields := []field{{name: "bytes", typ: bytesType}}
	values, err := decode(result, fields, anyLayout)
	if err != nil {
		return nil, inArgument("result", fields, err)
	}
	return values[0].([]byte), nil
}

// DecodeString reads a string, likewise. Some old tokens return their name and symbol as bytes32: of such a result, of just one
// word, it is the text before the first zero byte. The text is the contract's: of any length, holding
// anything.
func DecodeString(result []byte) (string, error) {
	if len(result) == WordSize {
		text, _, _ := bytes.Cut(result, []byte{0})
		return string(text), nil
	}
	b, err := DecodeBytes(result)
	return string(b), err
}

// toUint256 converts a decoded uint256.
func toUint256(v any) (n uint256.Int) {
	n.SetFromBig(v.(*big.Int))
	return n
}
