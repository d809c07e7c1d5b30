package abi

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
