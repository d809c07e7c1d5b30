package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/gofrs/flock"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/internal/durable"
	"github.com/go-sesame/sesame/session/internal/filelock"
	"github.com/go-sesame/sesame/session/storekit"
)

// writer is the data as the one process has it that may write.
//
// bbolt locks its file for as long as a database is open, against all readers if it is open for writing. So
// it is open for reading most of the time, and for writing only during a change.
type writer struct {
	dir  string
	use  *flock.Flock
	data filelock.RW
	refs refLocks
	// openFile is os.OpenFile, but for tests that let it fail.
	openFile func(string, int, os.FileMode) (*os.File, error)

	mu     sync.RWMutex // held for reading while db is in use
	db     *bbolt.DB    // open for reading; nil before the first use and after a change
	closed bool
}

func openWriter(dir string) (*writer, error) {
	w := &writer{
		dir:      dir,
		use:      flock.New(filepath.Join(dir, useLockName)),
		data:     filelock.RW{Path: filepath.Join(dir, dataLockName)},
		openFile: os.OpenFile,
	}
	locked, err := w.use.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock session store: %w", err)
	}
	if !locked {
		return nil, inUse(dir)
	}
	note := filepath.Join(dir, useNoteName)
	if err := errors.Join(os.WriteFile(note, []byte(strconv.Itoa(os.Getpid())), 0o600), w.create()); err != nil {
		return nil, errors.Join(fmt.Errorf("make session store: %w", err), w.use.Unlock())
	}
	return w, nil
}

// inUse says, as far as it can be known, which process uses the store.
func inUse(dir string) error {
	user := "another process"
	if note, err := os.ReadFile(filepath.Join(dir, useNoteName)); err == nil {
		pid, err := strconv.Atoi(string(note))
		switch {
		case err == nil && pid == os.Getpid():
			user = "this process"
		case err == nil:
			user = fmt.Sprintf("process %d", pid)
		}
	}
	return fmt.Errorf("%w: %s has %s open for writing, and one process at a time may; close it there, or use OpenReadOnly", ErrInUse, user, dir)
}

// create makes the data if there is none. It gets its name when it is complete.
func (w *writer) create() error {
	path := filepath.Join(w.dir, dataName)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := filepath.Join(w.dir, newName)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := w.open(fresh, false)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(format), db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return durable.SyncDir(w.dir)
}

func (w *writer) open(path string, readOnly bool) (*bbolt.DB, error) {
	return openData(path, readOnly, w.openFile)
}

func (w *writer) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.RLock()
	for w.db == nil {
		w.mu.RUnlock()
		if err := w.reopen(); err != nil {
			return err
		}
		w.mu.RLock()
	}
	defer w.mu.RUnlock()
	return w.db.View(read)
}

// reopen opens the data for reading, if it is not.
func (w *writer) reopen() (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return session.ErrClosed
	}
	if w.db == nil {
		w.db, err = w.open(filepath.Join(w.dir, dataName), true)
	}
	return err
}

func (w *writer) update(ctx context.Context, change func(tx *bbolt.Tx) error) error {
	unlock, err := w.data.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return session.ErrClosed
	}
	if err := w.closeDB(); err != nil {
		return err
	}
	db, err := w.open(filepath.Join(w.dir, dataName), false)
	if err != nil {
		return err
	}
	return cmp.Or(commit(db, change), db.Close())
}

// commit tells a change that was refused from one that could not be written.
func commit(db *bbolt.DB, change func(tx *bbolt.Tx) error) error {
	var changeErr error
	err := db.Update(func(tx *bbolt.Tx) error {
		changeErr = change(tx)
		return changeErr
	})
	if err != nil && changeErr == nil {
		return fmt.Errorf("write the change, which is stored wholly or not at all: %w", err)
	}
	return err
}

func (w *writer) closeDB() error {
	if w.db == nil {
		return nil
	}
	db := w.db
	w.db = nil
	return db.Close()
}

func (w *writer) hold(ctx context.Context, ref session.Ref, use func() error) error {
	unlock, err := w.refs.lock(ctx, ref, shared)
	if err != nil {
		return err
	}
	return storekit.Hold(ctx, ref, func() error { unlock(); return nil }, use)
}

func (w *writer) exclusive(ctx context.Context, ref session.Ref, use func() error) error {
	unlock, err := w.refs.lock(ctx, ref, exclusive)
	if err != nil {
		return err
	}
	defer unlock()
	return use()
}

// close lets another process write once nobody here holds sessions any more.
func (w *writer) close() error {
	w.refs.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return errors.Join(w.closeDB(), w.use.Unlock())
}
