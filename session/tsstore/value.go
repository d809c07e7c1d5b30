package tsstore

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
)

// object is a JSON object whose fields are kept as they are until one is replaced.
type object map[string]json.RawMessage

func (o object) setText(field, text string) {
	o[field], _ = encode(text) // a string always marshals
}

func (o object) setNumber(field string, v uint64) {
	o[field] = strconv.AppendUint(nil, v, 10)
}

// encode is json.Marshal without the escapes that only browsers need.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// reader reads an object's fields and remembers what is wrong with them, each field once.
type reader struct {
	object object
	bad    []*FormatError
}

func (r *reader) fail(field, problem string) {
	if n := len(r.bad); n == 0 || r.bad[n-1].Entry != field {
		r.bad = append(r.bad, &FormatError{Entry: field, Problem: problem})
	}
}

// err returns the first thing that is wrong.
func (r *reader) err() error {
	if len(r.bad) == 0 {
		return nil
	}
	return r.bad[0]
}

// text reads a JSON string.
func (r *reader) text(field string) (text string, ok bool) {
	raw, ok := r.object[field]
	if !ok {
		r.fail(field, "missing")
		return "", false
	}
	if plain(raw) {
		return string(raw[1 : len(raw)-1]), true
	}
	var read *string
	if err := json.Unmarshal(raw, &read); err != nil || read == nil {
		r.fail(field, "want a string")
		return "", false
	}
	return *read, true
}

// plain reports whether a JSON value is a string without escapes.
func plain(raw json.RawMessage) bool {
	return len(raw) >= 2 && raw[0] == '"' && !bytes.ContainsRune(raw, '\\') && utf8.Valid(raw)
}

// seconds reads a moment: a JSON number as the SDK writes it, or a string in decimal or 0x-hex.
func (r *reader) seconds(field string) uint64 {
	raw, ok := r.object[field]
	if !ok {
		r.fail(field, "missing")
		return 0
	}
	digits, base := string(bytes.Trim(raw, `"`)), 10
	if rest, isHex := cutHexPrefix(digits); isHex {
		digits, base = rest, 16
	}
	v, err := strconv.ParseUint(digits, base, 64)
	switch {
	case v > policy.MaxTime: // ParseUint returns the largest number for one out of range
		r.fail(field, string(raw[:min(len(raw), 40)])+" is beyond uint48 seconds")
	case err != nil:
		r.fail(field, string(raw[:min(len(raw), 40)])+" is not a number of seconds")
	}
	return v
}

// bytes reads 0x-hex in any case.
func (r *reader) bytes(field string) []byte {
	text, ok := r.text(field)
	if !ok {
		return nil
	}
	b, wrong := parseHex(text)
	if wrong != "" {
		r.fail(field, wrong)
	}
	return b
}

// address reads an address in any case.
func (r *reader) address(field string) common.Address {
	b := r.bytes(field)
	if len(b) != common.AddressLength {
		r.fail(field, "address has "+strconv.Itoa(len(b))+" bytes, want 20")
	}
	return common.BytesToAddress(b)
}

// parseHex returns what is wrong in words that quote nothing.
func parseHex(text string) (b []byte, wrong string) {
	digits, ok := cutHexPrefix(text)
	switch {
	case !ok:
		return nil, "hex without 0x"
	case len(digits)%2 != 0:
		return nil, "odd-length hex"
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, "not hex"
	}
	return b, ""
}

func cutHexPrefix(s string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(s, "0x"); ok {
		return rest, true
	}
	return strings.CutPrefix(s, "0X")
}

func lowerHex(b []byte) string { return "0x" + hex.EncodeToString(b) }
