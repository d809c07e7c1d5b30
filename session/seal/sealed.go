package seal

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// AssociatedData names the row of a session key: what a sealed key is bound to.
func AssociatedData(chainID uint64, account, key common.Address) []byte {
	b := append(make([]byte, 0, 64), "sesame session key\x00"...)
	b = binary.BigEndian.AppendUint64(b, chainID)
	b = append(b, account[:]...)
	return append(b, key[:]...)
}

// Seal returns the key sealed by aead and bound to associatedData.
func (k *Key) Seal(aead AEAD, associatedData []byte) (sealed []byte, err error) {
	err = k.Expose(func(secret []byte) (err error) {
		sealed, err = aead.Encrypt(secret, associatedData)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("seal session key %s: %w", k.address, err)
	}
	return sealed, nil
}

// OpenKey opens what [Key.Seal] returned. A key of another address than want, and anything else that does not
// open, is an error matching [ErrOpen].
func OpenKey(aead AEAD, sealed, associatedData []byte, want common.Address) (*Key, error) {
	secret, err := aead.Decrypt(sealed, associatedData)
	if err != nil {
		return nil, fmt.Errorf("%w: session key %s was sealed by another key, or was changed or moved; use what sealed it: %w", ErrOpen, want, err)
	}
	defer clear(secret)
	key, err := ParseKey(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: in the place of session key %s is something else", ErrOpen, want)
	}
	if key.address != want {
		key.Wipe()
		return nil, fmt.Errorf("%w: in the place of session key %s is %s", ErrOpen, want, key.address)
	}
	return key, nil
}

// Reseal returns what from sealed, sealed by to. What to sealed already is sealed anew, so that a rotation
// which was interrupted can simply be started again.
func Reseal(sealed, associatedData []byte, from, to AEAD) ([]byte, error) {
	secret, err := Any{from, to}.Decrypt(sealed, associatedData)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return to.Encrypt(secret, associatedData)
}
