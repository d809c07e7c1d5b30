package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeyAEAD is XChaCha20-Poly1305 under one key. A ciphertext is the 24 random bytes of the nonce, then what
// the cipher returns; so many are drawn that a key may seal without counting.
type KeyAEAD struct {
	mu  sync.RWMutex   // guards key
	key hidden[[]byte] // nil once wiped
}

// NewKeyAEAD takes a copy of a key of 32 random bytes.
func NewKeyAEAD(key []byte) (*KeyAEAD, error) {
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("seal: the key has %d bytes, want %d; decode one that is kept as hex or base64, and have NewPassphrase take text", len(key), chacha20poly1305.KeySize)
	}
	return &KeyAEAD{key: hide(slices.Clone(key))}, nil
}

// Encrypt implements [AEAD].
func (a *KeyAEAD) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	aead, err := a.cipher()
	if err != nil {
		return nil, err
	}
	out := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plaintext)+chacha20poly1305.Overhead)
	if _, err := rand.Read(out); err != nil {
		return nil, fmt.Errorf("draw nonce: %w", err)
	}
	return aead.Seal(out, out, plaintext, associatedData), nil
}

// Decrypt implements [AEAD]. The error matches [ErrOpen].
func (a *KeyAEAD) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	aead, err := a.cipher()
	if err != nil {
		return nil, err
	}
	if len(ciphertext) < chacha20poly1305.NonceSizeX {
		return nil, errChanged
	}
	nonce, sealed := ciphertext[:chacha20poly1305.NonceSizeX], ciphertext[chacha20poly1305.NonceSizeX:]
	plaintext, err := aead.Open(nil, nonce, sealed, associatedData)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func (a *KeyAEAD) cipher() (cipher.AEAD, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.key == nil {
		return nil, fmt.Errorf("%w: the sealing key was wiped", ErrWiped)
	}
	return chacha20poly1305.NewX(a.key())
}

// Wipe overwrites the key in memory. It never seals or opens again.
func (a *KeyAEAD) Wipe() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.key != nil {
		clear(a.key())
		a.key = nil
	}
}
