package pgstore

import (
	"maps"
	"slices"
	"time"

	"github.com/go-sesame/sesame/session/seal"
)

// What tests look at from outside.
var (
	SelectListed  = selectListed
	SelectPending = selectPending
	Parse         = parse
)

// SetLockTime replaces the bound of what waits for an account's sessions.
func (s *Store) SetLockTime(limit time.Duration) { s.lockTime = limit }

// SetTimeout replaces the bound of each round trip.
func (s *Store) SetTimeout(limit time.Duration) { s.timeout = limit }

// DataKeys returns the data keys that the store has in memory.
func (s *Store) DataKeys() []*seal.KeyAEAD { return slices.Collect(maps.Values(s.keys.opened)) }
