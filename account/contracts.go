package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
)

// Contracts are the addresses of one deployment of Biconomy Smart Account V2. Zero fields stand for the
// well-known addresses of the chain; see [DefaultContracts].
type Contracts struct {
	// EntryPoint is ERC-4337's EntryPoint v0.6.
	EntryPoint common.Address
	// Factory deploys accounts, Implementation is what their proxies delegate to, and Handler their fallback
	// handler: the three decide an account's address.
	Factory, Implementation, Handler common.Address
	// ProxyInitCodeHash is keccak256(proxy creation code ‖ uint256(implementation)). The creation code is
	// what the factory's accountCreationCode() returns.
	ProxyInitCodeHash common.Hash
	// ECDSA and Multichain are the ownership modules.
	ECDSA, Multichain common.Address
	// Session are the session modules.
	Session policy.Modules
	// Resolver finds V1 accounts that were upgraded to V2.
	Resolver common.Address
	// TokenPaymaster is the ERC-20 paymaster that fee tokens are approved for.
	TokenPaymaster common.Address
}

// DefaultContracts returns the well-known addresses on a chain. On Taiko Hekla, where the factory is another
// one, the address of an account is worth an [OwnedAccount.CheckAddress] before money is sent to it.
func DefaultContracts(chainID uint64) Contracts {
	known := contracts.DeployedOn(chainID)
	return Contracts{
		EntryPoint:        known.EntryPoint,
		Factory:           known.Factory,
		Implementation:    known.Implementation,
		Handler:           known.Handler,
		ProxyInitCodeHash: known.ProxyInitCodeHash,
		ECDSA:             known.ECDSA,
		Multichain:        known.Multichain,
		Session:           policy.Modules{}.WithDefaults(),
		Resolver:          known.Resolver,
		TokenPaymaster:    known.TokenPaymaster,
	}
}

// withDefaults fills zero fields with the chain's well-known addresses. Those that decide an account's
// address go together: a deployment with its own implementation has to name its hash, one with its own
// factory its handler.
func (c Contracts) withDefaults(chainID uint64) (Contracts, error) {
	known := DefaultContracts(chainID)
	if c.Implementation != (common.Address{}) && c.Implementation != known.Implementation && c.ProxyInitCodeHash == (common.Hash{}) {
		return c, fmt.Errorf("%w: contracts with implementation %s need their ProxyInitCodeHash; ReadContracts reads them from the factory", ErrConfig, c.Implementation)
	}
	if c.Factory != (common.Address{}) && c.Factory != known.Factory && c.Handler == (common.Address{}) {
		return c, fmt.Errorf("%w: contracts with factory %s need its Handler, without which accounts get another address; ReadContracts reads them from the factory", ErrConfig, c.Factory)
	}
	for _, field := range []struct{ address, known *common.Address }{
		{&c.EntryPoint, &known.EntryPoint},
		{&c.Factory, &known.Factory},
		{&c.Implementation, &known.Implementation},
		{&c.Handler, &known.Handler},
		{&c.ECDSA, &known.ECDSA},
		{&c.Multichain, &known.Multichain},
		{&c.Resolver, &known.Resolver},
		{&c.TokenPaymaster, &known.TokenPaymaster},
	} {
		if *field.address == (common.Address{}) {
			*field.address = *field.known
		}
	}
	if c.ProxyInitCodeHash == (common.Hash{}) {
		c.ProxyInitCodeHash = known.ProxyInitCodeHash
	}
	c.Session = c.Session.WithDefaults()
	return c, nil
}

// counterfactualAddress returns the address that the factory gives an account: a CREATE2 address that depends
// on the handler, the ownership module with its setup data, the index and the implementation.
func (c Contracts) counterfactualAddress(module common.Address, setupData []byte, index uint64) common.Address {
	initializer := crypto.Keccak256Hash(contracts.Init(c.Handler, module, setupData))
	number := uint256.NewInt(index).Bytes32()
	salt := crypto.Keccak256Hash(initializer[:], number[:])
	return crypto.CreateAddress2(c.Factory, salt, c.ProxyInitCodeHash[:])
}

// initCode returns the operation's initCode that deploys that account: factory ‖
// deployCounterFactualAccount(module, setupData, index).
func (c Contracts) initCode(module common.Address, setupData []byte, index uint64) []byte {
	deploy := contracts.DeployCounterFactualAccount(module, setupData, *uint256.NewInt(index))
	return append(c.Factory.Bytes(), deploy...)
}

// ReadContracts returns the contracts of another deployment as its factory names them: Factory,
// Implementation, Handler and ProxyInitCodeHash. The other fields are zero, which stands for the well-known
// addresses.
func ReadContracts(ctx context.Context, chain Chain, factory common.Address) (Contracts, error) {
	const longestCode = 8192
	results, err := batchRead(ctx, chain, nil,
		contracts.Read{To: factory, Data: contracts.BasicImplementation()},
		contracts.Read{To: factory, Data: contracts.MinimalHandler()},
		contracts.Read{To: factory, Data: contracts.AccountCreationCode(), MaxAnswer: longestCode})
	if err != nil {
		return Contracts{}, fmt.Errorf("contracts of factory %s: %w", factory, err)
	}
	c := Contracts{Factory: factory}
	var code []byte
	err = errors.Join(
		decodeResult(&results[0], "basicImplementation", into(&c.Implementation, contracts.DecodeAddress)),
		decodeResult(&results[1], "minimalHandler", into(&c.Handler, contracts.DecodeAddress)),
		decodeResult(&results[2], "accountCreationCode", into(&code, contracts.DecodeBytes)))
	if err != nil {
		return Contracts{}, fmt.Errorf("factory %s: %w", factory, err)
	}
	c.ProxyInitCodeHash = contracts.ProxyInitCodeHash(code, c.Implementation)
	return c, nil
}
