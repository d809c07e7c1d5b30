package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// AEAD is authenticated encryption with associated data: the method set of Tink's tink.AEAD.
// Implementations are safe for concurrent use.
type AEAD interface {
	// Encrypt seals plaintext. The same associatedData is needed to open it.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	// Decrypt opens what Encrypt returned, or fails if anything about it was changed.
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// ErrOpen means that something sealed does not open: it was sealed by another key, it was changed, or
// it belongs to another place. An AEAD that could not be reached matches it too; see the wrapped error.
var ErrOpen = errors.New("sealed data does not open")

// errChanged is ErrOpen for a ciphertext that is not even of the right form.
var errChanged = fmt.Errorf("%w: not a ciphertext of this kind", ErrOpen)

// KeyAEAD is XChaCha20-Poly1305 under one key. A ciphertext is the 24 random bytes of the nonce, then
// what the cipher returns; so many are drawn that a key may seal without counting.
type KeyAEAD struct {
	mu  sync.RWMutex   // guards key
	key hidden[[]byte] // nil once wiped
}

// NewKeyAEAD takes a copy of a key of 32 random bytes.
func NewKeyAEAD(key []byte) (*KeyAEAD, error) {
	if len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("sealing key has %d bytes, want %d", len(key), chacha20poly1305.KeySize)
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

// Envelope seals each plaintext under a data key of its own and has KEK seal the data key: a KMS sees
// 32 random bytes instead of a session key, and is asked once for each operation.
type Envelope struct {
	// KEK seals the data keys, without associated data; that binds the plaintext.
	KEK AEAD
}

// maxWrapped bounds a sealed data key; those of the cloud services have some hundred bytes.
const maxWrapped = 16 << 10

// Encrypt implements [AEAD].
func (e Envelope) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	defer clear(key)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("draw data key: %w", err)
	}
	wrapped, err := e.KEK.Encrypt(key, nil)
	if err != nil {
		return nil, fmt.Errorf("seal data key: %w", err)
	}
	if len(wrapped) > maxWrapped {
		return nil, fmt.Errorf("sealed data key has %d bytes, want at most %d", len(wrapped), maxWrapped)
	}
	data, err := NewKeyAEAD(key)
	if err != nil {
		return nil, err
	}
	defer data.Wipe()
	sealed, err := data.Encrypt(plaintext, associatedData)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint16(nil, uint16(len(wrapped)))
	return slices.Concat(out, wrapped, sealed), nil
}

// Decrypt implements [AEAD]. The error matches [ErrOpen].
func (e Envelope) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	if len(ciphertext) < 2 {
		return nil, errChanged
	}
	size, rest := int(binary.BigEndian.Uint16(ciphertext)), ciphertext[2:]
	if size > maxWrapped || size > len(rest) {
		return nil, errChanged
	}
	key, err := e.KEK.Decrypt(rest[:size], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: open data key: %w", ErrOpen, err)
	}
	defer clear(key)
	data, err := NewKeyAEAD(key)
	if err != nil {
		return nil, errChanged
	}
	defer data.Wipe()
	return data.Decrypt(rest[size:], associatedData)
}

// Any seals with the first AEAD and opens what any of them sealed: for the time between a rotation's
// begin and its end.
type Any []AEAD

// Encrypt implements [AEAD].
func (a Any) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	if len(a) == 0 {
		return nil, errors.New("no AEAD to seal with")
	}
	return a[0].Encrypt(plaintext, associatedData)
}

// Decrypt implements [AEAD]. The error wraps those of all AEADs and matches [ErrOpen].
func (a Any) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	failed := fmt.Errorf("%w by any of %d AEADs", ErrOpen, len(a))
	for _, aead := range a {
		plaintext, err := aead.Decrypt(ciphertext, associatedData)
		if err == nil {
			return plaintext, nil
		}
		failed = fmt.Errorf("%w; %w", failed, err)
	}
	return nil, failed
}
