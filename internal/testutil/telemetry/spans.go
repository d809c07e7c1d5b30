// Package telemetry records what is told to OpenTelemetry's providers, for tests.
package telemetry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Span is one that was recorded.
type Span struct {
	noop.Span
	Name   string
	Kind   trace.SpanKind
	Parent trace.SpanID
	Attrs  map[string]string
	Events []string
	Links  []trace.SpanContext
	Status codes.Code
	Why    string
	Ended  bool

	of      *Spans
	context trace.SpanContext
}

// Spans is a provider of tracers that keeps all spans.
type Spans struct {
	noop.TracerProvider
	mu    sync.Mutex
	spans []*Span
	count atomic.Uint64
}

// Tracer implements [trace.TracerProvider].
func (s *Spans) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{of: s} }

type tracer struct {
	noop.Tracer
	of *Spans
}

func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	cfg := trace.NewSpanStartConfig(opts...)
	parent := trace.SpanContextFromContext(ctx)
	span := &Span{Name: name, Kind: cfg.SpanKind(), Parent: parent.SpanID(), Attrs: map[string]string{}, of: t.of}
	n := t.of.count.Add(1)
	id := trace.SpanContextConfig{TraceID: parent.TraceID(), SpanID: trace.SpanID{6: byte(n >> 8), 7: byte(n)}, TraceFlags: trace.FlagsSampled}
	if !id.TraceID.IsValid() {
		id.TraceID = trace.TraceID{14: byte(n >> 8), 15: byte(n)}
	}
	span.context = trace.NewSpanContext(id)
	for _, link := range cfg.Links() {
		span.Links = append(span.Links, link.SpanContext)
	}
	span.SetAttributes(cfg.Attributes()...)
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.of.spans = append(t.of.spans, span)
	return trace.ContextWithSpan(ctx, span), span
}

// IsRecording implements [trace.Span], as do the methods that follow.
func (s *Span) IsRecording() bool { return true }

// SpanContext is the span's.
func (s *Span) SpanContext() trace.SpanContext { return s.context }

// SetAttributes keeps them.
func (s *Span) SetAttributes(all ...attribute.KeyValue) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	for _, a := range all {
		s.Attrs[string(a.Key)] = a.Value.String()
	}
}

// AddEvent keeps it with its attributes.
func (s *Span) AddEvent(name string, opts ...trace.EventOption) {
	cfg := trace.NewEventConfig(opts...)
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.Events = append(s.Events, name+" "+textOf(cfg.Attributes()))
}

// SetStatus keeps it.
func (s *Span) SetStatus(code codes.Code, why string) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.Status, s.Why = code, why
}

// End notes the end.
func (s *Span) End(...trace.SpanEndOption) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.Ended = true
}

func textOf(all []attribute.KeyValue) string {
	var parts []string
	for _, a := range all {
		parts = append(parts, string(a.Key)+"="+a.Value.String())
	}
	return strings.Join(parts, " ")
}

// All are the spans, those that began first before.
func (s *Spans) All() []*Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// Reset forgets all spans.
func (s *Spans) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = nil
}

// Named are the spans of that name.
func (s *Spans) Named(name string) (named []*Span) {
	for _, span := range s.All() {
		if span.Name == name {
			named = append(named, span)
		}
	}
	return named
}

// Within are the names of what a span consists of, sorted, each once.
func (s *Spans) Within(parent *Span) (names []string) {
	for _, span := range s.All() {
		if span.Parent == parent.context.SpanID() {
			names = append(names, span.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// String has all that the spans have.
func (s *Spans) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, span := range s.spans {
		fmt.Fprintln(&b, span.Name, span.Kind, span.Attrs, span.Events, span.Status, span.Why, span.Ended)
	}
	return b.String()
}
