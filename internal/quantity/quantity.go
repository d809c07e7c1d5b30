// Package quantity reads and writes the numbers of JSON-RPC: a [Quantity] takes every form in which services
// write them, and no other.
package quantity

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/jsonobject"
)

// Quantity is a uint256 in the JSON of services. It goes out as minimal 0x-hex; coming in it may be 0x-hex, a
// decimal string or a JSON number, and has to be an exact integer of at most 256 bits: "1.5", 1e18, -1 and
// "0x" are refused. No floating point is involved.
type Quantity uint256.Int

// Parse reads 0x-hex (leading zeros allowed) or decimal digits.
func Parse(text string) (Quantity, error) {
	digits, base := text, 10
	if strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X") {
		digits, base = text[2:], 16
	}
	if !allDigits(digits, base) {
		return Quantity{}, fmt.Errorf("%s is not an exact non-negative integer (0x-hex or decimal digits)", jsonobject.Quote(text))
	}
	v, err := parseDigits(digits, base)
	if err != nil {
		return Quantity{}, fmt.Errorf("%s does not fit into 256 bits", jsonobject.Quote(text))
	}
	return Quantity(*v), nil
}

// Int returns q as a number that shares q's memory.
func (q *Quantity) Int() *uint256.Int { return (*uint256.Int)(q) }

// String returns q as 0x-hex.
func (q Quantity) String() string { return q.Int().Hex() }

// Uint64 returns q as a uint64, or an error where it does not fit.
func (q Quantity) Uint64() (uint64, error) {
	if !q.Int().IsUint64() {
		return 0, fmt.Errorf("%s does not fit into 64 bits", q)
	}
	return q.Int().Uint64(), nil
}

// MarshalJSON writes q as minimal 0x-hex.
func (q Quantity) MarshalJSON() ([]byte, error) {
	return append(AppendHex(append(make([]byte, 0, len(`"0x"`)+64), '"'), q.Int()), '"'), nil
}

// AppendHex appends v as minimal 0x-hex.
func AppendHex(b []byte, v *uint256.Int) []byte {
	top := max(0, (v.BitLen()-1)/64) // the highest of its four words that counts
	b = strconv.AppendUint(append(b, "0x"...), v[top], 16)
	for word := top - 1; word >= 0; word-- {
		var bytes [8]byte
		binary.BigEndian.PutUint64(bytes[:], v[word])
		b = hex.AppendEncode(b, bytes[:])
	}
	return b
}

// UnmarshalJSON reads 0x-hex, a decimal string or a JSON number. null is refused.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, ok := strings.CutPrefix(text, `"`); ok {
		text = strings.TrimSuffix(unquoted, `"`) // a number has nothing to unescape
	}
	parsed, err := Parse(text)
	if err != nil {
		return err
	}
	*q = parsed
	return nil
}

func allDigits(s string, base int) bool {
	for i := range len(s) {
		c := s[i]
		isHex := c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if (c < '0' || c > '9') && (base != 16 || !isHex) {
			return false
		}
	}
	return s != ""
}

var errTooLong = errors.New("too many digits")

func parseDigits(digits string, base int) (*uint256.Int, error) {
	digits = strings.TrimLeft(digits, "0")
	switch {
	case digits == "":
		return new(uint256.Int), nil
	case len(digits) > 78: // the decimal digits of 2^256
		return nil, errTooLong
	case base == 16:
		return uint256.FromHex("0x" + digits)
	default:
		return uint256.FromDecimal(digits)
	}
}
