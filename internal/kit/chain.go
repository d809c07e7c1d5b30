package kit

import (
	"crypto/ecdsa"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/contracts"
)

// DefaultChainID is the chain ID of a test chain that names none: Polygon Amoy's.
const DefaultChainID = 80002

// EntryPoint is the EntryPoint v0.6, at its address on the public chain of that ID.
func EntryPoint(chainID uint64) common.Address { return contracts.DeployedOn(chainID).EntryPoint }

// VerifyingPaymaster is the paymaster that sponsors, at its address on public chains.
func VerifyingPaymaster() common.Address { return contracts.Deployed().VerifyingPaymaster }

// TokenPaymaster is the paymaster that is paid in a token, at its address on public chains.
func TokenPaymaster() common.Address { return contracts.Deployed().TokenPaymaster }

// Token6 is the demo token of 6 decimals.
func Token6() common.Address {
	return common.HexToAddress("0x5E5a3e0000000000000000000000000000000620")
}

// Key returns the private key that belongs to name, the same in every run. Such keys are for test chains
// only: anybody can derive them.
func Key(name string) *ecdsa.PrivateKey {
	seed := crypto.Keccak256([]byte("sesame test key: " + name))
	for {
		if key, err := crypto.ToECDSA(seed); err == nil {
			return key
		}
		seed = crypto.Keccak256(seed) // one seed in 2^128 is no key
	}
}

// Address returns the address of [Key](name).
func Address(name string) common.Address {
	return crypto.PubkeyToAddress(Key(name).PublicKey)
}
