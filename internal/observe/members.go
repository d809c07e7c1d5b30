package observe

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Members tells which of several services was asked. It has no tracer: what it tells is an event on the span
// of the stage that asks, and none on a span that is not ours.
type Members struct {
	Kind   string // "bundler"
	Logger *slog.Logger
}

// Asked tells that a member was asked what, and what it failed with, if it did.
func (m Members) Asked(ctx context.Context, member, what string, err error) {
	if span, ok := ctx.Value(ours{}).(trace.Span); ok && span.IsRecording() {
		e := Event{Service: member, Detail: what, Err: err}
		span.AddEvent(prefix+string(Asked), trace.WithAttributes(e.ended()...))
	}
	if logs(ctx, m.Logger, slog.LevelDebug) {
		of := []slog.Attr{slog.String("service", m.Kind), slog.String("member", member), slog.String("what", what)}
		m.log(ctx, slog.LevelDebug, words[Asked], of, err)
	}
}

// Failed warns of a member that is left alone for a while.
func (m Members) Failed(member string, err error) {
	if ctx := context.Background(); logs(ctx, m.Logger, slog.LevelWarn) {
		m.log(ctx, slog.LevelWarn, m.Kind+" failed, others are asked", []slog.Attr{slog.String("member", member)}, err)
	}
}

func (m Members) log(ctx context.Context, level slog.Level, what string, of []slog.Attr, err error) {
	if err != nil {
		of = append(of, errorAttr(err))
	}
	m.Logger.LogAttrs(ctx, level, what, of...)
}
