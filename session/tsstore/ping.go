package tsstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-sesame/sesame/session"
)

var _ session.Pinger = (*Store)(nil)

// Ping implements [session.Pinger]: the directory is there and can be read. The files in it have no format in
// common that could be looked at.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir, err := os.Open(s.dir)
	if err != nil {
		return fmt.Errorf("open store directory: %w", err)
	}
	defer dir.Close()
	if _, err := dir.ReadDir(1); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read store directory: %w", err)
	}
	return nil
}
