package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

var (
	// ErrRefused means that the signer's rules do not allow it; asking again does not help.
	ErrRefused = errors.New("the signer refuses")
	// ErrUnavailable means that no usable answer came from the signer.
	ErrUnavailable = errors.New("the signer is unavailable")
)

// KeyringConfig makes a [Keyring]. URL and Token are required.
type KeyringConfig struct {
	// URL is the signer's address. Plain http is for this machine only, since the token goes with it.
	URL   string
	Token string
	// Sealer seals keys on their way to the signer, which opens them by the same; without it no key is
	// imported.
	Sealer seal.AEAD
	// Concurrency is how many requests are under way at once, 16 by default; further ones wait.
	Concurrency int
	// Timeout bounds a call, tries and waiting included; 5 seconds by default. A session is held while its
	// key signs: a revocation waits for as long.
	Timeout time.Duration
}

// Keyring is a [session.Keyring] whose keys are with a remote signer. It is safe for concurrent use.
type Keyring struct {
	signer *client
	sealer seal.AEAD
}

var _ session.Keyring = (*Keyring)(nil)

// NewKeyring returns a keyring. It does no I/O.
func NewKeyring(cfg KeyringConfig) (*Keyring, error) {
	signer, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Keyring{signer: signer, sealer: cfg.Sealer}, nil
}

// Close closes idle connections. The keyring can still be used.
func (k *Keyring) Close() { k.signer.http.CloseIdleConnections() }

// String names the signer.
func (k *Keyring) String() string { return k.signer.String() }

// Format writes [Keyring.String] whatever the verb.
func (k *Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// NewKey implements [session.Keyring]. It is not tried again: a first try whose answer got lost has made a
// key.
func (k *Keyring) NewKey(ctx context.Context, ref session.Ref) (common.Address, error) {
	a, err := k.signer.call(ctx, pathNew, &request{ChainID: ref.ChainID, Account: ref.Account})
	return a.Key, err
}

// ImportKey implements [session.Keyring].
func (k *Keyring) ImportKey(ctx context.Context, ref session.Ref, key *ecdsa.PrivateKey) (common.Address, error) {
	own, err := seal.CopyKey(key)
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: import session key of %s: %w", policy.ErrInvalid, ref, err)
	}
	defer own.Wipe()
	if k.sealer == nil {
		return common.Address{}, fmt.Errorf("%w: import session key of %s: no Sealer is set to send it with", ErrRefused, ref)
	}
	sealed, err := own.Seal(k.sealer, seal.AssociatedData(ref.ChainID, ref.Account, own.Address()))
	if err != nil {
		return common.Address{}, err
	}
	a, err := k.signer.callAgain(ctx, pathImport, &request{ChainID: ref.ChainID, Account: ref.Account, Key: own.Address(), Sealed: sealed})
	if err == nil && a.Key != own.Address() {
		err = fmt.Errorf("%w: it imported %s for %s", ErrUnavailable, a.Key, own.Address())
	}
	return a.Key, err
}

// Keys implements [session.Keyring].
func (k *Keyring) Keys(ctx context.Context, ref session.Ref) ([]common.Address, error) {
	a, err := k.signer.callAgain(ctx, pathList, &request{ChainID: ref.ChainID, Account: ref.Account})
	return a.Keys, err
}

// SignDigest implements [session.Keyring]. Signing changes nothing, so it is tried again. What the signer
// returns is not trusted: the session recovers the key from it.
func (k *Keyring) SignDigest(ctx context.Context, req session.SignRequest) ([]byte, error) {
	a, err := k.signer.callAgain(ctx, pathSign, &request{
		ChainID: req.Ref.ChainID, Account: req.Ref.Account, Key: req.Key,
		Digest: req.Digest, UserOpHash: req.UserOpHash, Operation: req.Operation,
	})
	return a.Signature, err
}

// RemoveKey implements [session.Keyring]. It is not tried again: the second answer would be that there is no
// such key.
func (k *Keyring) RemoveKey(ctx context.Context, ref session.Ref, key common.Address) error {
	_, err := k.signer.call(ctx, pathRemove, &request{ChainID: ref.ChainID, Account: ref.Account, Key: key})
	return err
}
