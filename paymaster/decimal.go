package paymaster

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/quantity"
)

// decimalNumber is how JSON and JavaScript write non-negative numbers: "12", "0.0123", "1.2e-7".
var decimalNumber = regexp.MustCompile(`^([0-9]{1,100})(?:\.([0-9]{1,100}))?(?:[eE]([+-]?[0-9]{1,3}))?$`)

var errNoDecimal = errors.New("not a non-negative decimal number")

// numeral is a decimal number as it is written, in a JSON number or string.
type numeral string

// UnmarshalJSON takes the digits over.
func (n *numeral) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if !decimalNumber.MatchString(text) {
		return errNoDecimal
	}
	*n = numeral(text)
	return nil
}

// shown is a numeral that only people read: what is none is left out.
type shown string

// UnmarshalJSON never fails.
func (s *shown) UnmarshalJSON(data []byte) error {
	var n numeral
	if n.UnmarshalJSON(data) == nil {
		*s = shown(n)
	}
	return nil
}

// decimals is how many decimal places a token has.
type decimals uint8

// UnmarshalJSON reads a number of at most 77, which is what 256 bits hold.
func (d *decimals) UnmarshalJSON(data []byte) error {
	var q quantity.Quantity
	if err := q.UnmarshalJSON(data); err != nil {
		return err
	}
	const most = 77
	if q.Int().GtUint64(most) {
		return fmt.Errorf("%s decimals are more than a token can have", q.Int().Dec())
	}
	*d = decimals(q.Int().Uint64())
	return nil
}

// baseUnits returns ceil(amount × 10^places).
func baseUnits(amount numeral, places uint8) (uint256.Int, error) {
	parts := decimalNumber.FindStringSubmatch(string(amount))
	if parts == nil {
		return uint256.Int{}, errNoDecimal
	}
	whole, fraction := parts[1], parts[2]
	exponent, _ := strconv.Atoi(parts[3]) // empty is 0
	units, _ := new(big.Int).SetString(whole+fraction, 10)
	shift := exponent - len(fraction) + int(places)
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil)
	if shift >= 0 {
		units.Mul(units, power)
	} else if _, rest := units.QuoRem(units, power, new(big.Int)); rest.Sign() > 0 {
		units.Add(units, big.NewInt(1))
	}
	result, overflow := uint256.FromBig(units)
	if overflow {
		return uint256.Int{}, fmt.Errorf("%s tokens of %d decimals do not fit into 256 bits", amount, places)
	}
	return *result, nil
}
