package observe

import "context"

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

// call calls a hook, if there is one.
func call(ctx context.Context, hook func(context.Context, Event), e *Event) {
	if hook != nil {
		hook(ctx, *e)
	}
}
