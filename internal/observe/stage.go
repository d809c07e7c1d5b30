package observe

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// About is what a stage is about: Hash and Attempt are zero where there is none yet.
type About struct {
	Account common.Address
	Hash    common.Hash
	Attempt int
	// Sent is the span of what sent the operation that is waited for.
	Sent Origin
}

// Origin is a span that another one is linked to.
type Origin struct{ span trace.SpanContext }

// Origin is the span of a context, to be linked to later.
func (o *Observer) Origin(ctx context.Context) Origin {
	if o == nil || o.tracer == nil {
		return Origin{}
	}
	return Origin{trace.SpanContextFromContext(ctx)}
}

// Alone is the context without the span in it: what is done for several is none's, nor that of who called.
func Alone(ctx context.Context) context.Context {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return context.WithValue(trace.ContextWithSpan(ctx, nil), ours{}, nil)
}

// Result is how a stage ended.
type Result struct {
	// Hash is the operation's, where it is known by now, Outcome what became of it: both are read off Err
	// where they are not given.
	Hash    common.Hash
	Outcome string
	// Service is which of several services did it.
	Service string
	// Gas is what the operation took, nil where that is not known.
	Gas *Gas
	// Known says that the operation's end was known before: it is not counted again.
	Known bool
	Err   error
}

// ErrLeft is what a stage failed with that did not return.
var ErrLeft = errors.New("it did not return: it panicked, or its goroutine ended")

// Left is the result of what did not return: it is open what became of it.
func Left() Result { return Result{Outcome: "unknown", Err: ErrLeft} }

// SendEnd is the result of a send that ended so, with neither an operation nor an error where it did not
// return.
func SendEnd[T interface {
	comparable
	Hash() common.Hash
}](tx T, err error) Result {
	var none T
	switch {
	case err != nil:
		return Result{Err: err}
	case tx == none:
		return Left()
	}
	return Result{Hash: tx.Hash(), Outcome: "accepted"}
}

// Gas is what an operation took of its payer: the paymaster, or the account where that is zero.
type Gas struct {
	Used, Cost uint256.Int
	Paymaster  common.Address
}

// Stage is one that has begun. The zero value tells nobody.
type Stage struct{ *stage }

type stage struct {
	o     *Observer
	kind  Kind
	about About
	begun time.Time
	span  trace.Span // nil for none
	note  string
	over  atomic.Bool // it has ended
}

// noted is the key of the context of a [Check], whose value is its stage.
type noted struct{}

// Note says in a word what the check is about that the context is of.
func (o *Observer) Note(ctx context.Context, what string) {
	if o == nil {
		return
	}
	if s, ok := ctx.Value(noted{}).(*stage); ok {
		s.note = what
	}
}

// On reports whether anybody is told of its end.
func (s Stage) On() bool { return s.stage != nil }

// sending is the key of a context of [Observer.BeginSend], whose value is a *sent.
type sending struct{}

// sent is what is sent, and whether that has ended.
type sent struct {
	chainID uint64
	account common.Address
	stage   *stage
}

// BeginSend is Begin for what has all other stages within, unless it is within another such already, which
// has not ended and tells of it.
func (o *Observer) BeginSend(ctx context.Context, kind Kind, about About) (context.Context, Stage) {
	if !o.listens(ctx) {
		return ctx, Stage{}
	}
	within, ok := ctx.Value(sending{}).(*sent)
	if ok && within.chainID == o.cfg.ChainID && within.account == about.Account && !within.stage.over.Load() {
		return ctx, Stage{}
	}
	s := o.newStage(kind, about)
	return s.begin(context.WithValue(ctx, sending{}, &sent{o.cfg.ChainID, about.Account, s}))
}

// Begin begins a stage. The context is that of what it consists of, and of its end.
func (o *Observer) Begin(ctx context.Context, kind Kind, about About) (context.Context, Stage) {
	if !o.listens(ctx) {
		return ctx, Stage{}
	}
	return o.newStage(kind, about).begin(ctx)
}

func (o *Observer) newStage(kind Kind, about About) *stage {
	return &stage{o: o, kind: kind, about: about, begun: time.Now()}
}

func (s *stage) begin(ctx context.Context) (context.Context, Stage) {
	o, kind, about := s.o, s.kind, &s.about
	e := s.event()
	if o.tracer != nil {
		opts := []trace.SpanStartOption{trace.WithTimestamp(s.begun), trace.WithAttributes(e.begun()...)}
		if kind == Wait && about.Sent.span.IsValid() {
			opts = append(opts, trace.WithLinks(trace.Link{SpanContext: about.Sent.span}))
		}
		ctx, s.span = o.tracer.Start(ctx, prefix+string(kind), opts...)
		ctx = context.WithValue(ctx, ours{}, s.span)
	}
	if o.meters != nil && kind == Wait {
		o.meters.waiting.Add(ctx, 1, o.meters.with(keyChain.Int64(int64(o.cfg.ChainID))))
	}
	if kind == Check {
		ctx = context.WithValue(ctx, noted{}, s)
	}
	if o.cfg.Hooks.Begin != nil {
		s.callBegin(ctx, &e)
	}
	return ctx, Stage{s}
}

// ours is the key of the context's span that is ours.
type ours struct{}

// callBegin calls the hook. One that panics ends the stage.
func (s *stage) callBegin(ctx context.Context, e *Event) {
	returned := false
	defer func() {
		if !returned {
			Stage{s}.Left(ctx)
		}
	}()
	call(ctx, s.o.cfg.Hooks.Begin, e)
	returned = true
}

// prefix begins the names of our spans.
const prefix = "sesame."

// event is what is known of the stage at its beginning.
func (s *stage) event() Event {
	return Event{
		What: string(s.kind), ChainID: s.o.cfg.ChainID, EntryPoint: s.o.cfg.EntryPoint,
		Account: s.about.Account, Hash: s.about.Hash, Attempt: s.about.Attempt,
	}
}

// End ends the stage, with the context that it has. A stage ends once.
func (s Stage) End(ctx context.Context, r Result) {
	if s.stage != nil && s.over.CompareAndSwap(false, true) {
		s.end(ctx, &r)
	}
}

// Left is deferred: it ends a stage that has not ended, as one that a panic left.
func (s Stage) Left(ctx context.Context) {
	if s.stage != nil {
		s.End(ctx, Left())
	}
}

func (s *stage) end(ctx context.Context, r *Result) {
	now := time.Now()
	e := s.event()
	e.Took, e.Outcome, e.Service, e.Detail, e.Err = now.Sub(s.begun), r.Outcome, r.Service, s.note, r.Err
	if r.Hash != (common.Hash{}) {
		e.Hash = r.Hash
	}
	if r.Gas != nil {
		e.GasUsed, e.GasCost = r.Gas.Used, r.Gas.Cost
	}
	s.o.judge(&e)
	if s.span != nil {
		s.endSpan(&e, now)
	}
	if s.o.meters != nil {
		s.o.meters.ended(ctx, s.kind, &e, r)
	}
	s.o.log(ctx, s.kind, &e)
	call(ctx, s.o.cfg.Hooks.End, &e)
}

func (s *stage) endSpan(e *Event, now time.Time) {
	if s.span.IsRecording() {
		s.span.SetAttributes(e.ended()...)
		if e.Err != nil {
			s.span.SetStatus(codes.Error, Text(e.Err))
		}
	}
	s.span.End(trace.WithTimestamp(now))
}
