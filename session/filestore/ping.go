package filestore

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
)

var _ session.Pinger = (*Store)(nil)

// longestPing bounds how long a Ping waits for whoever is at the data.
const longestPing = 5 * time.Second

// errBusy is why a Ping ended that waited in vain.
var errBusy = fmt.Errorf("a change has been under way for %s; see which process has the data open, and whether its disk answers: %w", longestPing, context.DeadlineExceeded)

// Ping implements [session.Pinger]: the directory and its files are those that the store was opened with, and
// the data can be read and has the format of now. It waits for changes that are under way, for 5 seconds at
// most. Data that something else than this store's programs changed is gone through once, as by whoever reads
// it next.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longestPing, errBusy)
	defer cancel()
	err := s.file.ping(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return s.in(err)
}

// ping waits for its turn as a change does: while one is written, nobody can read here.
func (w *writer) ping(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-w.turn }()
	return w.view(ctx, func(tx *bbolt.Tx) error {
		if err := w.anchors.check(); err != nil { // which stay open while somebody reads
			return err
		}
		return checkFormat(tx)
	})
}

// ping looks for the files of the locks first, which taking one would make.
func (r *reader) ping(ctx context.Context) error {
	for _, path := range []string{r.path, r.data.Path, r.data.Path + filelock.GateSuffix} {
		if _, err := os.Stat(path); err != nil {
			return gone(path)
		}
	}
	return r.view(ctx, checkFormat)
}
