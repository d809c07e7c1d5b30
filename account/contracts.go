package account

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/session/policy"
)

// Contracts are the addresses of one deployment of Biconomy Smart Account V2. Zero fields stand for
// the well-known addresses of the chain; see [DefaultContracts].
type Contracts struct {
	// EntryPoint is ERC-4337's EntryPoint v0.6.
	EntryPoint common.Address
	// Factory deploys accounts, Implementation is what their proxies delegate to, and Handler their
	// fallback handler: the three decide an account's address.
	Factory, Implementation, Handler common.Address
	// ProxyInitCodeHash is keccak256(proxy creation code ‖ uint256(implementation)). The creation code
	// is what the factory's accountCreationCode() returns.
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

// Chains whose deployment differs from everyone else's.
const (
	chilizMainnet = 88888
	chilizSpicy   = 88882
	taikoHekla    = 167009
)

// DefaultContracts returns the well-known addresses on a chain. On Taiko Hekla, where the factory is another
// one, the address of an account is worth an [OwnedAccount.CheckAddress] before money is sent to it.
func DefaultContracts(chainID uint64) Contracts {
	c := Contracts{
		EntryPoint:        common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"),
		Factory:           common.HexToAddress("0x000000a56Aaca3e9a4C479ea6b6CD0DbcB6634F5"),
		Implementation:    common.HexToAddress("0x0000002512019Dafb59528B82CB92D3c5D2423aC"),
		Handler:           common.HexToAddress("0x0bBa6d96BD616BedC6BFaa341742FD43c60b83C1"),
		ProxyInitCodeHash: common.HexToHash("0x9e23d82770fbe728cd88babbb4dd51431b0a3c40bfd053a9fba2db0c3edaa369"),
		ECDSA:             common.HexToAddress("0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e"),
		Multichain:        common.HexToAddress("0x000000824dc138db84FD9109fc154bdad332Aa8E"),
		Session:           policy.Modules{}.WithDefaults(),
		Resolver:          common.HexToAddress("0x00000E81673606e07fC79CE5F1b3B26957844468"),
		TokenPaymaster:    common.HexToAddress("0x00000f7365cA6C59A2C93719ad53d567ed49c14C"),
	}
	switch chainID {
	case chilizMainnet, chilizSpicy:
		c.EntryPoint = common.HexToAddress("0x00000061FEfce24A79343c27127435286BB7A4E1")
	case taikoHekla:
		c.Factory = common.HexToAddress("0x000008B3078bA5ed444FFf7658F76385F6004e7A")
		c.Handler = crypto.CreateAddress(c.Factory, 1) // a factory makes its handler first
	}
	return c
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
