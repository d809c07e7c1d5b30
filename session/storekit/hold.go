package storekit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-sesame/sesame/session"
)

// Hold calls fn while a store keeps changes of ref waiting, and has release let them through: when fn has
// returned or, so that a signer which hangs holds up no revocation, when ctx's deadline is over or
// [session.MaxHold] has passed. What fn returns after that does not count: the error matches
// [context.DeadlineExceeded], unless fn has one of its own. An error of release means that ref was not held
// to the end either. It is called once, and has returned when Hold does.
func Hold(ctx context.Context, ref session.Ref, release, fn func() error) (err error) {
	h := &hold{release: release}
	limit := HoldTime(ctx)
	timer := time.AfterFunc(limit, func() { h.end(tookLonger(limit)) })
	defer func() { // also when fn panics
		timer.Stop()
		if lost := h.end(nil); lost != nil && err == nil {
			err = notHeld(ref, lost)
		}
	}()
	return fn()
}

// LateError returns the error of a signer that took longer than sessions of ref are held, matching
// [context.DeadlineExceeded].
func LateError(ref session.Ref, limit time.Duration) error { return notHeld(ref, tookLonger(limit)) }

func notHeld(ref session.Ref, why error) error {
	return fmt.Errorf("sessions of %s were not held to the end: %w", ref, why)
}

func tookLonger(limit time.Duration) error {
	return fmt.Errorf("the signer took longer than %s: %w", limit.Round(time.Millisecond), context.DeadlineExceeded)
}

// HoldTime is how long [Hold] holds at most.
func HoldTime(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(time.Until(deadline), session.MaxHold)
	}
	return session.MaxHold
}

// hold is something held, until somebody ends it.
type hold struct {
	release func() error

	mu    sync.Mutex // guards the fields below
	ended bool
	lost  error // why it was not held until fn returned
}

// end releases what is held, unless it was, and returns why it was not held to the end.
func (h *hold) end(early error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return h.lost
	}
	h.ended, h.lost = true, early
	if err := h.release(); err != nil && h.lost == nil {
		h.lost = err
	}
	return h.lost
}
