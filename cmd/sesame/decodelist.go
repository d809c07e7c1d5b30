package main

import (
	"fmt"
	"reflect"
	"strings"
)

// writeList says an array, or a number or truth value; bytesN other than bytes32 are arrays of bytes.
func writeList(b *strings.Builder, value any, depth int) {
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.Array && v.Type().Elem().Kind() == reflect.Uint8:
		fmt.Fprintf(b, "%#x", value)
	case v.Kind() == reflect.Slice:
		b.WriteString("[")
		for i := range min(v.Len(), maxElements) {
			separate(b, i)
			writeValue(b, v.Index(i).Interface(), depth+1)
		}
		if v.Len() > maxElements {
			fmt.Fprintf(b, ", … (%d elements)", v.Len())
		}
		b.WriteString("]")
	default:
		fmt.Fprint(b, value)
	}
}
