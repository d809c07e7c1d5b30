package contracts

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// The Decode functions here read the result of a call that returns one value. Those of one word are strict:
// no more and no less than the word, and that in its range.

// DecodeHash reads a result of one word, such as a bytes32.
func DecodeHash(result []byte) (common.Hash, error) {
	switch len(result) {
	case abiword.Size:
		return common.Hash(result), nil
	case 0:
		return common.Hash{}, abi.ErrNoData
	}
	return common.Hash{}, fmt.Errorf("result of %s where one word of %d is expected", abiword.Count(len(result), "byte"), abiword.Size)
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
	word, err := DecodeHash(result)
	if err == nil && !abiword.IsZero(word[:abiword.Size-1]) {
		err = fmt.Errorf("word %s does not fit uint8", word)
	}
	if err != nil {
		return 0, err
	}
	return word[abiword.Size-1], nil
}

// DecodeAddress reads an address.
func DecodeAddress(result []byte) (common.Address, error) {
	const padding = abiword.Size - common.AddressLength
	word, err := DecodeHash(result)
	if err == nil && !abiword.IsZero(word[:padding]) {
		err = fmt.Errorf("word %s is not an address", word)
	}
	if err != nil {
		return common.Address{}, err
	}
	return common.Address(word[padding:]), nil
}

// DecodeBool reads a bool.
func DecodeBool(result []byte) (bool, error) {
	word, err := DecodeHash(result)
	if err == nil && (!abiword.IsZero(word[:abiword.Size-1]) || word[abiword.Size-1] > 1) {
		err = fmt.Errorf("word %s is not a bool", word)
	}
	return err == nil && word[abiword.Size-1] == 1, err
}

var bytesResult = sync.OnceValue(func() *abi.Function {
	return abi.MustParseFunction("function result() returns (bytes bytes)")
})

// DecodeBytes reads bytes. It is as tolerant of their layout as [abi.Function.UnpackResult].
func DecodeBytes(result []byte) ([]byte, error) {
	if len(result) == 0 {
		return nil, abi.ErrNoData
	}
	values, err := bytesResult().UnpackResult(result)
	if err != nil {
		return nil, errors.Unwrap(err) // without the name of a function that was not called
	}
	return values[0].([]byte), nil
}

// DecodeString reads a string, likewise. Some old tokens return their name and symbol as bytes32: of such a
// result, of just one word, it is the text before the first zero byte. The text is the contract's: of any
// length, holding anything.
func DecodeString(result []byte) (string, error) {
	if len(result) == abiword.Size {
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
