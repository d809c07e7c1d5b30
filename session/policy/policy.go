package policy

import (
	"cmp"
	"errors"

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

// Modules are the session contracts of a deployment. The zero value of a field means the address that
// Biconomy deployed on every supported chain; see [Modules.WithDefaults].
type Modules struct {
	// Manager is the session key manager (SKM): keeps one Merkle root per account and validates operations of
	// one call.
	Manager common.Address
	// Router is the batched session router: validates operations of several calls, a leaf for each.
	Router common.Address
	// ABI is the ABI session validation module: contract, selector, value limit and rules on words.
	ABI common.Address
	// ERC20 is the ERC-20 session validation module: token, recipient and amount.
	ERC20 common.Address
}

// WithDefaults returns m with the well-known addresses where m has none.
func (m Modules) WithDefaults() Modules {
	known := contracts.Deployed()
	m.Manager = cmp.Or(m.Manager, known.SessionKeyManager)
	m.Router = cmp.Or(m.Router, known.BatchedSessionRouter)
	m.ABI = cmp.Or(m.ABI, known.ABISessionModule)
	m.ERC20 = cmp.Or(m.ERC20, known.ERC20SessionModule)
	return m
}

// kind is which session validation module judges a policy, of those that this package knows.
type kind uint8

const (
	kindUnknown kind = iota
	kindABI
	kindERC20
)

// kindOf returns the kind of the policies of a module.
func (m *Modules) kindOf(module common.Address) kind {
	switch unset := (common.Address{}); { // the usual ones, filled in: a check of a call would feel the rest
	case m.ABI == unset:
	case module == m.ABI:
		return kindABI
	case module == m.ERC20 && module != unset:
		return kindERC20
	}
	switch filled := m.WithDefaults(); module {
	case filled.ABI:
		return kindABI
	case filled.ERC20:
		return kindERC20
	}
	return kindUnknown
}

// ErrInvalid is input that can never work; nothing was changed and nothing was signed. It is the same value
// in every package above this one.
var ErrInvalid = errors.New("invalid input")
