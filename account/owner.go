package account

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Owner is who owns a smart account through one of the ownership modules: an address and its
// signatures. Hardware wallets and external signers implement it; [KeyOwner] is a key in memory.
type Owner interface {
	// Address returns the owner's address. It never changes.
	Address() common.Address
	// SignMessage returns the 65-byte EIP-191 signature (personal_sign) of message.
	SignMessage(ctx context.Context, message []byte) ([]byte, error)
}

// KeyOwner is an owner whose private key is at hand.
func KeyOwner(key *ecdsa.PrivateKey) Owner { return keyOwner{key: key} }

type keyOwner struct{ key *ecdsa.PrivateKey }

// Address implements [Owner]; the zero address stands for no key.
func (o keyOwner) Address() common.Address {
	if o.key == nil {
		return common.Address{}
	}
	return crypto.PubkeyToAddress(o.key.PublicKey)
}

// SignMessage implements [Owner].
func (o keyOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if o.key == nil {
		return nil, fmt.Errorf("%w: the owner has no key", ErrNoSigner)
	}
	return crypto.Sign(accounts.TextHash(message), o.key)
}

// String returns the owner's address, whatever the verb it is printed with.
func (o keyOwner) String() string { return "owner " + o.Address().Hex() }

// Format implements [fmt.Formatter], so that no verb prints the key.
func (o keyOwner) Format(f fmt.State, _ rune) { fmt.Fprint(f, o.String()) }
