package jsonrpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxTries   = 3
	firstPause = 200 * time.Millisecond
	// shortestTry is what a try has, as far as there is so much, where half of the time left is less.
	shortestTry = 3 * time.Second
)

// once marks a context of [Once].
type once struct{}

// Once returns a context with which a request is sent once, also a repeatable one: another service is asked
// instead where it fails.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, once{}, true) }

func isOnce(ctx context.Context) bool { return ctx.Value(once{}) != nil }

// pause waits before the next try. It is false, at once, where another try is pointless or would come too
// late, for ctx or for the end of the call.
func pause(ctx context.Context, end time.Time, err error, try int) bool {
	delay, ok := retryable(err)
	if !ok || ctx.Err() != nil {
		return false
	}
	if delay == 0 {
		longest := firstPause << (try - 1)
		delay = longest/2 + rand.N(longest/2)
	}
	if time.Until(end) <= delay {
		return false
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// retryable reports whether a failure may pass by itself in a moment, and how long the service asks to wait.
func retryable(err error) (time.Duration, bool) {
	if transport := (*TransportError)(nil); errors.As(err, &transport) {
		return transport.RetryAfter, transport.Temporary() && !transport.steady
	}
	if answered := (*Error)(nil); errors.As(err, &answered) {
		return answered.RetryAfter, answered.Temporary()
	}
	return 0, false
}

// longestRetryAfter bounds what a service may ask for: a typing error in a header is not to silence a caller
// for good.
const longestRetryAfter = time.Hour

// retryAfter reads the Retry-After header: seconds or a date.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), longestRetryAfter)
	}
	return 0
}

// RetriedError is the failure of a request that was tried more than once: what failed at last, and what
// failed at first, which tells more often than not why. [errors.Is] and [errors.As] find both, the last one
// before the first.
type RetriedError struct{ Last, First error }

// Error gives both texts.
func (e *RetriedError) Error() string {
	return e.Last.Error() + " (tried again after: " + e.First.Error() + ")"
}

// Unwrap returns both.
func (e *RetriedError) Unwrap() []error { return []error{e.Last, e.First} }

// after is the failure of several tries, which may have failed alike.
func after(first, last error) error {
	if alike(first, last) {
		return last
	}
	return &RetriedError{Last: last, First: first}
}

// alike reports whether two failures are told in the same words, whatever is in the answers' bodies: a
// service may echo the request's ID.
func alike(a, b error) bool {
	words := func(err error) string {
		if failed, ok := err.(*TransportError); ok {
			short := *failed
			short.BodyStart = ""
			err = &short
		}
		return err.Error()
	}
	return words(a) == words(b)
}
