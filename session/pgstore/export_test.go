package pgstore

import (
	"maps"
	"slices"

	"github.com/go-sesame/sesame/session/seal"
)

// What tests look at from outside.
var (
	SelectListed  = selectListed
	SelectPending = selectPending
	Parse         = parse
)

// DataKeys returns the data keys that the store has in memory.
func (s *Store) DataKeys() []*seal.KeyAEAD { return slices.Collect(maps.Values(s.keys.opened)) }
