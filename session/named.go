package session

import (
	"fmt"

	"github.com/go-sesame/sesame/session/policy"
)

// named is a policy whose session has an ID that the granter chose.
type named struct {
	policy.Policy
	id string
}

// Named chooses the ID of the session that p is granted as; without it, or with an empty one, the session gets
// a random ID. It is for grants alone: to Compile and everything else the policy stays what it is.
func Named(id string, p policy.Policy) policy.Policy { return named{Policy: p, id: id} }

// String says what the policy itself says.
func (n named) String() string { return fmt.Sprint(n.Policy) }

// nameOf returns the ID chosen for a policy, empty for none, and the policy itself.
func nameOf(p policy.Policy) (id string, bare policy.Policy) {
	for n, ok := p.(named); ok; n, ok = p.(named) {
		if id == "" {
			id = n.id
		}
		p = n.Policy
	}
	return id, p
}
