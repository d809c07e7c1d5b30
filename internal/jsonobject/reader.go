package jsonobject

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Reader takes fields out of one JSON object and collects what is wrong with them.
type Reader struct {
	fields  []Member
	missing []string
	errs    []error
}

// usual is how many members the object of a service has, or a few more.
const usual = 16

// Parse reads data, which has to be one JSON object. The reader refers to it: data must not change while it
// is in use.
func Parse(data []byte) (*Reader, error) {
	if fields, ok := Members(data, make([]Member, 0, usual)); ok {
		return &Reader{fields: fields}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		if typeErr := (*json.UnmarshalTypeError)(nil); errors.As(err, &typeErr) {
			return nil, fmt.Errorf("a JSON object was expected, got %s", typeErr.Value)
		}
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("a JSON object was expected, got null")
	}
	r := new(Reader)
	for name, value := range fields {
		r.fields = append(r.fields, Member{[]byte(name), value})
	}
	return r, nil
}

// field is the value of a member as it is written, nil where there is none. Of several of one name the last
// counts, as for encoding/json.
func (r *Reader) field(name string) []byte {
	for i := len(r.fields) - 1; i >= 0; i-- {
		if string(r.fields[i].Name) == name {
			return r.fields[i].Value
		}
	}
	return nil
}

// Has reports whether the object has a value other than null under name.
func (r *Reader) Has(name string) bool {
	raw := r.field(name)
	return raw != nil && string(raw) != "null"
}

// Open reports whether the object names a value that is not known yet: null, "" or "0x".
func (r *Reader) Open(name string) bool {
	switch string(r.field(name)) {
	case "null", `""`, `"0x"`:
		return true
	}
	return false
}

// Require unmarshals the named field into dst. A field that is not there, or null, is an error.
func (r *Reader) Require(name string, dst any) {
	if !r.Has(name) {
		r.Missing(name)
		return
	}
	r.Optional(name, dst)
}

// Optional unmarshals the named field into dst, or leaves dst alone where there is none, or null.
func (r *Reader) Optional(name string, dst any) {
	raw := r.field(name)
	if raw == nil || string(raw) == "null" {
		return
	}
	if err := Unmarshal(raw, dst); err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", name, err))
	}
}

// Unmarshal is [json.Unmarshal] for a value that was found to be JSON before, without space around it.
func Unmarshal(raw []byte, dst any) error {
	if own, ok := dst.(json.Unmarshaler); ok {
		return own.UnmarshalJSON(raw)
	}
	return json.Unmarshal(raw, dst)
}

// OptionalHex is [Reader.Optional] for what is written in hex: "" and "0x" are none, too, as services write a
// hash, an address or a number that is not known yet.
func (r *Reader) OptionalHex(name string, dst any) {
	if raw := string(r.field(name)); raw != `""` && raw != `"0x"` {
		r.Optional(name, dst)
	}
}

// Missing notes that a field is not there, for a rule that spans several of them.
func (r *Reader) Missing(name string) {
	r.missing = append(r.missing, name)
}

// Err is nil when every field was fine. It names all fields that were not.
func (r *Reader) Err() error {
	if len(r.missing) == 0 {
		return r.wrong()
	}
	missing := errors.New("missing " + strings.Join(r.missing, ", "))
	if wrong := r.wrong(); wrong != nil {
		return fmt.Errorf("%w; %w", missing, wrong)
	}
	return missing
}

func (r *Reader) wrong() error {
	if len(r.errs) == 0 {
		return nil
	}
	err := r.errs[0]
	for _, next := range r.errs[1:] {
		err = fmt.Errorf("%w; %w", err, next)
	}
	return err
}

// Quote quotes a service's text for an error message, cut to a bearable length.
func Quote(text string) string {
	const limit = 80
	if len(text) > limit {
		return fmt.Sprintf("%q…", text[:limit])
	}
	return fmt.Sprintf("%q", text)
}
