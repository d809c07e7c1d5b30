package account

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
)

// checkTyped refuses values that no contract can have of their type, and that go-ethereum hashes all the
// same: signed integers out of range, empty text for a number, and lists of another length than their array.
func checkTyped(types apitypes.Types, typ string, value any) error {
	if open := strings.LastIndexByte(typ, '['); open >= 0 {
		return checkTypedList(types, typ[:open], strings.TrimSuffix(typ[open+1:], "]"), value)
	}
	if fields, is := types[typ]; is {
		values, _ := value.(map[string]any)
		for _, field := range fields {
			if err := checkTyped(types, field.Type, values[field.Name]); err != nil {
				return fmt.Errorf(".%s%w", field.Name, err)
			}
		}
		return nil
	}
	bits, signed := strings.CutPrefix(typ, "int")
	if !signed && !strings.HasPrefix(typ, "uint") {
		return nil
	}
	if value == "" {
		return errors.New(": empty text is no number")
	}
	number, ok := wholeNumber(value)
	if !ok || !signed { // go-ethereum judges both
		return nil
	}
	size, err := strconv.ParseUint(bits, 10, 16)
	if bits == "" {
		size, err = 256, nil
	}
	if err != nil || size == 0 || size > 256 {
		return nil // no type at all
	}
	if number.Sign() < 0 {
		number.Not(number) // -2^n is the last that fits in n+1 bits
	}
	if number.BitLen() >= int(size) {
		return fmt.Errorf(": the number does not fit in %s", typ)
	}
	return nil
}

func checkTypedList(types apitypes.Types, elem, size string, value any) error {
	values, is := value.([]any)
	if !is {
		return nil
	}
	if size != "" && size != strconv.Itoa(len(values)) {
		return fmt.Errorf(": %d elements for %s[%s]", len(values), elem, size)
	}
	for i := range values {
		if err := checkTyped(types, elem, values[i]); err != nil {
			return fmt.Errorf("[%d]%w", i, err)
		}
	}
	return nil
}

// wholeNumber is a plain value read as a number, false where it is none.
func wholeNumber(value any) (*big.Int, bool) {
	switch v := value.(type) {
	case string:
		return math.ParseBig256(v)
	case *big.Int:
		if v == nil {
			return nil, false
		}
		return new(big.Int).Set(v), true
	case float64:
		return big.NewInt(int64(v)), true
	}
	return nil, false
}
