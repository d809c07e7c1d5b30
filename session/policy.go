package session

import (
	"github.com/go-sesame/sesame/internal/contracts"
)

// Policy says what a session key may do. [ABIPolicy], [ERC20Policy] and [RawPolicy] are policies.
type Policy interface {
	// Leaf returns the policy as a pending leaf for the contracts of m, with an ID only if the policy has
	// one, or an error matching [ErrInvalid] that says what is wrong with the policy.
	Leaf(m Modules) (Leaf, error)
}

// Call is one call the account is asked to make: To, Value in wei, Data.
type Call = contracts.Call
