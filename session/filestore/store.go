package filestore

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/storekit"
)

// Config says how a store is opened.
type Config struct {
	// Sealer seals the data key under which session keys are stored. Without it the store keeps sessions, and
	// its methods of [session.Keyring] return errors matching [seal.ErrNoSealer]. It stays the caller's to
	// wipe.
	Sealer seal.AEAD
}

// Store is a directory of sessions and their keys. It is a [session.FullStore] whose keys sign in this
// process ([session.LocalKeyring]) and can be handed out ([session.KeySealer]), safe for concurrent use.
type Store struct {
	dir    string
	file   file
	keys   keyring
	box    *box
	closed atomic.Bool
}

var (
	_ session.FullStore    = (*Store)(nil)
	_ session.LocalKeyring = (*Store)(nil)
	_ session.KeySealer    = (*Store)(nil)
	_ session.Switch       = (*Store)(nil)
	_ session.Differ       = (*Store)(nil)
	_ storekit.Recorder    = (*Store)(nil)
)

// file is the data of a store as one process may use it.
type file interface {
	// view reads within one transaction.
	view(ctx context.Context, read func(tx *bbolt.Tx) error) error
	// update changes within one transaction, all or nothing. What change did may be undone, for it to be
	// called again: what it leaves behind elsewhere is of its last call.
	update(ctx context.Context, change func(tx *bbolt.Tx) error) error
	// hold keeps changes of ref waiting while use runs, and exclusive changes of ref alone.
	hold(ctx context.Context, ref session.Ref, use func() error) error
	exclusive(ctx context.Context, ref session.Ref, use func() error) error
	// ping reads as little as tells that the data can be read.
	ping(ctx context.Context) error
	close() error
}

// Open opens the store in dir for reading and writing, and makes it if there never was one: where the data is
// gone and other files of the store are not, and where it is damaged, the error matches [session.ErrDamaged].
// Data of an earlier format is brought to the one of now, forward only; processes of earlier programs that
// read along find no sessions any more, and those of this one refuse data of a later format. Another process
// that has it open is an error matching [ErrInUse], a directory or file that others can read is one with the
// command that helps, and a Sealer that does not open the keys is one matching [seal.ErrOpen].
func Open(dir string, config Config) (*Store, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: open session store without a directory; Default opens that of the user", policy.ErrInvalid)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open session store: %w; name a directory that this user may make, or has", err)
	}
	if err := checkModes(dir); err != nil {
		return nil, err
	}
	w, err := openWriter(dir)
	if err != nil {
		return nil, err
	}
	return open(dir, w, config)
}

// OpenReadOnly opens the store in dir beside the process that writes it. Changes are refused with an error
// matching [ErrReadOnly].
func OpenReadOnly(dir string, config Config) (*Store, error) {
	if _, err := os.Stat(filepath.Join(dir, dataName)); err != nil {
		return nil, fmt.Errorf("no session store in %s; check the directory, or make a store there with Open: %w", dir, err)
	}
	if err := checkModes(dir); err != nil {
		return nil, err
	}
	return open(dir, newReader(dir), config)
}

// Default opens the store in [DefaultDir].
func Default(config Config) (*Store, error) {
	dir, err := DefaultDir()
	if err != nil {
		return nil, err
	}
	return Open(dir, config)
}

func open(dir string, f file, config Config) (*Store, error) {
	s := &Store{dir: dir, file: f, keys: keyring{sealer: hide(config.Sealer), rotating: semaphore.NewWeighted(1)}}
	s.box = &box{store: s}
	err := upgrade(context.Background(), s.file)
	if err == nil {
		err = s.unlock(context.Background())
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open session store in %s: %w", dir, err)
	}
	return s, nil
}

// Close waits for those that hold or change sessions, wipes the keys in memory and lets another process
// write. Every method returns an error matching [session.ErrClosed] afterwards.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	defer s.keys.wipe()
	return s.file.close()
}

// Load implements [session.Store].
func (s *Store) Load(ctx context.Context, ref session.Ref) (state *session.State, err error) {
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		b := sessionsOf(tx, ref)
		if b == nil {
			return storekit.NotFoundError(ref)
		}
		state, err = b.load()
		return err
	})
	return state, s.in(err)
}

// Version implements [session.Store].
func (s *Store) Version(ctx context.Context, ref session.Ref) (version uint64, err error) {
	err = s.file.view(ctx, func(tx *bbolt.Tx) error {
		version, err = sessionsOf(tx, ref).version()
		return err
	})
	return version, s.in(err)
}

// Apply implements [session.Store].
func (s *Store) Apply(ctx context.Context, ref session.Ref, version uint64, change *session.Change) (uint64, error) {
	if err := ref.Validate(); err != nil {
		return 0, err
	}
	if err := storekit.CheckChange(change); err != nil {
		return 0, err
	}
	err := s.file.exclusive(ctx, ref, func() error {
		return s.file.update(ctx, func(tx *bbolt.Tx) error { return apply(tx, ref, version, change) })
	})
	if err != nil {
		return 0, s.in(err)
	}
	return version + 1, nil
}

// in says which store an error is of.
func (s *Store) in(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("session store in %s: %w", s.dir, err)
}

// String says which store it is.
func (s *Store) String() string { return "filestore.Store(" + s.dir + ")" }
