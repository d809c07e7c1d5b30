package contracts

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Deployment is where the contracts of version 2 of the smart account are.
type Deployment struct {
	// EntryPoint is ERC-4337's EntryPoint v0.6.
	EntryPoint common.Address
	// Factory deploys accounts, Implementation is what their proxies delegate to, and Handler their fallback
	// handler.
	Factory, Implementation, Handler common.Address
	// ProxyInitCodeHash is that of [ProxyInitCodeHash] for the implementation.
	ProxyInitCodeHash common.Hash
	// ECDSA and Multichain are the ownership modules.
	ECDSA, Multichain common.Address
	// SessionKeyManager keeps a root per account, and BatchedSessionRouter validates batches.
	SessionKeyManager, BatchedSessionRouter common.Address
	// OlderRouter is the batched session router before that one.
	OlderRouter common.Address
	// ABISessionModule and ERC20SessionModule are the session validation modules.
	ABISessionModule, ERC20SessionModule common.Address
	// VerifyingPaymaster pays for operations that its signer approved, TokenPaymaster takes tokens for it.
	VerifyingPaymaster, TokenPaymaster common.Address
	// Resolver finds accounts of version 1 that were upgraded to version 2.
	Resolver common.Address
	// Deployer is the deterministic deployer, through which the others came to the same address on every
	// chain.
	Deployer common.Address
}

// Chains whose deployment differs from everyone else's.
const (
	chilizMainnet = 88888
	chilizSpicy   = 88882
	taikoHekla    = 167009
)

// Deployed returns the addresses that are the same on all chains but those that [DeployedOn] knows to differ.
func Deployed() Deployment { return deployed() }

var deployed = sync.OnceValue(func() Deployment {
	return Deployment{
		EntryPoint:           common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"),
		Factory:              common.HexToAddress("0x000000a56Aaca3e9a4C479ea6b6CD0DbcB6634F5"),
		Implementation:       common.HexToAddress("0x0000002512019Dafb59528B82CB92D3c5D2423aC"),
		Handler:              common.HexToAddress("0x0bBa6d96BD616BedC6BFaa341742FD43c60b83C1"),
		ProxyInitCodeHash:    common.HexToHash("0x9e23d82770fbe728cd88babbb4dd51431b0a3c40bfd053a9fba2db0c3edaa369"),
		ECDSA:                common.HexToAddress("0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e"),
		Multichain:           common.HexToAddress("0x000000824dc138db84FD9109fc154bdad332Aa8E"),
		SessionKeyManager:    common.HexToAddress("0x000002FbFfedd9B33F4E7156F2DE8D48945E7489"),
		BatchedSessionRouter: common.HexToAddress("0x00000D09967410f8C76752A104c9848b57ebba55"),
		OlderRouter:          common.HexToAddress("0x000008dA71757C0E1D83CE56c823e25Aa49bC058"),
		ABISessionModule:     common.HexToAddress("0x000006bC2eCdAe38113929293d241Cf252D91861"),
		ERC20SessionModule:   common.HexToAddress("0x000000D50C68705bd6897B2d17c7de32FB519fDA"),
		VerifyingPaymaster:   common.HexToAddress("0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789"),
		TokenPaymaster:       common.HexToAddress("0x00000f7365cA6C59A2C93719ad53d567ed49c14C"),
		Resolver:             common.HexToAddress("0x00000E81673606e07fC79CE5F1b3B26957844468"),
		Deployer:             common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C"),
	}
})

// DeployedOn returns the addresses on a chain.
func DeployedOn(chainID uint64) Deployment {
	d := Deployed()
	switch chainID {
	case chilizMainnet, chilizSpicy:
		d.EntryPoint = common.HexToAddress("0x00000061FEfce24A79343c27127435286BB7A4E1")
	case taikoHekla:
		d.Factory = common.HexToAddress("0x000008B3078bA5ed444FFf7658F76385F6004e7A")
		d.Handler = crypto.CreateAddress(d.Factory, 1) // a factory makes its handler first
	}
	return d
}

// Guards returns the contracts that keep a key or money for an account: a call by the account can change
// there who acts for it, or take what lies there in its name. They are those of all chains.
func Guards() []common.Address {
	d := Deployed()
	return []common.Address{
		d.EntryPoint, DeployedOn(chilizMainnet).EntryPoint, d.VerifyingPaymaster,
		d.ECDSA, d.Multichain, d.SessionKeyManager, d.BatchedSessionRouter, d.OlderRouter,
		d.ABISessionModule, d.ERC20SessionModule,
	}
}
