package kit

import (
	"crypto/ecdsa"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

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
