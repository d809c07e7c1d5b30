package filestore

import (
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// request is a change that somebody waits for.
type request struct {
	change func(tx *bbolt.Tx) error
	made   chan struct{} // closed when err says what became of it
	err    error
}

// end tells who waits what became of the change, once.
func (r *request) end(err error) {
	select {
	case <-r.made:
	default:
		r.err = err
		close(r.made)
	}
}

// waiting are the changes that wait for their commit, in the order in which they came.
type waiting struct {
	mu       sync.Mutex
	requests []*request
}

func (w *waiting) add(change func(tx *bbolt.Tx) error) *request {
	r := &request{change: change, made: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, r)
	return r
}

func (w *waiting) has(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.requests, r)
}

// mostTogether bounds how long those who read wait for a commit.
const mostTogether = 64

// take returns the first of those that wait, which do not any more.
func (w *waiting) take() []*request {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.requests), mostTogether)
	taken := slices.Clone(w.requests[:n])
	w.requests = slices.Delete(w.requests, 0, n)
	return taken
}

// withdraw reports whether the change still waited.
func (w *waiting) withdraw(r *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.requests, r)
	if i >= 0 {
		w.requests = slices.Delete(w.requests, i, i+1)
	}
	return i >= 0
}
