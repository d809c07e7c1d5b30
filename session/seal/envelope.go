package seal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// Envelope seals each plaintext under a data key of its own and has KEK seal the data key: a KMS sees 32
// random bytes instead of a session key, and is asked once for each operation.
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
