package memstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/go-sesame/sesame/session/storekit"
)

// holdLock is held by many for signatures, or by one for a change, in the order in which they came. A hold
// that lasts too long is broken for whoever waits to change something: only then is there a timer for it.
type holdLock struct {
	mu       sync.Mutex // guards the fields below
	holds    int
	end      time.Time // of the hold that may last longest
	round    uint64    // counts how often holds were broken
	changing bool
	waiting  []*waiter
	timer    *time.Timer // breaks holds; nil before somebody waited for one
}

type waiter struct {
	ctx    context.Context // of a hold
	change bool
	ready  chan struct{} // closed when it is its turn
	round  uint64        // of the hold
	span   span          // of the hold
}

// span is how long a hold may last, and when that ends.
type span struct {
	limit time.Duration
	end   time.Time
}

// fromNow is the span of a hold that begins now.
func fromNow(ctx context.Context) span {
	limit := storekit.HoldTime(ctx)
	return span{limit: limit, end: time.Now().Add(limit)}
}

// hold waits for a hold, and returns what release takes. The span is the given one, from now, or if the hold
// had to wait one that begins later, which is put there.
func (l *holdLock) hold(ctx context.Context, s *span) (round uint64, err error) {
	l.mu.Lock()
	if !l.changing && len(l.waiting) == 0 {
		defer l.mu.Unlock()
		return l.begin(s), nil
	}
	w := l.enqueue(&waiter{ctx: ctx})
	if err := l.await(ctx, w); err != nil {
		return 0, err
	}
	*s = w.span
	return w.round, nil
}

// begin begins a hold. The lock's mutex is held.
func (l *holdLock) begin(s *span) (round uint64) {
	if l.holds++; l.holds == 1 || s.end.After(l.end) {
		l.end = s.end
	}
	return l.round
}

// prolong has a hold last until the span ends, and reports whether it lasted until now.
func (l *holdLock) prolong(round uint64, s *span) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.round == round && s.end.After(l.end) {
		l.end = s.end
	}
	return l.round == round
}

// release ends a hold, and reports whether it lasted until now.
func (l *holdLock) release(round uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.round != round {
		return false
	}
	l.holds--
	l.next()
	return true
}

// change waits until nobody holds or changes, and has others wait until changed.
func (l *holdLock) change(ctx context.Context) error {
	l.mu.Lock()
	if !l.changing && l.holds == 0 && len(l.waiting) == 0 {
		defer l.mu.Unlock()
		l.changing = true
		return nil
	}
	w := l.enqueue(&waiter{change: true})
	return l.await(ctx, w)
}

func (l *holdLock) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changing = false
	l.next()
}

// enqueue has somebody wait, and gives the mutex back.
func (l *holdLock) enqueue(w *waiter) *waiter {
	defer l.mu.Unlock()
	w.ready = make(chan struct{})
	l.waiting = append(l.waiting, w)
	l.watch()
	return w
}

// await waits for the turn of w.
func (l *holdLock) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	at := slices.Index(l.waiting, w)
	if at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
		l.next()
	}
	l.mu.Unlock()
	if at < 0 { // it was its turn already
		if w.change {
			l.changed()
		} else {
			l.release(w.round)
		}
	}
	return ctx.Err()
}

// next lets in whose turn it is. The mutex is held.
func (l *holdLock) next() {
	for len(l.waiting) > 0 && !l.changing {
		w := l.waiting[0]
		if w.change && l.holds > 0 {
			l.watch()
			return
		}
		if w.change {
			l.changing = true
		} else {
			w.span = fromNow(w.ctx)
			w.round = l.begin(&w.span)
		}
		l.waiting = l.waiting[1:]
		close(w.ready)
	}
}

// watch has holds end by themselves, where somebody waits for that. The mutex is held.
func (l *holdLock) watch() {
	if l.holds == 0 {
		return
	}
	if wait := time.Until(l.end); l.timer == nil {
		l.timer = time.AfterFunc(wait, l.breakHolds)
	} else {
		l.timer.Reset(wait)
	}
}

// breakHolds ends the holds that have lasted too long, if somebody still waits for it.
func (l *holdLock) breakHolds() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.waiting) == 0 || l.holds == 0:
	case time.Now().Before(l.end):
		l.watch()
	default:
		l.round++
		l.holds = 0
		l.next()
	}
}
