package policy

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// ERC20 allows a key to move an amount of one token to one recipient, through the ERC-20 session validation
// module. Prefer an [ABI] with the function "transfer(address to, uint256 amount)": this module does not look
// at the selector, so that approve and every other function that takes an address and an amount pass as well
// as transfer. MaxAmount holds for every single call; nothing adds calls up.
type ERC20 struct {
	// Key is the address of the session key.
	Key common.Address
	// Token is the only contract that may be called.
	Token common.Address
	// Recipient is the only first argument allowed.
	Recipient common.Address
	// MaxAmount is the highest second argument allowed, in the token's smallest unit.
	MaxAmount uint256.Int
	// Window is when the key may be used. There is no default.
	Window Window
}

// Compile implements [Policy].
func (p ERC20) Compile(m Modules) (Compiled, error) {
	until, after, err := p.Window.Seconds()
	if err != nil {
		return Compiled{}, err
	}
	switch {
	case p.Key == (common.Address{}):
		return Compiled{}, fmt.Errorf("%w: ERC-20 policy without a session key address", ErrInvalid)
	case p.Token == (common.Address{}):
		return Compiled{}, fmt.Errorf("%w: ERC-20 policy without a token", ErrInvalid)
	case p.Recipient == (common.Address{}):
		return Compiled{}, fmt.Errorf("%w: ERC-20 policy without a recipient", ErrInvalid)
	}
	data := contracts.ERC20Permission{Key: p.Key, Token: p.Token, Recipient: p.Recipient, MaxAmount: p.MaxAmount}
	return Compiled{ValidUntil: until, ValidAfter: after, Module: m.WithDefaults().ERC20, Data: data.Pack()}, nil
}

// SessionKey returns Key.
func (p ERC20) SessionKey() common.Address { return p.Key }

// String says in one sentence what the policy allows.
func (p ERC20) String() string { return describePolicy(p) }
