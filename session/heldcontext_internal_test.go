package session

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type contextKey struct{}

// TestHeldContext compares the context with one of the standard library, whenever somebody begins to wait.
func TestHeldContext(t *testing.T) {
	for name, test := range map[string]struct {
		within time.Duration        // the caller's; 0 for none, less for one that has ended
		ends   func(c *heldContext) // nil: its time is over
		want   error
		after  time.Duration
	}{
		"its time is over":      {want: context.DeadlineExceeded, after: time.Minute},
		"the caller's is over":  {within: time.Second, want: context.DeadlineExceeded, after: time.Second},
		"nothing is held":       {ends: (*heldContext).end, want: context.Canceled},
		"the caller is no more": {within: -1, want: context.DeadlineExceeded},
	} {
		for _, waits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent := context.WithValue(t.Context(), contextKey{}, name)
				if test.within != 0 {
					var cancel context.CancelFunc
					parent, cancel = context.WithTimeout(parent, test.within)
					defer cancel()
				}
				var c heldContext
				c.hold(parent, time.Minute)
				defer c.end()
				begin := time.Now()
				if waits {
					derived, cancel := context.WithCancel(&c)
					defer cancel()
					if test.ends != nil {
						require.NoError(t, c.Err())
						test.ends(&c)
					}
					<-derived.Done()
					require.Equal(t, test.want, derived.Err(), name)
					require.Equal(t, test.after, time.Since(begin), name)
				} else if test.ends != nil {
					test.ends(&c)
				} else {
					time.Sleep(test.after)
				}
				require.Equal(t, test.want, c.Err(), name)
				<-c.Done()
				require.Equal(t, test.want, c.Err(), name)
				require.Equal(t, parent.Value(contextKey{}), c.Value(contextKey{}))
				deadline, ok := c.Deadline()
				require.True(t, ok)
				require.LessOrEqual(t, deadline.Sub(begin), time.Minute)
			})
		}
	}
}
