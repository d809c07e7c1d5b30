package seal

import (
	"errors"
	"fmt"
)

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
