package filestore

import (
	"context"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
)

// reader is the data as a process has it that reads along. The data is open, and locked against
// changes, as long as somebody here is at it: who comes meanwhile joins in, so that a Hold can read and
// sign though a writer is waiting already.
type reader struct {
	path string
	data filelock.RW

	turn   *semaphore.Weighted // guards the fields below; waiting for it ends with the context
	users  int
	db     *bbolt.DB
	unlock func()
	closed bool
}

func newReader(dir string) *reader {
	return &reader{
		path: filepath.Join(dir, dataName),
		data: filelock.RW{Path: filepath.Join(dir, dataLockName)},
		turn: semaphore.NewWeighted(1),
	}
}

// with runs use with the data open.
func (r *reader) with(ctx context.Context, use func(db *bbolt.DB) error) (err error) {
	db, err := r.enter(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if left := r.leave(); err == nil {
			err = left
		}
	}()
	return use(db)
}

func (r *reader) enter(ctx context.Context) (*bbolt.DB, error) {
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer r.turn.Release(1)
	if r.closed {
		return nil, session.ErrClosed
	}
	if r.users == 0 {
		unlock, err := r.data.RLock(ctx)
		if err != nil {
			return nil, err
		}
		db, err := openData(r.path, true, os.OpenFile)
		if err != nil {
			unlock()
			return nil, err
		}
		r.db, r.unlock = db, unlock
	}
	r.users++
	return r.db, nil
}

func (r *reader) leave() error {
	if err := r.turn.Acquire(context.Background(), 1); err != nil {
		return err
	}
	defer r.turn.Release(1)
	if r.users--; r.users > 0 {
		return nil
	}
	defer r.unlock()
	return r.db.Close()
}

func (r *reader) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.with(ctx, func(db *bbolt.DB) error { return db.View(read) })
}

func (r *reader) hold(ctx context.Context, _ session.Ref, use func() error) error {
	return r.with(ctx, func(*bbolt.DB) error { return use() })
}

func (r *reader) update(context.Context, func(tx *bbolt.Tx) error) error { return ErrReadOnly }

func (r *reader) exclusive(context.Context, session.Ref, func() error) error { return ErrReadOnly }

func (r *reader) close() error {
	if err := r.turn.Acquire(context.Background(), 1); err != nil {
		return err
	}
	defer r.turn.Release(1)
	r.closed = true
	return nil
}
