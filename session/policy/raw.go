package policy

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// Raw is for a session validation module of one's own: its sessionKeyData is taken as it is. What the key may
// do is then up to the module, and cannot be judged before the chain does.
type Raw struct {
	// Module is the session validation module.
	Module common.Address
	// Key is the address of the session key, which Data has to name in the module's own way.
	Key common.Address
	// Data is the module's sessionKeyData.
	Data []byte
	// Window is when the key may be used. There is no default.
	Window Window
}

// Compile implements [Policy].
func (p Raw) Compile(Modules) (Compiled, error) {
	until, after, err := p.Window.Seconds()
	if err != nil {
		return Compiled{}, err
	}
	switch {
	case p.Module == (common.Address{}):
		return Compiled{}, fmt.Errorf("%w: raw policy without a session validation module", ErrInvalid)
	case p.Key == (common.Address{}):
		return Compiled{}, fmt.Errorf("%w: raw policy without a session key address", ErrInvalid)
	}
	return Compiled{ValidUntil: until, ValidAfter: after, Module: p.Module, Data: bytes.Clone(p.Data)}, nil
}

// SessionKey returns Key.
func (p Raw) SessionKey() common.Address { return p.Key }

// String says in one sentence what the policy allows.
func (p Raw) String() string { return describePolicy(p) }
