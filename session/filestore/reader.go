package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/filelock"
	"github.com/go-sesame/sesame/session/storekit"
)

// reader is the data as a process has it that reads along. The data is locked against changes as long as
// somebody here is at it, and whoever comes meanwhile joins in. While a writer waits, nobody joins but
// readers beside a holder, since it may be for this one that they read; holders that keep coming would hold
// the writer up for good. Without its lock, the data stays in memory for the next time, where the system can
// take the lock back: to put it there is most of what a look at it costs.
type reader struct {
	path string
	data filelock.RW

	lock atomic.Pointer[os.FileInfo] // the file that the data is locked by

	turn   *semaphore.Weighted // guards the fields below; waiting for it ends with the context
	users  int                 // those at the data
	holds  int                 // those of them that hold sessions
	db     *database
	kept   *database   // what db was, without a lock; nil while there is a db
	known  os.FileInfo // the data as it was seen last, and its last change
	commit int
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

// with runs use with the data open, for so many holders.
func (r *reader) with(ctx context.Context, holds int, use func(db *database) error) (err error) {
	db, err := r.enter(ctx, holds)
	if err != nil {
		return err
	}
	defer func() {
		if left := r.leave(holds); err == nil {
			err = left
		}
	}()
	return use(db)
}

// awaitTurn lets a waiting writer go first, unless that one waits for whoever asks.
func (r *reader) awaitTurn(ctx context.Context, holds int) error {
	if err := r.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	if r.users == 0 || holds == 0 && r.holds > 0 {
		return nil // the lock lets writers go first itself; what a holder reads cannot wait for them
	}
	r.turn.Release(1)
	if err := r.data.Pass(ctx); err != nil {
		return err
	}
	return r.turn.Acquire(ctx, 1)
}

func (r *reader) enter(ctx context.Context, holds int) (*database, error) {
	if err := r.awaitTurn(ctx, holds); err != nil {
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
		db, err := r.open()
		if err != nil {
			unlock()
			return nil, err
		}
		r.db, r.unlock = db, unlock
	}
	r.users++
	r.holds += holds
	return r.db, nil
}

// open opens data that may have been changed, or brought to a later format, since the last time. All of it is
// gone through the first time, and again if it is another file or changed without a commit; what a commit
// changed, this meets where it reads.
func (r *reader) open() (*database, error) {
	info, err := os.Stat(r.path)
	if err != nil {
		return nil, errors.Join(gone(r.path), r.drop())
	}
	lock, err := os.Stat(r.data.Path)
	if err != nil {
		return nil, errors.Join(gone(r.data.Path), r.drop())
	}
	r.lock.Store(&lock)
	if r.known == nil || !os.SameFile(r.known, info) {
		return r.openChecked(info)
	}
	db, err := r.again(info)
	if err != nil {
		return nil, err
	}
	if sameData(r.known, info) {
		return db, nil
	}
	commit, err := commitOf(db)
	if err == nil && commit <= r.commit {
		if err := db.Close(); err != nil {
			return nil, err
		}
		return r.openChecked(info)
	}
	if err == nil {
		err = db.View(checkFormat)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	r.known, r.commit = info, commit
	return db, nil
}

// again opens the file that is known: from memory, if it is as long as it was.
func (r *reader) again(info os.FileInfo) (*database, error) {
	if kept := r.kept; kept != nil && info.Size() == r.known.Size() && kept.lock(shared) == nil {
		r.kept = nil
		return kept, nil
	}
	if err := r.drop(); err != nil {
		return nil, err
	}
	return openData(r.path, toRead, os.OpenFile)
}

// drop keeps nothing any more.
func (r *reader) drop() error {
	kept := r.kept
	if r.kept = nil; kept == nil {
		return nil
	}
	return kept.Close()
}

// openChecked is open for data that has to be gone through.
func (r *reader) openChecked(info os.FileInfo) (*database, error) {
	if err := r.drop(); err != nil {
		return nil, err
	}
	if err := checkData(r.path, os.OpenFile); err != nil {
		return nil, err
	}
	db, err := openData(r.path, toRead, os.OpenFile)
	if err != nil {
		return nil, err
	}
	err = db.View(checkFormat)
	commit, commitErr := commitOf(db)
	if err := errors.Join(err, commitErr); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	r.known, r.commit = info, commit
	return db, nil
}

// commitOf returns the number of the last change.
func commitOf(db *database) (n int, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		n = tx.ID()
		return nil
	})
	return n, err
}

// sameData reports whether a file is the one that it was, and nothing was written to it since.
func sameData(was, is os.FileInfo) bool {
	return os.SameFile(was, is) && was.Size() == is.Size() && was.ModTime().Equal(is.ModTime())
}

func (r *reader) leave(holds int) error {
	if err := r.turn.Acquire(context.Background(), 1); err != nil {
		return err
	}
	defer r.turn.Release(1)
	r.holds -= holds
	if r.users--; r.users > 0 {
		return nil
	}
	defer r.unlock()
	db := r.db
	if r.db = nil; r.closed || db.lock(none) != nil {
		return db.Close()
	}
	r.kept = db
	return nil
}

func (r *reader) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.with(ctx, 0, func(db *database) error { return db.View(read) })
}

func (r *reader) hold(ctx context.Context, ref session.Ref, use func() error) error {
	if _, err := r.enter(ctx, 1); err != nil {
		return err
	}
	return storekit.Hold(ctx, ref, r.leaveHold, use)
}

// leaveHold is leave for a holder, whom a writer does not see if the lock's file is another by now.
func (r *reader) leaveHold() error {
	info, err := os.Stat(r.data.Path)
	if locked := r.lock.Load(); err != nil || !os.SameFile(info, *locked) {
		err = gone(r.data.Path)
	}
	return errors.Join(err, r.leave(1))
}

func (r *reader) update(context.Context, func(tx *bbolt.Tx) error) error { return ErrReadOnly }

func (r *reader) exclusive(context.Context, session.Ref, func() error) error { return ErrReadOnly }

func (r *reader) close() error {
	if err := r.turn.Acquire(context.Background(), 1); err != nil {
		return err
	}
	defer r.turn.Release(1)
	r.closed = true
	return r.drop()
}
