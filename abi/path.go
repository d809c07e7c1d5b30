package abi

import (
	"fmt"
	"strings"
)

// pathError is a problem with a value inside an argument; its path grows from the inside out.
type pathError struct {
	index int // the outermost member
	path  string
	err   error
}

func (e *pathError) Error() string { return e.path + ": " + e.err.Error() }

// inElement says that err is about element i of an array.
func inElement(i int, err error) error {
	return grow(i, fmt.Sprintf("[%d]", i), err)
}

// inField says that err is about member i of fields.
func inField(i int, fields []field, err error) error {
	return grow(i, "."+fieldName(fields, i), err)
}

func grow(index int, step string, err error) error {
	inner, ok := err.(*pathError)
	if !ok {
		return &pathError{index: index, path: step, err: err}
	}
	return &pathError{index: index, path: step + inner.path, err: inner.err}
}

// inArgument says which argument of fields err is about: "argument 2 (legs[0].amount): …".
// A problem of the whole is left as it is.
func inArgument(noun string, fields []field, err error) error {
	inner, ok := err.(*pathError)
	if !ok {
		return err
	}
	path := strings.TrimPrefix(inner.path, ".")
	return fmt.Errorf("%s %d (%s): %w", noun, inner.index+1, path, inner.err)
}

// fieldName is how paths call member i: by its name, or "arg0" and so on where it has none. Where a
// sibling is really named like that, the number alone says it.
func fieldName(fields []field, i int) string {
	if fields[i].name != "" {
		return fields[i].name
	}
	name := fmt.Sprintf("arg%d", i)
	for _, f := range fields {
		if f.name == name {
			return fmt.Sprint(i)
		}
	}
	return name
}

// plural counts a noun: "1 argument", "2 arguments".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// describeData says how much data there is, for messages.
func describeData(data []byte) string {
	if len(data) == 0 {
		return "empty data"
	}
	return fmt.Sprintf("data 0x%x… of %s", data[:min(len(data), SelectorSize)], plural(len(data), "byte"))
}
