package filestore

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/session/seal"
)

// hidden keeps an AEAD from printers, which follow what fields hold and, in a field that is not exported, ask
// nothing how it wants to be printed.
type hidden func() seal.AEAD

// hide returns nil for no AEAD.
func hide(aead seal.AEAD) hidden {
	if ability.Missing(aead) {
		return nil
	}
	return func() seal.AEAD { return aead }
}

// GoString returns [Store.String].
func (s *Store) GoString() string { return s.String() }

// Format writes [Store.String] whatever the verb.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue logs [Store.String].
func (s *Store) LogValue() slog.Value { return slog.StringValue(s.String()) }
