package abi

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
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
	return fmt.Sprintf("0x%x… (%s)", b[:maxFormatted/2], plural(len(b), "byte"))
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
