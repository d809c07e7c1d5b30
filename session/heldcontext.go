package session

import (
	"context"
	"sync"
	"time"
)

// heldContext is a context that ends when something is held no more, as one of context.WithDeadline does. It
// has a timer only once somebody waits for it, as a keyring in this process never does.
type heldContext struct {
	context.Context // the caller's
	until           time.Time

	mu     sync.Mutex // guards the fields below
	ended  bool
	timed  context.Context // nil before somebody waits
	cancel context.CancelFunc
}

// hold begins the context.
func (c *heldContext) hold(ctx context.Context, limit time.Duration) {
	c.Context, c.until = ctx, time.Now().Add(limit)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(c.until) {
		c.until = deadline
	}
}

// end ends the context.
func (c *heldContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.cancel != nil {
		c.cancel()
	}
}

// withTimer returns the same context as the standard library makes it.
func (c *heldContext) withTimer() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.Context, c.until)
		if c.ended {
			c.cancel()
		}
	}
	return c.timed
}

// Deadline implements [context.Context].
func (c *heldContext) Deadline() (time.Time, bool) { return c.until, true }

// Done implements [context.Context].
func (c *heldContext) Done() <-chan struct{} { return c.withTimer().Done() }

// Err implements [context.Context].
func (c *heldContext) Err() error {
	c.mu.Lock()
	timed, ended := c.timed, c.ended
	c.mu.Unlock()
	switch err := c.Context.Err(); {
	case timed != nil:
		return timed.Err()
	case err != nil:
		return err
	case ended:
		return context.Canceled
	case !time.Now().Before(c.until):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements [context.Context]. What derives from the context finds the one with the timer by it.
func (c *heldContext) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.Context.Value(key)
}
