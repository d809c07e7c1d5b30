package abi

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-sesame/sesame/internal/abiword"
)

// Tuple is a decoded tuple: its components in order. It can be packed again.
type Tuple []Component

// Component is one component of a [Tuple].
type Component struct {
	// Name is empty when the signature gives none.
	Name string
	// Value is typed as [Function.Unpack] says.
	Value any
}

// Get returns the component with this name.
func (t Tuple) Get(name string) (any, bool) {
	for _, c := range t {
		if c.Name == name {
			return c.Value, true
		}
	}
	return nil, false
}

func (t Tuple) values() []any {
	values := make([]any, len(t))
	for i, c := range t {
		values[i] = c.Value
	}
	return values
}

// toElements returns how many elements the slice or array v has, and how to get at them.
func toElements(t *valueType, v any) (n int, at func(int) any, err error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice && rv.Kind() != reflect.Array {
		return 0, nil, cannotUse(v, t)
	}
	return rv.Len(), func(i int) any { return rv.Index(i).Interface() }, nil
}

// toComponents returns v's values for the components of the tuple t, in order.
func toComponents(t *valueType, v any) ([]any, error) {
	if tuple, ok := v.(Tuple); ok {
		v = tuple.values()
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Struct:
		return componentsByName(t, structValues(rv))
	case reflect.Map:
		if rv.Type().Key().Kind() != reflect.String {
			return nil, cannotUse(v, t)
		}
		if rv.Len() > len(t.fields) {
			return nil, fmt.Errorf("%s has %s, the map has %d", t, abiword.Count(len(t.fields), "component"), rv.Len())
		}
		return componentsByName(t, mapValues(rv))
	default:
		n, at, err := toElements(t, v)
		if err != nil {
			return nil, err
		}
		if n != len(t.fields) {
			return nil, fmt.Errorf("%s has %s, %d given", t, abiword.Count(len(t.fields), "component"), n)
		}
		values := make([]any, n)
		for i := range values {
			values[i] = at(i)
		}
		return values, nil
	}
}

// namedValue is a struct's field or a map's entry.
type namedValue struct {
	name  string
	value any
}

func structValues(rv reflect.Value) []namedValue {
	var list []namedValue
	for i := range rv.NumField() {
		f := rv.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name := f.Name
		if tag := f.Tag.Get("abi"); tag != "" {
			name = tag
		}
		list = append(list, namedValue{name, rv.Field(i).Interface()})
	}
	return list
}

func mapValues(rv reflect.Value) []namedValue {
	var list []namedValue
	for entries := rv.MapRange(); entries.Next(); {
		list = append(list, namedValue{entries.Key().String(), entries.Value().Interface()})
	}
	return list
}

// componentsByName finds each component of t in list, where each value serves one component.
func componentsByName(t *valueType, list []namedValue) ([]any, error) {
	byName := make(map[string][]any)
	for _, v := range list {
		name := plainName(v.name)
		byName[name] = append(byName[name], v.value)
	}
	values := make([]any, len(t.fields))
	for i, f := range t.fields {
		name := plainName(f.name)
		found, known := byName[name]
		switch {
		case f.name == "":
			return nil, fmt.Errorf("component %d of %s has no name: give the components in order, as []any", i+1, t)
		case !known:
			return nil, fmt.Errorf("no value for component %q of %s", f.name, t)
		case len(found) != 1:
			return nil, fmt.Errorf("which value is for component %q of %s is not clear: give the components in order, as []any", f.name, t)
		}
		values[i], byName[name] = found[0], nil
	}
	return values, nil
}

// plainName is a name without letter case and underscores: _maxFee, max_fee and MaxFee are one.
func plainName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}
