package session

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/keccak"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/userop"
)

// Keyring holds session keys and signs with them. Keys belong to a [Ref]: one account on one chain. A remote
// signer or a KMS is a Keyring of its own. Implementations are safe for concurrent use.
type Keyring interface {
	// NewKey makes a key and returns its address.
	NewKey(ctx context.Context, ref Ref) (common.Address, error)
	// ImportKey takes a copy of an existing key and returns its address.
	ImportKey(ctx context.Context, ref Ref, key *ecdsa.PrivateKey) (common.Address, error)
	// Keys returns the addresses of ref's keys, in no special order.
	Keys(ctx context.Context, ref Ref) ([]common.Address, error)
	// SignDigest signs with one of ref's keys, or returns an error matching [ErrNoKey]. The signature is 65
	// bytes r ‖ s ‖ v. A session asks while it holds the account in its store: ctx ends after [MaxHold] at
	// the latest, and a signature that comes later is thrown away.
	SignDigest(ctx context.Context, req SignRequest) ([]byte, error)
	// RemoveKey forgets a key. A key that is not there is an error matching [ErrNoKey].
	RemoveKey(ctx context.Context, ref Ref, key common.Address) error
}

// LocalKeyring is a [Keyring] that signs in this process, with keys whose address it derived itself. Its
// signatures are right by construction; they are not recovered once more, which costs as much as signing. A
// keyring that signs elsewhere must not become one by embedding one: it embeds a Keyring, which hides the
// method below.
type LocalKeyring interface {
	Keyring
	// SignsLocally does nothing; it says the above.
	SignsLocally()
}

// SignRequest is what a [Keyring] is asked to sign. A keyring that takes requests from elsewhere works
// UserOpHash and Digest out of Operation itself: whoever has a digest of their choosing signed has an
// operation.
type SignRequest struct {
	Ref Ref
	// Key is the address of the session key.
	Key common.Address
	// Digest are the 32 bytes to sign: the EIP-191 personal message hash of UserOpHash.
	Digest common.Hash
	// UserOpHash is the hash of Operation.
	UserOpHash common.Hash
	// Operation is what the signature is for, for signers with rules of their own. It must not be changed.
	Operation *userop.Operation
}

// UnusedKeys returns the addresses of the keys that the store keeps for an account and that none of its
// sessions names, revoked and expired ones included: those of grants that were never submitted, and of grants
// that are still to be, which account.Prepared tells of. [Keyring].RemoveKey removes one; Submit refuses a
// prepared grant of it then. Remove none while a grant of the account is being submitted or made: it may name
// the key by then, and its session could never act.
func UnusedKeys(ctx context.Context, store interface {
	Store
	Keyring
}, ref Ref) ([]common.Address, error) {
	// The keys first: one that a session names by now was made before.
	keys, err := store.Keys(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("keys of %s: %w", ref, err)
	}
	state, err := store.Load(ctx, ref)
	switch {
	case errors.Is(err, ErrNotFound):
		return keys, nil
	case err != nil:
		return nil, fmt.Errorf("sessions of %s: %w", ref, err)
	}
	used := make(map[common.Address]bool, len(state.Leaves))
	for i := range state.Leaves {
		used[state.Leaves[i].Key] = true
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key common.Address) bool { return used[key] }), nil
}

// MessageDigest returns the EIP-191 personal message hash of a userOpHash: what the session validation
// modules recover the session key from.
func MessageDigest(userOpHash common.Hash) common.Hash {
	h := keccak.Get()
	defer h.Put()
	return h.Sum(append(append(h.Buffer(), "\x19Ethereum Signed Message:\n32"...), userOpHash[:]...))
}

// ImportKeystore takes the session key out of a key file of geth, or of another wallet that writes version 3
// of the Web3 Secret Storage, into keys and returns its address. A wrong passphrase is an error matching
// [seal.ErrOpen].
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
