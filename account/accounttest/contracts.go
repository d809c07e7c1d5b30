package accounttest

import (
	"github.com/ethereum/go-ethereum/common"

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

// WellKnownContracts returns the addresses on every test chain. Those of the account, its modules,
// the EntryPoint and the paymaster are the ones they have on public chains.
func WellKnownContracts() Contracts {
	return Contracts{
		EntryPoint:           kit.EntryPoint(),
		Implementation:       common.HexToAddress("0x0000002512019Dafb59528B82CB92D3c5D2423aC"),
		Factory:              common.HexToAddress("0x000000a56Aaca3e9a4C479ea6b6CD0DbcB6634F5"),
		FallbackHandler:      common.HexToAddress("0x0bBa6d96BD616BedC6BFaa341742FD43c60b83C1"),
		ECDSAModule:          common.HexToAddress("0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e"),
		MultichainModule:     common.HexToAddress("0x000000824dc138db84FD9109fc154bdad332Aa8E"),
		SessionKeyManager:    common.HexToAddress("0x000002FbFfedd9B33F4E7156F2DE8D48945E7489"),
		BatchedSessionRouter: common.HexToAddress("0x00000D09967410f8C76752A104c9848b57ebba55"),
		ABISessionModule:     common.HexToAddress("0x000006bC2eCdAe38113929293d241Cf252D91861"),
		ERC20SessionModule:   common.HexToAddress("0x000000D50C68705bd6897B2d17c7de32FB519fDA"),
		Paymaster:            kit.VerifyingPaymaster(),
		TokenPaymaster:       kit.TokenPaymaster(),

		NFT:        common.HexToAddress("0x5E5a3e0000000000000000000000000000000721"),
		Token:      common.HexToAddress("0x5E5a3e0000000000000000000000000000000020"),
		Token6:     kit.Token6(),
		ResetToken: common.HexToAddress("0x5E5a3E0000000000000000000000000000000621"),
		Target:     common.HexToAddress("0x5E5a3E00000000000000000000000000000000cA"),
	}
}
