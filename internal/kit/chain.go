package kit

import (
	"crypto/ecdsa"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// DefaultChainID is the chain ID of a test chain that names none: Polygon Amoy's.
const DefaultChainID = 80002

// EntryPoint is the EntryPoint v0.6, at its address on public chains.
func EntryPoint() common.Address {
	return common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
}

// VerifyingPaymaster is the paymaster that sponsors, at its address on public chains.
func VerifyingPaymaster() common.Address {
	return common.HexToAddress("0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789")
}

// TokenPaymaster is the paymaster that is paid in a token, at its address on public chains.
func TokenPaymaster() common.Address {
	return common.HexToAddress("0x00000f7365cA6C59A2C93719ad53d567ed49c14C")
}

// Token6 is the demo token of 6 decimals.
func Token6() common.Address {
	return common.HexToAddress("0x5E5a3e0000000000000000000000000000000620")
}

// Key returns the private key that belongs to name, the same in every run. Such keys are for test
// chains only: anybody can derive them.
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
