package testutil

import (
	"context"
	"errors"
	"testing"
	"time"
)

// patience is the longest that an answer is waited for.
const patience = 30 * time.Second

// Patiently asks under a deadline until the answer matches want, and returns that answer. What is told at the
// end of a deadline depends on what was seen before it, and on a busy machine that takes longer: each try has
// twice the time of the one before, first at first. Meanwhile the answer may be that there was no time.
func Patiently(t testing.TB, first time.Duration, want error, ask func(context.Context) error) error {
	t.Helper()
	for limit := first; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err := ask(ctx)
		cancel()
		if errors.Is(err, want) {
			return err
		}
		if !errors.Is(err, context.DeadlineExceeded) || limit > patience {
			t.Fatalf("after %s: %v; it has to match: %v", limit, err, want)
		}
	}
}
