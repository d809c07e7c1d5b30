package account

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
)

// Keystore is what [KeystoreOwner] needs of go-ethereum's *keystore.KeyStore.
type Keystore interface {
	// SignHash signs a hash with an account that is unlocked.
	SignHash(a accounts.Account, hash []byte) ([]byte, error)
}

// KeystoreOwner is an owner whose key lies encrypted in a keystore of go-ethereum. Its account has to be
// unlocked before it signs; the owner itself knows no passphrase.
func KeystoreOwner(store Keystore, account accounts.Account) Owner {
	return keystoreOwner{store: store, account: account}
}

type keystoreOwner struct {
	store   Keystore
	account accounts.Account
}

// Address implements [Owner].
func (o keystoreOwner) Address() common.Address { return o.account.Address }

// SignMessage implements [Owner].
func (o keystoreOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sig, err := o.store.SignHash(o.account, accounts.TextHash(message))
	if err != nil {
		return nil, fmt.Errorf("keystore account %s: %w", o.account.Address, err)
	}
	return sig, nil
}
