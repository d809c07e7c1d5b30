package session

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// RawPolicy is for a session validation module of one's own: its sessionKeyData is taken as it is.
// What the key may do is then up to the module, and cannot be judged before the chain does.
type RawPolicy struct {
	// ID names the leaf; empty for a random one.
	ID string
	// Module is the session validation module.
	Module common.Address
	// Key is the address of the session key, which Data has to name in the module's own way.
	Key common.Address
	// Data is the module's sessionKeyData.
	Data []byte
	// Window is when the key may be used. There is no default.
	Window Window
}

// Leaf implements [Policy].
func (p RawPolicy) Leaf(Modules) (Leaf, error) {
	until, after, err := p.Window.Seconds()
	if err != nil {
		return Leaf{}, err
	}
	switch {
	case p.Module == (common.Address{}):
		return Leaf{}, fmt.Errorf("%w: raw policy without a session validation module", ErrInvalid)
	case p.Key == (common.Address{}):
		return Leaf{}, fmt.Errorf("%w: raw policy without a session key address", ErrInvalid)
	}
	return Leaf{ID: p.ID, Status: StatusPending, ValidUntil: until, ValidAfter: after, Module: p.Module, Key: p.Key, Data: bytes.Clone(p.Data)}, nil
}

// String says in one sentence what the policy allows.
func (p RawPolicy) String() string { return describePolicy(p) }
