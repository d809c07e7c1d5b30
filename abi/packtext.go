package abi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-sesame/sesame/internal/abiword"
)

// PackText is [Function.Pack] with the arguments as text, say from a command line: numbers in decimals or
// 0x-hex, bytes and addresses in 0x-hex, true or false, arrays as [1,2], tuples as (1,2) or [1,2]. A string
// argument is taken as it is; inside an array or tuple a string may stand in double quotes, and has to when
// it is empty or has a comma, bracket, or space at its ends.
func (f *Function) PackText(args ...string) ([]byte, error) {
	if err := f.count(len(args)); err != nil {
		return nil, fmt.Errorf("pack %s: %w", f.Signature(), err)
	}
	values := make([]any, len(args))
	for i, arg := range args {
		v, err := f.inputs[i].typ.argument(arg)
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.Signature(), inArgument("argument", f.inputs, inField(i, f.inputs, err)))
		}
		values[i] = v
	}
	return f.Pack(values...)
}

// SplitArgs splits a list of arguments at its commas, but not inside brackets, parentheses or double quotes:
// "a,b,[c,d]" is three. Quotes around a whole argument are taken off. The result is what [Function.PackText]
// takes; it is an error when the function takes another number of arguments.
func (f *Function) SplitArgs(text string) ([]string, error) {
	args, err := splitList(text)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", f.Signature(), err)
	}
	if len(args) == 0 && len(f.inputs) == 1 {
		args = []string{""}
	}
	for i, arg := range args {
		if args[i], err = unquote(arg); err != nil {
			return nil, fmt.Errorf("arguments of %s: %w", f.Signature(), err)
		}
	}
	if err := f.count(len(args)); err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", f.Signature(), err)
	}
	return args, nil
}

// argument reads the text of a whole argument as something Pack takes.
func (t *valueType) argument(s string) (any, error) {
	if t.kind == kindString {
		return s, nil
	}
	return t.nested(strings.TrimSpace(s))
}

// nested reads the text of a value inside a list.
func (t *valueType) nested(s string) (any, error) {
	typeAt := func(int) *valueType { return t.elem }
	wrap := inElement
	switch t.kind {
	case kindTuple:
		typeAt = func(i int) *valueType { return t.fields[i].typ }
		wrap = func(i int, err error) error { return inField(i, t.fields, err) }
	case kindSlice, kindArray:
	default:
		return unquote(s)
	}
	items, err := t.items(s)
	if err != nil {
		return nil, err
	}
	values := make([]any, len(items))
	for i, item := range items {
		if values[i], err = typeAt(i).nested(item); err != nil {
			return nil, wrap(i, err)
		}
	}
	return values, nil
}

// items splits the text of an array or tuple, in its brackets.
func (t *valueType) items(s string) ([]string, error) {
	inner, ok := strings.CutPrefix(s, "[")
	closing := "]"
	if !ok && t.kind == kindTuple {
		inner, ok = strings.CutPrefix(s, "(")
		closing = ")"
	}
	inner, closed := strings.CutSuffix(inner, closing)
	if !ok || !closed {
		return nil, fmt.Errorf("%s is not the text of %s: write [a,b]", quote(s), t)
	}
	items, err := splitList(inner)
	if err != nil {
		return nil, err
	}
	if t.kind == kindTuple && len(items) != len(t.fields) {
		return nil, fmt.Errorf("%s has %s, %d given", t, abiword.Count(len(t.fields), "component"), len(items))
	}
	for _, item := range items {
		if item == "" {
			return nil, fmt.Errorf("nothing between two commas of %s: write \"\" for an empty string", quote(s))
		}
	}
	return items, nil
}

// unquote returns s, without its double quotes if it has them.
func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	plain, err := strconv.Unquote(s)
	if err != nil {
		return "", fmt.Errorf("%s is not a quoted string", quote(s))
	}
	return plain, nil
}

// splitList splits s at the commas that are in no bracket and no quotes, and trims the items.
func splitList(s string) ([]string, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var items []string
	var open []byte // the closing brackets to come
	start := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"':
			end := quotedEnd(s, i)
			if end < 0 {
				return nil, errors.New("a double quote is never closed")
			}
			i = end
		case '[':
			open = append(open, ']')
		case '(':
			open = append(open, ')')
		case ']', ')':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, fmt.Errorf("unexpected %q at column %d of %s", c, i+1, quote(s))
			}
			open = open[:len(open)-1]
		case ',':
			if len(open) == 0 {
				items = append(items, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("missing %q in %s", open[len(open)-1], quote(s))
	}
	return append(items, strings.TrimSpace(s[start:])), nil
}

// quotedEnd is where the quotes that open at i close, or -1.
func quotedEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
