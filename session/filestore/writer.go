package filestore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
// it is opened for writing by the first change, and its lock is one of a reader between changes, where the
// system can turn the one into the other; elsewhere it is opened anew for each.
type writer struct {
	dir, path string
	// whole and use are held by the process that may write: the directory's lock, and one of a file in it
	// that other programs of this store know.
	whole, use *flock.Flock
	data       filelock.RW
	// turn has room for the one that waits for data here, or has it. A lock between processes is asked for
	// again and again, and the changes of one process need not wait for each other like that.
	turn    chan struct{}
	waiting waiting
	refs    refLocks
	anchors anchors
	// openFile is os.OpenFile, but for tests that let it fail.
	openFile func(string, int, os.FileMode) (*os.File, error)

	mu     sync.RWMutex // held for reading while db is in use
	db     *database    // with a reader's lock; nil before the first use, and after a change that failed
	known  os.FileInfo  // the data as it was when it was checked, or changed here, for the last time
	closed bool
}

func openWriter(dir string) (*writer, error) {
	w := &writer{
		dir:      dir,
		path:     filepath.Join(dir, dataName),
		whole:    dirLock(dir),
		use:      flock.New(filepath.Join(dir, useLockName)),
		data:     filelock.RW{Path: filepath.Join(dir, dataLockName)},
		turn:     make(chan struct{}, 1),
		openFile: os.OpenFile,
	}
	if err := w.lock(); err != nil {
		return nil, errors.Join(err, w.unlock())
	}
	return w, nil
}

// lock makes this process the one that may write, and the data if there is none. The other files come after
// the data: where they are, there was some.
func (w *writer) lock() error {
	if err := tryLock(w.whole, w.dir); err != nil {
		return err
	}
	if err := checkNew(w.dir); err != nil {
		return fmt.Errorf("open session store in %s: %w", w.dir, err)
	}
	if err := w.create(); err != nil {
		return fmt.Errorf("make session store: %w", err)
	}
	if err := tryLock(w.use, w.dir); err != nil {
		return err
	}
	note := filepath.Join(w.dir, useNoteName)
	if err := os.WriteFile(note, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return fmt.Errorf("make session store: %w", err)
	}
	var err error
	w.anchors, err = openAnchors(w.dir, w.path, w.use.Path(), w.data.Path, w.data.Path+filelock.GateSuffix)
	return err
}

func tryLock(lock *flock.Flock, dir string) error {
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return fmt.Errorf("lock session store: %w", err)
	case !locked:
		return inUse(dir)
	}
	return nil
}

func (w *writer) unlock() error {
	return errors.Join(w.anchors.close(), w.use.Unlock(), w.whole.Unlock())
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
	if _, err := os.Stat(w.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fresh := filepath.Join(w.dir, newName)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := openData(fresh, toCreate, w.openFile)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Update(format), db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, w.path); err != nil {
		return err
	}
	return durable.SyncDir(w.dir)
}

func (w *writer) view(ctx context.Context, read func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.RLock()
	for w.db == nil || !w.isKnown() {
		w.mu.RUnlock()
		if err := w.reopen(); err != nil {
			return err
		}
		w.mu.RLock()
	}
	defer w.mu.RUnlock()
	return w.db.View(read)
}

// isKnown reports whether the data is the file, and as it was, that this process knows.
func (w *writer) isKnown() bool {
	info, err := os.Stat(w.path)
	return err == nil && w.known != nil && sameData(w.known, info)
}

// reopen opens the data for reading, if it is not.
func (w *writer) reopen() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return session.ErrClosed
	case w.db != nil && w.isKnown():
		return nil // another call was quicker
	}
	if err := w.closeDB(); err != nil {
		return err
	}
	if err := w.check(); err != nil {
		return err
	}
	db, err := openData(w.path, toRead, w.openFile)
	w.db = db
	return err
}

// check goes through data that something else than this process changed, or that it sees for the first time.
func (w *writer) check() error {
	if w.isKnown() {
		return nil
	}
	info, err := os.Stat(w.path)
	if err != nil || w.known != nil && !os.SameFile(info, w.known) {
		return gone(w.path)
	}
	if err := checkData(w.path, w.openFile); err != nil {
		return err
	}
	w.known = info
	return nil
}

// checkData goes through all of the data: its pages first, as bbolt can read no damaged ones.
func checkData(path string, openFile func(string, int, os.FileMode) (*os.File, error)) error {
	file, err := openFile(path, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open session data: %w", err)
	}
	if err := errors.Join(checkPages(file), file.Close()); err != nil {
		return err
	}
	db, err := openData(path, toRead, openFile)
	if err != nil {
		return err
	}
	return errors.Join(db.View(checkAll), db.Close())
}

// update makes a change, in one commit with those that came while another one was written.
func (w *writer) update(ctx context.Context, change func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return waited(err)
	}
	r := w.waiting.add(change)
	for {
		select {
		case <-r.made:
			return r.err
		case w.turn <- struct{}{}:
			if err := w.updateAll(ctx, r); err != nil && w.waiting.withdraw(r) {
				return err
			}
		case <-ctx.Done():
			if w.waiting.withdraw(r) {
				return waited(ctx.Err())
			}
			<-r.made
		}
	}
}

func waited(err error) error { return fmt.Errorf("wait for the change before: %w", err) }

