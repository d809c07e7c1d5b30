package filestore

import (
	"context"
	"math"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/go-sesame/sesame/session"
)

// refLocks are reader-writer locks, one for each account in use. Whoever waits for one is served in order and
// gives up with its context.
type refLocks struct {
	users sync.WaitGroup // those that hold or await one

	mu     sync.Mutex // guards the fields below
	locks  map[session.Ref]*refLock
	closed bool
}

type refLock struct {
	all   *semaphore.Weighted
	users int // those that hold or await it
}

const (
	none      = 0
	shared    = 1
	exclusive = math.MaxInt64
)

// lock waits for so much of ref's lock and returns how to release it.
func (l *refLocks) lock(ctx context.Context, ref session.Ref, share int64) (unlock func(), err error) {
	lock, err := l.enter(ref)
	if err != nil {
		return nil, err
	}
	if err := lock.all.Acquire(ctx, share); err != nil {
		l.leave(ref, lock)
		return nil, err
	}
	return func() {
		lock.all.Release(share)
		l.leave(ref, lock)
	}, nil
}

func (l *refLocks) enter(ref session.Ref) (*refLock, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, session.ErrClosed
	}
	l.users.Add(1)
	if l.locks == nil {
		l.locks = make(map[session.Ref]*refLock)
	}
	lock, ok := l.locks[ref]
	if !ok {
		lock = &refLock{all: semaphore.NewWeighted(exclusive)}
		l.locks[ref] = lock
	}
	lock.users++
	return lock, nil
}

func (l *refLocks) leave(ref session.Ref, lock *refLock) {
	defer l.users.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	if lock.users--; lock.users == 0 {
		delete(l.locks, ref)
	}
}

// close lets nobody in any more and waits for those that are.
func (l *refLocks) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.users.Wait()
}
