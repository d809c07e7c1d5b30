package accounttest

import (
	"crypto/ecdsa"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/kit"
)

// Key returns the private key that belongs to name, the same in every run. Such keys are for test chains
// only: anybody can derive them.
func Key(name string) *ecdsa.PrivateKey { return kit.Key(name) }

// Address returns the address of [Key](name).
func Address(name string) common.Address { return kit.Address(name) }

// Faucet returns the key of the account that every test chain has funded. It also owns the paymaster and the
// factory.
func Faucet() *ecdsa.PrivateKey { return Key("faucet") }

// PaymasterSigner returns the key whose signature the chain's paymasters accept.
func PaymasterSigner() *ecdsa.PrivateKey { return Key("paymaster signer") }
