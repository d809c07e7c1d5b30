package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// CounterfactualAddress returns the address that the factory gives an account: a CREATE2 address that
// depends on the handler, the ownership module with its setup data, the index and the implementation.
func (c Contracts) CounterfactualAddress(module common.Address, setupData []byte, index uint64) common.Address {
	initializer := crypto.Keccak256Hash(contracts.Init(c.Handler, module, setupData))
	number := uint256.NewInt(index).Bytes32()
	salt := crypto.Keccak256Hash(initializer[:], number[:])
	return crypto.CreateAddress2(c.Factory, salt, c.ProxyInitCodeHash[:])
}

// InitCode returns the operation's initCode that deploys that account: factory ‖
// deployCounterFactualAccount(module, setupData, index).
func (c Contracts) InitCode(module common.Address, setupData []byte, index uint64) []byte {
	deploy := contracts.DeployCounterFactualAccount(module, setupData, *uint256.NewInt(index))
	return append(c.Factory.Bytes(), deploy...)
}

// ReadContracts returns the contracts of another deployment as its factory names them: Factory,
// Implementation, Handler and ProxyInitCodeHash. The other fields are zero, which stands for the well-known
// addresses.
func ReadContracts(ctx context.Context, chain Chain, factory common.Address) (Contracts, error) {
	const longestCode = 8192
	results, err := readAll(ctx, chain,
		contracts.Read{To: factory, Data: contracts.BasicImplementation()},
		contracts.Read{To: factory, Data: contracts.MinimalHandler()},
		contracts.Read{To: factory, Data: contracts.AccountCreationCode(), MaxAnswer: longestCode})
	if err != nil {
		return Contracts{}, fmt.Errorf("contracts of factory %s: %w", factory, err)
	}
	c := Contracts{Factory: factory}
	var code []byte
	err = errors.Join(
		decode(&results[0], "basicImplementation", into(&c.Implementation, contracts.DecodeAddress)),
		decode(&results[1], "minimalHandler", into(&c.Handler, contracts.DecodeAddress)),
		decode(&results[2], "accountCreationCode", into(&code, contracts.DecodeBytes)))
	if err != nil {
		return Contracts{}, fmt.Errorf("factory %s: %w", factory, err)
	}
	c.ProxyInitCodeHash = contracts.ProxyInitCodeHash(code, c.Implementation)
	return c, nil
}

// CheckAddress returns an error unless the factory itself gives the account this very address. It is for
// deployments that are new to the caller, before money is sent to an account without code: an operation with
// the wrong address is refused by the EntryPoint in any case.
func (o *OwnedAccount) CheckAddress(ctx context.Context) error {
	if o.initCode == nil {
		return fmt.Errorf("%w: account %s was named by its address, no factory decides it", ErrConfig, o.address)
	}
	factory := common.BytesToAddress(o.initCode[:common.AddressLength])
	where := contracts.GetAddressForCounterFactualAccount(o.initCode[common.AddressLength:])
	results, err := readAll(ctx, o.client.chain, contracts.Read{To: factory, Data: where})
	if err != nil {
		return fmt.Errorf("address of account %s: %w", o.address, err)
	}
	var address common.Address
	if err := decode(&results[0], "getAddressForCounterFactualAccount", into(&address, contracts.DecodeAddress)); err != nil {
		return fmt.Errorf("factory %s: %w", factory, err)
	}
	if address != o.address {
		return fmt.Errorf("%w: factory %s puts the account at %s, not at %s; ReadContracts reads what belongs to that factory", ErrConfig, factory, address, o.address)
	}
	return nil
}
