package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// CounterfactualAddress returns the address that the factory gives an account: a CREATE2 address that
// depends on the handler, the ownership module with its setup data, the index and the implementation.
func (c Contracts) CounterfactualAddress(module common.Address, setupData []byte, index uint64) common.Address {
	initializer := crypto.Keccak256Hash(abi.Init(c.Handler, module, setupData))
	number := uint256.NewInt(index).Bytes32()
	salt := crypto.Keccak256Hash(initializer[:], number[:])
	return crypto.CreateAddress2(c.Factory, salt, c.ProxyInitCodeHash[:])
}

// InitCode returns the operation's initCode that deploys that account: factory ‖
// deployCounterFactualAccount(module, setupData, index).
func (c Contracts) InitCode(module common.Address, setupData []byte, index uint64) []byte {
	deploy := abi.DeployCounterFactualAccount(module, setupData, *uint256.NewInt(index))
	return append(c.Factory.Bytes(), deploy...)
}

// ProxyInitCodeHash reads the factory's proxy creation code and returns keccak256(creation code ‖
// uint256(implementation)): what [Contracts] of another deployment need.
func ProxyInitCodeHash(ctx context.Context, chain Chain, factory, implementation common.Address) (common.Hash, error) {
	data, err := call(ctx, chain, factory, abi.AccountCreationCode())
	if err != nil {
		return common.Hash{}, fmt.Errorf("accountCreationCode of factory %s: %w", factory, err)
	}
	code, err := abi.DecodeBytes(data)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%w: accountCreationCode of factory %s: %w", ErrBadAnswer, factory, err)
	}
	return crypto.Keccak256Hash(abi.AppendAddress(code, implementation)), nil
}
