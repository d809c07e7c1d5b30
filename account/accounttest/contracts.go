package accounttest

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
)

// Contracts are the addresses of the contracts on a test chain.
type Contracts struct {
	EntryPoint           common.Address
	Implementation       common.Address
	Factory              common.Address
	FallbackHandler      common.Address
	ECDSAModule          common.Address
	MultichainModule     common.Address
	SessionKeyManager    common.Address
	BatchedSessionRouter common.Address
	ABISessionModule     common.Address
	ERC20SessionModule   common.Address
	// Paymaster is the verifying paymaster. Its owner is the faucet, its signer [PaymasterSigner].
	Paymaster common.Address
	// TokenPaymaster is paid by the account in a token, at a price that [PaymasterSigner] signed.
	TokenPaymaster common.Address
	// Resolver finds an owner's accounts, those of FactoryV1 too.
	Resolver common.Address

	// FactoryV1 stands for the factory of accounts of version 1, and makes none: it has
	// setAccount(address owner,uint256 index,address account) for everybody.
	FactoryV1 common.Address
	// Oracle is a price oracle with setRate(address token,uint256 perEther) for everybody.
	Oracle common.Address
	// NFT is an ERC-721 with safeMint(address) for everybody.
	NFT common.Address
	// Token is an ERC-20 of 18 decimals with mint(address,uint256) for everybody.
	Token common.Address
	// Token6 is the same with 6 decimals.
	Token6 common.Address
	// ResetToken has 6 decimals and, like USDT, refuses to change an allowance from non-zero to non-zero.
	ResetToken common.Address
	// Target has functions that store, take value, burn gas, and fail in each of the ways a call can.
	Target common.Address
}

// WellKnownContracts returns the addresses on every test chain. Those of the account, its modules, the
// EntryPoint and the paymaster are the ones they have on public chains.
func WellKnownContracts() Contracts {
	at := contracts.Deployed()
	return Contracts{
		EntryPoint:           at.EntryPoint,
		Implementation:       at.Implementation,
		Factory:              at.Factory,
		FallbackHandler:      at.Handler,
		ECDSAModule:          at.ECDSA,
		MultichainModule:     at.Multichain,
		SessionKeyManager:    at.SessionKeyManager,
		BatchedSessionRouter: at.BatchedSessionRouter,
		ABISessionModule:     at.ABISessionModule,
		ERC20SessionModule:   at.ERC20SessionModule,
		Paymaster:            at.VerifyingPaymaster,
		TokenPaymaster:       at.TokenPaymaster,
		Resolver:             at.Resolver,

		FactoryV1:  common.HexToAddress("0x5E5a3E00000000000000000000000000000000f1"),
		Oracle:     common.HexToAddress("0x5E5a3e0000000000000000000000000000000022"),
		NFT:        common.HexToAddress("0x5E5a3e0000000000000000000000000000000721"),
		Token:      common.HexToAddress("0x5E5a3e0000000000000000000000000000000020"),
		Token6:     kit.Token6(),
		ResetToken: common.HexToAddress("0x5E5a3E0000000000000000000000000000000621"),
		Target:     common.HexToAddress("0x5E5a3E00000000000000000000000000000000cA"),
	}
}
