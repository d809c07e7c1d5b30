package contracts

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

// ERC20Permission is the session key data of the ERC-20 session validation module: abi.encode(address key,
// address token, address recipient, uint256 maxAmount).
type ERC20Permission struct {
	Key, Token, Recipient common.Address
	// MaxAmount is in the token's smallest unit.
	MaxAmount uint256.Int
}

// ERC20PermissionSize is how many bytes of its data the ERC-20 module reads.
const ERC20PermissionSize = 4 * abiword.Size

// ParseERC20Permission reads session key data as abi.decode does: it returns false for data that is too short
// or where an address has more than 20 bytes, and does not look beyond the four words.
func ParseERC20Permission(data []byte) (p ERC20Permission, ok bool) {
	if len(data) < ERC20PermissionSize {
		return ERC20Permission{}, false
	}
	for i, field := range [...]*common.Address{&p.Key, &p.Token, &p.Recipient} {
		var err error
		if *field, err = DecodeAddress(data[i*abiword.Size : (i+1)*abiword.Size]); err != nil {
			return ERC20Permission{}, false
		}
	}
	p.MaxAmount.SetBytes32(data[3*abiword.Size : ERC20PermissionSize])
	return p, true
}

// Pack returns the session key data.
func (p *ERC20Permission) Pack() []byte {
	data := make([]byte, 0, ERC20PermissionSize)
	data = abiword.AppendAddress(data, p.Key)
	data = abiword.AppendAddress(data, p.Token)
	data = abiword.AppendAddress(data, p.Recipient)
	return abiword.AppendUint256(data, &p.MaxAmount)
}
