package jsonobject

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Strict unmarshals data, which has to be one JSON value and nothing else, into the struct that dst points
// to. Unlike [json.Unmarshal] it takes a field by its exact name only, and once. What has an UnmarshalJSON of
// its own judges its fields itself.
func Strict(data []byte, dst any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(dst); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return checkNames(data, reflect.TypeOf(dst))
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// checkNames checks the names of fields in a value that was unmarshalled into a t.
func checkNames(data json.RawMessage, t reflect.Type) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) || string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkStruct(data, t)
	case reflect.Slice:
		if elem := t.Elem(); elem.Kind() != reflect.Struct || reflect.PointerTo(elem).Implements(unmarshaler) {
			return nil
		}
		var elements []json.RawMessage
		if err := json.Unmarshal(data, &elements); err != nil {
			return err
		}
		for i, element := range elements {
			if err := checkNames(element, t.Elem()); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
	}
	return nil
}

func checkStruct(data json.RawMessage, t reflect.Type) error {
	fields := make(map[string]reflect.Type)
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = field.Name
		}
		fields[name] = field.Type
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil { // the brace
		return err
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		field, known := fields[name]
		if !known { // twice, or as another reader would not know it
			return fmt.Errorf("field %.80q twice, or in other letter case", name)
		}
		delete(fields, name)
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if err := checkNames(value, field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
