package outbox

import (
	"context"
	"sync"
)

// Listeners are those that listen to a store of one process: its part of a [Listener]. The zero value is
// ready to use.
type Listeners struct {
	mu  sync.Mutex
	all map[chan struct{}]struct{}
}

// Tell tells all of them that something may be due. It waits for none.
func (l *Listeners) Tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for told := range l.all {
		select {
		case told <- struct{}{}:
		default: // is told already
		}
	}
}

// Listen implements [Listener].
func (l *Listeners) Listen(ctx context.Context, due func()) error {
	told := make(chan struct{}, 1)
	told <- struct{}{}
	l.mu.Lock()
	if l.all == nil {
		l.all = make(map[chan struct{}]struct{})
	}
	l.all[told] = struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, told)
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-told:
			due()
		}
	}
}
