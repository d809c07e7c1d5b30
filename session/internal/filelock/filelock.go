// Package filelock is a reader-writer lock between processes, by advisory locks on files.
package filelock

import (
	"context"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// RW is a lock named by the path of its file, which is made when needed and stays. Each Lock and RLock counts
// on its own, in one process as between several. Waiting ends with the context.
//
// Operating systems let readers pass a waiting writer. Here everyone goes through a gate that a waiting
// writer keeps shut, so that a stream of readers cannot hold it up.
type RW struct{ Path string }

// GateSuffix is what the path of the gate's file has more than the lock's.
const GateSuffix = ".gate"

// poll is how often a lock is tried; the systems have no wait that a context could end.
const poll = 2 * time.Millisecond

// Lock waits until nobody holds the lock and returns how to release it.
func (l RW) Lock(ctx context.Context) (unlock func(), err error) {
	return l.lock(ctx, (*flock.Flock).TryLockContext)
}

// RLock waits until no writer holds or awaits the lock and returns how to release it.
func (l RW) RLock(ctx context.Context) (unlock func(), err error) {
	return l.lock(ctx, (*flock.Flock).TryRLockContext)
}

// Pass waits until no writer awaits the lock, and takes nothing: for whoever joins a reader that has it.
func (l RW) Pass(ctx context.Context) error {
	gate := l.gate()
	if _, err := gate.TryRLockContext(ctx, poll); err != nil {
		return fmt.Errorf("wait for lock %s: %w", l.Path, err)
	}
	return gate.Unlock()
}

func (l RW) gate() *flock.Flock { return flock.New(l.Path + GateSuffix) }

func (l RW) lock(ctx context.Context, acquire func(*flock.Flock, context.Context, time.Duration) (bool, error)) (func(), error) {
	gate, lock := l.gate(), flock.New(l.Path)
	if _, err := gate.TryLockContext(ctx, poll); err != nil {
		return nil, fmt.Errorf("wait for lock %s: %w", l.Path, err)
	}
	defer gate.Unlock() //nolint:errcheck // closing the file releases it in any case
	if _, err := acquire(lock, ctx, poll); err != nil {
		return nil, fmt.Errorf("wait for lock %s: %w", l.Path, err)
	}
	return func() { lock.Unlock() }, nil //nolint:errcheck // as above
}
