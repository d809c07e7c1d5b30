package policy

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// ERC20 allows a key to move an amount of one token to one recipient, through the ERC-20 session
// validation module. Prefer an [ABI] with the function "transfer(address to, uint256 amount)":
// this module does not look at the selector, so that approve and every other function that takes an
// address and an amount pass as well as transfer. MaxAmount holds for every single call; nothing adds
// calls up.
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

// erc20DataSize is the size of abi.encode(address key, address token, address recipient, uint256 maxAmount).
const erc20DataSize = 4 * abi.WordSize

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
	data := make([]byte, 0, erc20DataSize)
	data = abiword.AppendAddress(data, p.Key)
	data = abiword.AppendAddress(data, p.Token)
	data = abiword.AppendAddress(data, p.Recipient)
	data = abiword.AppendUint256(data, &p.MaxAmount)
	return Compiled{ValidUntil: until, ValidAfter: after, Module: m.WithDefaults().ERC20, Data: data}, nil
}

// SessionKey returns Key.
func (p ERC20) SessionKey() common.Address { return p.Key }

// String says in one sentence what the policy allows.
func (p ERC20) String() string { return describePolicy(p) }

// allowance is the session key data of the ERC-20 session validation module.
type allowance struct {
	key, token, recipient common.Address
	maxAmount             uint256.Int
}

// parseAllowance reads data as abi.decode does: it returns false for data that is too short or where an
// address has more than 20 bytes, and does not look beyond the four words.
func parseAllowance(data []byte) (a allowance, ok bool) {
	if len(data) < erc20DataSize {
		return allowance{}, false
	}
	for i, field := range [...]*common.Address{&a.key, &a.token, &a.recipient} {
		if *field, ok = cleanAddress(data[i*abi.WordSize:]); !ok {
			return allowance{}, false
		}
	}
	a.maxAmount.SetBytes32(data[3*abi.WordSize : erc20DataSize])
	return a, true
}

// cleanAddress reads a word as an address, or returns false where it has higher bits set.
func cleanAddress(word []byte) (common.Address, bool) {
	const padding = abi.WordSize - common.AddressLength
	if [padding]byte(word[:padding]) != ([padding]byte{}) {
		return common.Address{}, false
	}
	return common.Address(word[padding:abi.WordSize]), true
}
