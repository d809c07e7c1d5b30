package abi

// Param is one argument, result or tuple component of a signature.
type Param struct {
	// Name is empty when the signature gives none.
	Name string
	// Type is the canonical type: "uint256", "address[3]", "(address,uint128)[]".
	Type string
	// Components are the components of a tuple, or of the tuples in an array.
	Components []Param
	// Indexed marks an event's argument that is a topic of the log.
	Indexed bool
}

// params describes fields to callers: fresh memory at each call, so that nobody can change a
// parsed signature.
func params(fields []field) []Param {
	if len(fields) == 0 {
		return nil
	}
	list := make([]Param, len(fields))
	for i, f := range fields {
		base := f.typ
		for base.elem != nil {
			base = base.elem
		}
		list[i] = Param{Name: f.name, Type: f.typ.String(), Components: params(base.fields), Indexed: f.indexed}
	}
	return list
}
