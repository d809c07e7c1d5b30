package session

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// Keyring holds session keys and signs with them. Keys belong to a [Ref]: one account on one chain.
// A remote signer or a KMS is a Keyring of its own. Implementations are safe for concurrent use.
type Keyring interface {
	// NewKey makes a key and returns its address.
	NewKey(ctx context.Context, ref Ref) (common.Address, error)
	// ImportKey takes a copy of an existing key and returns its address.
	ImportKey(ctx context.Context, ref Ref, key *ecdsa.PrivateKey) (common.Address, error)
	// Keys returns the addresses of ref's keys, in no special order.
	Keys(ctx context.Context, ref Ref) ([]common.Address, error)
	// SignDigest signs with one of ref's keys, or returns an error matching [ErrNoKey].
	// The signature is 65 bytes r ‖ s ‖ v.
	SignDigest(ctx context.Context, req SignRequest) ([]byte, error)
	// RemoveKey forgets a key. A key that is not there is an error matching [ErrNoKey].
	RemoveKey(ctx context.Context, ref Ref, key common.Address) error
}

// LocalKeyring is a [Keyring] that signs in this process, with keys whose address it derived itself. Its
// signatures are right by construction; they are not recovered once more, which costs as much as signing.
// A keyring that signs elsewhere must not become one by embedding one: it embeds a Keyring, which hides the
// method below.
type LocalKeyring interface {
	Keyring
	// SignsLocally does nothing; it says the above.
	SignsLocally()
}

// SignRequest is what a [Keyring] is asked to sign.
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

// MessageDigest returns the EIP-191 personal message hash of a userOpHash: what the session
// validation modules recover the session key from.
func MessageDigest(userOpHash common.Hash) common.Hash {
	return common.BytesToHash(accounts.TextHash(userOpHash[:]))
}

// NormalizeSignature checks that sig is key's signature of digest and returns it in the one form the
// contracts take: 65 bytes, v 27 or 28, low s. The error matches [ErrWrongKey].
func NormalizeSignature(sig []byte, digest common.Hash, key common.Address) ([]byte, error) {
	sig, err := formSignature(sig)
	if err != nil {
		return nil, err
	}
	sig[64] -= 27
	pub, err := crypto.SigToPub(digest[:], sig)
	if err != nil {
		return nil, fmt.Errorf("%w: signature recovers no key: %w", ErrWrongKey, err)
	}
	if signer := crypto.PubkeyToAddress(*pub); signer != key {
		return nil, fmt.Errorf("%w: the keyring signed with %s, the session wants %s", ErrWrongKey, signer, key)
	}
	sig[64] += 27
	return sig, nil
}

// formSignature returns a copy of sig with v 27 or 28, or an error for what no contract takes.
func formSignature(sig []byte) ([]byte, error) {
	if len(sig) != crypto.SignatureLength {
		return nil, fmt.Errorf("%w: signature has %d bytes, want %d", ErrWrongKey, len(sig), crypto.SignatureLength)
	}
	sig = append([]byte(nil), sig...)
	if sig[64] < 27 {
		sig[64] += 27
	}
	var r, s uint256.Int
	r.SetBytes32(sig[:32])
	s.SetBytes32(sig[32:64])
	switch {
	case sig[64] > 28 || r.IsZero() || s.IsZero():
		return nil, fmt.Errorf("%w: signature recovers no key", ErrWrongKey)
	case s.Gt(&halfOrder):
		return nil, fmt.Errorf("%w: signature has a high s, which the contracts refuse", ErrWrongKey)
	}
	return sig, nil
}

// halfOrder is half of the order of secp256k1: the largest s that OpenZeppelin's ECDSA takes.
var halfOrder = *uint256.MustFromHex("0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
