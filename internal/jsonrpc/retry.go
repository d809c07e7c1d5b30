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
)

// pause waits before the next try. It is false, at once, where another try is pointless or would come too
// late for ctx.
func pause(ctx context.Context, err error, try int) bool {
	delay, ok := retryable(err)
	if !ok || ctx.Err() != nil {
		return false
	}
	if delay == 0 {
		longest := firstPause << (try - 1)
		delay = longest/2 + rand.N(longest/2)
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= delay {
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

// retryable reports whether a failure may pass by itself, and how long the service asks to wait.
func retryable(err error) (time.Duration, bool) {
	if transport := (*TransportError)(nil); errors.As(err, &transport) {
		return transport.RetryAfter, transport.Temporary()
	}
	if answered := (*Error)(nil); errors.As(err, &answered) {
		return answered.RetryAfter, answered.Temporary()
	}
	return 0, false
}

// retryAfter reads the Retry-After header: seconds or a date.
func retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
