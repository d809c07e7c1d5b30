package observe

import (
	"context"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"
	"go.opentelemetry.io/otel/trace"
)

// Moment is what is told of a moment: Detail is a few words, Service which of several.
type Moment struct {
	Account common.Address
	Hash    common.Hash
	Attempt int
	Service string
	Detail  string
	Err     error
}

// Tell tells of a moment. It is an event on the context's span.
func (o *Observer) Tell(ctx context.Context, kind Kind, m Moment) {
	if !o.listens(ctx) {
		return
	}
	e := Event{
		What: string(kind), ChainID: o.cfg.ChainID, EntryPoint: o.cfg.EntryPoint,
		Account: m.Account, Hash: m.Hash, Attempt: m.Attempt, Service: m.Service, Detail: m.Detail, Err: m.Err,
	}
	o.judge(&e)
	if span := trace.SpanFromContext(ctx); o.tracer != nil && span.IsRecording() {
		span.AddEvent(prefix+string(kind), trace.WithAttributes(append(e.begun(), e.ended()...)...))
	}
	if o.meters != nil {
		o.meters.happened(ctx, kind, &e)
	}
	o.log(ctx, kind, &e)
	call(ctx, o.cfg.Hooks.Moment, &e)
}

// log writes the line of a stage's end, or of a moment.
func (o *Observer) log(ctx context.Context, kind Kind, e *Event) {
	if logs(ctx, o.cfg.Logger, slog.LevelDebug) {
		o.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, words[kind], e.attrs()...)
	}
}
