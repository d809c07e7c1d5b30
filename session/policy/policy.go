package policy

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/go-sesame/sesame/internal/contracts"
)

// Policy says what a session key may do. [ABI], [ERC20] and [Raw] are policies.
type Policy interface {
	// Compile returns the policy for the contracts of m, or an error matching [ErrInvalid] that says what is
	// wrong with the policy.
	Compile(m Modules) (Compiled, error)
	// SessionKey returns the address of the session key that the policy is for.
	SessionKey() common.Address
}

// Call is one call the account is asked to make: To, Value in wei, Data.
type Call = contracts.Call
