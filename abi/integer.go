package abi

import (
	"fmt"
	"math/big"
	"reflect"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

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

// appendInteger appends n, which is in range, in two's complement.
func appendInteger(dst []byte, n *big.Int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, twoTo256)
	}
	var word common.Hash
	n.FillBytes(word[:])
	return abiword.AppendWord(dst, word)
}

var twoTo256 = new(big.Int).Lsh(big.NewInt(1), 256)

// integer reads a word as a number, in two's complement when t is signed.
func (t *valueType) integer(word common.Hash) *big.Int {
	n := word.Big()
	if t.kind == kindInt && n.Bit(255) == 1 {
		n.Sub(n, twoTo256)
	}
	return n
}

// native returns n in the Go type for t.
func (t *valueType) native(n *big.Int) any {
	unsigned := t.kind == kindUint
	switch {
	case t.size == 8 && unsigned:
		return uint8(n.Uint64())
	case t.size == 8:
		return int8(n.Int64())
	case t.size == 16 && unsigned:
		return uint16(n.Uint64())
	case t.size == 16:
		return int16(n.Int64())
	case t.size == 32 && unsigned:
		return uint32(n.Uint64())
	case t.size == 32:
		return int32(n.Int64())
	case t.size == 64 && unsigned:
		return n.Uint64()
	case t.size == 64:
		return n.Int64()
	}
	return n
}