// updateAll makes the changes that wait, if one of them does, and passes on the turn. None is made if it
// returns an error.
func (w *writer) updateAll(ctx context.Context, one *request) error {
	defer func() { <-w.turn }()
	if !w.waiting.has(one) {
		return nil
	}
	unlock, err := w.data.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	requests := w.waiting.take()
	defer func() { // if something here panics, nobody waits for it
		for _, r := range requests {
			r.end(errInterrupted)
		}
	}()
	w.updateTogether(slices.Clone(requests))
	return nil
}

var errInterrupted = errors.New("writing changes was interrupted; see whether this one was made before it is made again")

// mostTries bounds how often changes are made together anew without those that were refused.
const mostTries = 3

// updateTogether makes changes in one commit. Those that are refused are left out, and made by themselves in
// the end: what they say then is not about what others did in vain.
func (w *writer) updateTogether(requests []*request) {
	var alone []*request
	for try := 0; len(requests) > 1 && try < mostTries; try++ {
		again, refused, err := w.tryTogether(requests)
		if !again {
			for _, r := range requests {
				r.end(err)
			}
			requests = nil
			break
		}
		if len(refused) == 0 { // together they could not be written
			break
		}
		alone = append(alone, refused...)
		requests = slices.DeleteFunc(requests, func(r *request) bool { return slices.Contains(refused, r) })
	}
	w.updateAlone(slices.Concat(requests, alone))
}

// mostFailures is after how many changes in a row that could not be written no other one is tried: a disk
// that is full has room for some, one that fails has readers wait for each.
const mostFailures = 2

// updateAlone makes changes in a commit each.
func (w *writer) updateAlone(requests []*request) {
	failures := 0
	var err error
	for _, r := range requests {
		if failures < mostFailures {
			var refused bool
			refused, err = w.write(r.change)
			if failures++; err == nil || refused {
				failures = 0
			}
		}
		r.end(err)
	}
}

// tryTogether makes changes in one commit, and returns what became of all. If again is true, none is made:
// those returned were refused or, if there are none, the commit failed before it could become current.
func (w *writer) tryTogether(requests []*request) (again bool, refused []*request, err error) {
	begun, id := false, 0
	var making *request
	_, err = w.write(func(tx *bbolt.Tx) (first error) {
		begun, id, refused = true, tx.ID(), nil
		for _, making = range requests {
			if err := making.change(tx); err != nil { // after which a later one may be refused wrongly
				refused = append(refused, making)
				first = cmp.Or(first, err)
			}
		}
		making = nil
		return first
	})
	switch {
	case err == nil || !begun:
		return false, nil, err
	case making != nil: // bbolt panicked in it
		return true, []*request{making}, nil
	case len(refused) > 0:
		return true, refused, nil
	}
	last, unknown := w.lastCommit()
	return unknown == nil && last < id, nil, err
}

// lastCommit is the number of the last commit that is in the data.
func (w *writer) lastCommit() (id int, err error) {
	if err := w.openToChange(); err != nil {
		return 0, err
	}
	err = w.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil })
	return id, cmp.Or(err, w.closeDB()) // its lock is a writer's
}

// write makes one commit. It reports whether the change was refused, and undone.
func (w *writer) write(change func(tx *bbolt.Tx) error) (refused bool, err error) {
	if w.closed {
		return false, session.ErrClosed
	}
	if err := w.openToChange(); err != nil {
		return false, err
	}
	refused, err = commit(w.db, change)
	if errors.Is(err, errOvertaken) {
		w.known = nil // whatever the file's time says
		if err := w.openToChange(); err != nil {
			return false, err
		}
		refused, err = commit(w.db, change)
	}
	if info, statErr := os.Stat(w.path); statErr == nil && os.SameFile(info, w.known) {
		w.known = info
	}
	if err != nil && !refused || w.db.lock(shared) != nil {
		err = cmp.Or(err, w.closeDB())
	}
	return refused, err
}

// openToChange has the data open, with a writer's lock, as this process knows it.
func (w *writer) openToChange() error {
	if err := w.anchors.check(); err != nil {
		return cmp.Or(w.closeDB(), err)
	}
	if w.db != nil && w.db.commit != 0 && w.db.lock(exclusive) == nil && w.isKnown() {
		return nil
	}
	if err := cmp.Or(w.closeDB(), w.check()); err != nil {
		return err
	}
	db, err := openData(w.path, toWrite, w.openFile)
	w.db = db
	return err
}

// errOvertaken means that a program that knows nothing of the store's locks made the last change.
var errOvertaken = errors.New("another program changed the data")

// commit tells a change that was refused, and undone, from one that could not be written.
func commit(db *database, change func(tx *bbolt.Tx) error) (refused bool, err error) {
	var changeErr error
	err = db.Update(func(tx *bbolt.Tx) error {
		changeErr = change(tx)
		return changeErr
	})
	if err != nil && changeErr == nil && !errors.Is(err, session.ErrDamaged) {
		err = fmt.Errorf("write the change, which is stored wholly or not at all: %w", err)
	}
	return changeErr != nil && !db.broken, err
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
	everyone, err := w.refs.lock(ctx, all, shared)
	if err != nil {
		return err
	}
	unlock, err := w.refs.lock(ctx, ref, shared)
	if err != nil {
		everyone()
		return err
	}
	return storekit.Hold(ctx, ref, func() error { unlock(); everyone(); return nil }, use)
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
	return errors.Join(w.closeDB(), w.unlock())
}
