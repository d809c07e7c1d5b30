package storekit

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"github.com/go-sesame/sesame/session/seal"
)

// NewDataKey makes a data key, under which a store seals its keys, and has sealer seal it for being stored,
// bound to context. It sees to it that sealer opens again what it sealed.
func NewDataKey(sealer seal.AEAD, context []byte) (sealed []byte, data *seal.KeyAEAD, err error) {
	fresh := make([]byte, seal.KeySize)
	defer clear(fresh)
	if _, err := rand.Read(fresh); err != nil {
		return nil, nil, fmt.Errorf("draw data key: %w", err)
	}
	if sealed, err = sealer.Encrypt(fresh, context); err != nil {
		return nil, nil, fmt.Errorf("seal data key: %w", err)
	}
	again, err := sealer.Decrypt(sealed, context)
	if err != nil {
		return nil, nil, fmt.Errorf("the Sealer does not open what it sealed: %w", err)
	}
	defer clear(again)
	if !bytes.Equal(again, fresh) {
		return nil, nil, fmt.Errorf("%w: the Sealer opens something else than it sealed", seal.ErrOpen)
	}
	data, err = seal.NewKeyAEAD(fresh)
	return sealed, data, err
}
