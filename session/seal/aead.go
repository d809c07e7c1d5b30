package seal

import (
	"errors"
	"fmt"
)

// AEAD is authenticated encryption with associated data: the method set of Tink's tink.AEAD. Implementations
// are safe for concurrent use.
type AEAD interface {
	// Encrypt seals plaintext. The same associatedData is needed to open it.
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	// Decrypt opens what Encrypt returned, or fails if anything about it was changed.
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// ErrOpen means that something sealed does not open: it was sealed by another key, it was changed, or it
// belongs to another place. An AEAD that could not be reached matches it too; see the wrapped error.
var ErrOpen = errors.New("sealed data does not open")

// errChanged is ErrOpen for a ciphertext that is not even of the right form.
var errChanged = fmt.Errorf("%w: not a ciphertext of this kind", ErrOpen)

// Any seals with the first AEAD and opens what any of them sealed: for the time between a rotation's begin
// and its end.
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
