package memstore

import (
	"context"

	"github.com/go-sesame/sesame/session"
)

var _ session.Pinger = (*Store)(nil)

// Ping implements [session.Pinger].
func (s *Store) Ping(ctx context.Context) error { return s.check(ctx) }
