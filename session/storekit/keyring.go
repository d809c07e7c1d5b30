package storekit

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// PutKey stores one of ref's keys, or leaves one that is there already, and refuses a ref that is not valid.
// The key is wiped when it returns: what is to be kept open is copied.
type PutKey func(ctx context.Context, ref session.Ref, key *seal.Key) error

// UseKey calls use with one of ref's keys, which stays the store's, or returns [NoKeyError].
type UseKey func(ctx context.Context, ref session.Ref, key common.Address, use func(*seal.Key) error) error

// NewKey makes a key, has it stored, and returns its address: [session.Keyring]'s NewKey.
func NewKey(ctx context.Context, ref session.Ref, put PutKey) (common.Address, error) {
	key, err := seal.NewKey()
	if err != nil {
		return common.Address{}, err
	}
	return putKey(ctx, ref, key, put)
}

// ImportKey has a copy of a key stored and returns its address: [session.Keyring]'s ImportKey. The error
// matches [policy.ErrInvalid] for what is no key.
func ImportKey(ctx context.Context, ref session.Ref, key *ecdsa.PrivateKey, put PutKey) (common.Address, error) {
	own, err := seal.CopyKey(key)
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: import session key of %s: %w", policy.ErrInvalid, ref, err)
	}
	return putKey(ctx, ref, own, put)
}

func putKey(ctx context.Context, ref session.Ref, key *seal.Key, put PutKey) (common.Address, error) {
	defer key.Wipe()
	if err := put(ctx, ref, key); err != nil {
		return common.Address{}, err
	}
	return key.Address(), nil
}

// SealKey hands a key of the store out, sealed by aead: [session.KeySealer]'s SealKey.
func SealKey(ctx context.Context, ref session.Ref, address common.Address, aead seal.AEAD, use UseKey) (sealed []byte, err error) {
	err = use(ctx, ref, address, func(key *seal.Key) error {
		sealed, err = key.Seal(aead, seal.AssociatedData(ref.ChainID, ref.Account, address))
		return err
	})
	return sealed, err
}

// CheckSignature returns an error matching [session.ErrWrongKey] if sig, as a keyring returned it, is not
// key's signature of digest in a form that the contracts take or a session brings into one. It is for tests
// of keyrings: signatures that come from elsewhere than this process are checked before they are used anyway.
func CheckSignature(sig []byte, digest common.Hash, key common.Address) error {
	if _, err := signature.Normalize(sig, digest, key); err != nil {
		return fmt.Errorf("%w: %w", session.ErrWrongKey, err)
	}
	return nil
}
