package memstore

import (
	"context"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Outbox implements [storekit.Recorder].
func (s *Store) Outbox() outbox.Outbox { return &s.outbox }

// ApplyRecording implements [storekit.Recorder].
func (s *Store) ApplyRecording(ctx context.Context, ref session.Ref, version uint64, change *session.Change, recording outbox.Recording) (_ uint64, entry *outbox.Entry, err error) {
	if err := storekit.CheckRecording(ref, &recording); err != nil {
		return 0, nil, err
	}
	version, err = s.apply(ctx, ref, version, change, func(commit func() error) (err error) {
		entry, err = s.outbox.RecordWith(ctx, recording, commit)
		return err
	})
	return version, entry, err
}
