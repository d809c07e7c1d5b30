package jsonrpctest

import (
	"slices"
	"sync"
	"time"
)

// RoundTrips measures how many requests a task makes one after another: what it costs in time, whatever it
// does at the same time. Servers that share one count together. It is ready to use, and safe for concurrent
// use.
//
// Give the servers a Delay that is long beside the client's own work, so that requests which are made at the
// same time do overlap.
type RoundTrips struct {
	mu    sync.Mutex
	spans []span
}

// span is the time from a request's arrival to its answer.
type span struct{ start, end time.Time }

func (r *RoundTrips) add(start, end time.Time) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, span{start, end})
}

// Depth returns the length of the longest chain of requests of which each came after the one before was
// answered. Requests that overlap in time count once.
func (r *RoundTrips) Depth() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	spans := slices.SortedFunc(slices.Values(r.spans), func(a, b span) int { return a.end.Compare(b.end) })
	var last time.Time
	depth := 0
	for _, s := range spans { // of all that can come next, the one that is over first leaves the most room
		if depth == 0 || !s.start.Before(last) {
			depth++
			last = s.end
		}
	}
	return depth
}

// Count returns how many requests were made.
func (r *RoundTrips) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.spans)
}

// Reset forgets all requests.
func (r *RoundTrips) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = nil
}
