package abi

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
)

const (
	// maxFormatted bounds the text of one decoded string or bytes value, in bytes.
	maxFormatted = 256
	// maxListed bounds the elements of an array in text.
	maxListed = 8
)

// formatValue says a decoded value in the terms of its type.
func formatValue(t *valueType, v any) string {
	switch v := v.(type) {
	case common.Address:
		return v.Hex()
	case common.Hash:
		return v.Hex()
	case string:
		return strconv.Quote(clean(v, maxFormatted))
	case []byte:
		if t.kind == kindBytes {
			return formatBytes(v)
		}
	case Tuple:
		return "(" + formatFields(t.fields, v.values()) + ")"
	}
	switch t.kind {
	case kindFixedBytes:
		return fmt.Sprintf("0x%x", v)
	case kindSlice, kindArray:
		return formatElements(t, reflect.ValueOf(v))
	}
	return fmt.Sprint(v)
}

func formatBytes(b []byte) string {
	if len(b) <= maxFormatted/2 {
		return fmt.Sprintf("0x%x", b)
	}
	return fmt.Sprintf("0x%x… (%s)", b[:maxFormatted/2], abiword.Count(len(b), "byte"))
}

// formatFields lists values, with their names when there is more than one.
func formatFields(fields []field, values []any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = formatValue(fields[i].typ, v)
		if len(values) > 1 && fields[i].name != "" {
			parts[i] = fields[i].name + "=" + parts[i]
		}
	}
	return strings.Join(parts, ", ")
}

func formatElements(t *valueType, rv reflect.Value) string {
	var parts []string
	for i := range min(rv.Len(), maxListed) {
		parts = append(parts, formatValue(t.elem, rv.Index(i).Interface()))
	}
	if more := rv.Len() - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// maxQuoted bounds foreign text in error messages, in bytes.
const maxQuoted = 120

// quote puts foreign text between quotes: shortened, nothing unprintable.
func quote(s string) string {
	return strconv.Quote(shorten(s, maxQuoted))
}

// shorten cuts s to about limit bytes, at the start of a character, and says so with an ellipsis.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// clean makes foreign text fit for a log line: invalid UTF-8 and what does not print (line breaks, terminal
// escapes, text direction marks) become U+FFFD, and it is shortened to limit bytes.
func clean(s string, limit int) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, strings.ToValidUTF8(shorten(s, limit), string(utf8.RuneError)))
}
