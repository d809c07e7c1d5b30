package session

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

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
	if len(sig) != crypto.SignatureLength {
		return nil, fmt.Errorf("%w: signature has %d bytes, want %d", ErrWrongKey, len(sig), crypto.SignatureLength)
	}
	sig = append([]byte(nil), sig...)
	if sig[64] >= 27 {
		sig[64] -= 27
	}
	pub, err := crypto.SigToPub(digest[:], sig)
	if err != nil {
		return nil, fmt.Errorf("%w: signature recovers no key: %v", ErrWrongKey, err)
	}
	if signer := crypto.PubkeyToAddress(*pub); signer != key {
		return nil, fmt.Errorf("%w: the keyring signed with %s, the session wants %s", ErrWrongKey, signer, key)
	}
	if !lowS(sig) {
		return nil, fmt.Errorf("%w: signature has a high s, which the contracts refuse", ErrWrongKey)
	}
	sig[64] += 27
	return sig, nil
}

// lowS reports whether the signature's s is in the lower half of the curve order.
func lowS(sig []byte) bool {
	v := sig[64]
	return crypto.ValidateSignatureValues(v, bigOf(sig[:32]), bigOf(sig[32:64]), true)
}
