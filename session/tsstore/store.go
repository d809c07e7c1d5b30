package tsstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/storekit"
)

// Store is a directory of the TypeScript SDK's files for one chain. It is a [session.Store], a
// [session.LocalKeyring] that hands keys out ([session.KeySealer]) and a [session.Lister], safe for
// concurrent use by goroutines and processes, and needs no closing.
type Store struct {
	dir     string
	chainID uint64
	now     func() time.Time
}

var (
	_ session.Store        = (*Store)(nil)
	_ session.LocalKeyring = (*Store)(nil)
	_ session.KeySealer    = (*Store)(nil)
	_ session.Lister       = (*Store)(nil)
)

// OpenPlaintext opens a directory in which session keys lie in clear, and makes it if it is not there. The
// files do not say which chain they are for: chainID does, and a [session.Ref] of another chain is refused.
func OpenPlaintext(dir string, chainID uint64) (*Store, error) {
	if chainID == 0 {
		return nil, fmt.Errorf("%w: open %s without a chain ID", policy.ErrInvalid, dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open store directory: %w", err)
	}
	return &Store{dir: dir, chainID: chainID, now: time.Now}, nil
}

// check returns an error if nothing can be done for ref here, or any more.
func (s *Store) check(ctx context.Context, ref session.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ref.Validate(); err != nil {
		return err
	}
	if ref.ChainID != s.chainID {
		return fmt.Errorf("%w: %s asked of %s, which was opened for chain %d; keep a directory for each chain, the TypeScript SDK's files know none", policy.ErrInvalid, ref, s.dir, s.chainID)
	}
	return nil
}

// Load implements [session.Store].
func (s *Store) Load(ctx context.Context, ref session.Ref) (*session.State, error) {
	if err := s.check(ctx, ref); err != nil {
		return nil, err
	}
	path, content, err := s.readFile(ref.Account, sessionsKind)
	if err != nil {
		return nil, err
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("no file %s: %w", path, storekit.NotFoundError(ref))
	}
	file, err := parseSessions(ref, path, content, s.now())
	if err != nil {
		return nil, err
	}
	return file.state(versionOf(content)), nil
}

// Version implements [session.Store]. It is a digest of the file, so that changes by the SDK count too.
func (s *Store) Version(ctx context.Context, ref session.Ref) (uint64, error) {
	if err := s.check(ctx, ref); err != nil {
		return 0, err
	}
	_, content, err := s.readFile(ref.Account, sessionsKind)
	return versionOf(content), err
}

// Hold implements [session.Store]. The SDK does not know that it should wait.
func (s *Store) Hold(ctx context.Context, ref session.Ref, fn func(version uint64) error) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	lock, err := s.lock(ref.Account, sessionsKind)
	if err != nil {
		return err
	}
	unlock, err := lock.RLock(ctx)
	if err != nil {
		return err
	}
	release := func() error { unlock(); return nil }
	return storekit.Hold(ctx, ref, release, func() error {
		version, err := s.Version(ctx, ref)
		if err != nil {
			return err
		}
		return fn(version)
	})
}

// Apply implements [session.Store].
func (s *Store) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (next uint64, err error) {
	err = s.update(ctx, ref, sessionsKind, func(path string, content []byte) ([]byte, error) {
		if have := versionOf(content); have != version {
			return nil, storekit.ConflictError(ref, version, have)
		}
		file, err := parseSessions(ref, path, content, s.now())
		if err != nil {
			return nil, err
		}
		if err := file.apply(change); err != nil {
			return nil, err
		}
		content, err = file.marshal(ref)
		next = versionOf(content)
		return content, err
	})
	if err != nil {
		return 0, err
	}
	return next, nil
}

// update reads, changes and writes one of an account's files under its lock.
func (s *Store) update(ctx context.Context, ref session.Ref, kind string, change func(path string, content []byte) ([]byte, error)) error {
	if err := s.check(ctx, ref); err != nil {
		return err
	}
	lock, err := s.lock(ref.Account, kind)
	if err != nil {
		return err
	}
	unlock, err := lock.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	path, content, err := s.readFile(ref.Account, kind)
	if err != nil {
		return err
	}
	if content, err = change(path, content); err != nil {
		return err
	}
	return s.writeFile(path, content)
}

// lock returns the lock of one of an account's files. Locks lie in a directory of their own, out of the SDK's
// way.
func (s *Store) lock(account common.Address, kind string) (filelock.RW, error) {
	dir := filepath.Join(s.dir, ".sesame")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return filelock.RW{}, fmt.Errorf("make directory for locks: %w", err)
	}
	return filelock.RW{Path: filepath.Join(dir, fileName(account, kind)+".lock")}, nil
}
