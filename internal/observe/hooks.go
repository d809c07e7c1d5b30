package observe

import (
	"context"
	"log/slog"
)

// Hooks are called with what is told; each may be nil.
type Hooks struct {
	Begin, End, Moment func(context.Context, Event)
}

// As is a hook whose events are of the type E; nil for none.
func As[E any](hook func(context.Context, E), as func(Event) E) func(context.Context, Event) {
	if hook == nil {
		return nil
	}
	return func(ctx context.Context, e Event) { hook(ctx, as(e)) }
}

func (h *Hooks) any() bool { return h.Begin != nil || h.End != nil || h.Moment != nil }

// call calls a hook, if there is one. However it writes down the error, there is nothing secret in it.
func call(ctx context.Context, hook func(context.Context, Event), e *Event) {
	if hook == nil {
		return
	}
	given := *e
	if e.Err != nil {
		given.Err = &toldError{e.Err}
	}
	hook(ctx, given)
}

// toldError is an error as hooks are given it: to errors.Is and errors.As it is what it was, and its text is
// what all others are told of it.
type toldError struct{ err error }

// Error is the text in one line, without signatures and call data.
func (e *toldError) Error() string { return Text(e.err) }

// Unwrap returns the error itself.
func (e *toldError) Unwrap() error { return e.err }

// LogValue implements [slog.LogValuer].
func (e *toldError) LogValue() slog.Value { return errorValue(e.err) }

// MarshalText is the text, for whoever writes an event down as JSON.
func (e *toldError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }
