package session

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/session/seal"
)

// ImportKeystore takes the session key out of a key file of geth, or of another wallet that writes
// version 3 of the Web3 Secret Storage, into keys and returns its address. A wrong passphrase is an
// error matching [seal.ErrOpen].
func ImportKeystore(ctx context.Context, keys Keyring, ref Ref, file, passphrase []byte) (address common.Address, err error) {
	key, err := seal.DecryptKeystore(file, passphrase)
	if err != nil {
		return common.Address{}, err
	}
	defer key.Wipe()
	return importKey(ctx, keys, ref, key)
}

// importKey gives the keyring a copy of the key, and wipes what it was copied from.
func importKey(ctx context.Context, keys Keyring, ref Ref, key *seal.Key) (address common.Address, err error) {
	err = key.Expose(func(secret []byte) error {
		private, err := crypto.ToECDSA(secret)
		if err != nil {
			return fmt.Errorf("%w: session key %s", seal.ErrNotAKey, key.Address())
		}
		//lint:ignore SA1019 overwriting the number where it lies is the point
		defer clear(private.D.Bits())
		address, err = keys.ImportKey(ctx, ref, private)
		return err
	})
	return address, err
}
