package observe

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// RPCConfig makes an [RPC]. What is not set is told nothing.
type RPCConfig struct {
	Tracers trace.TracerProvider
	Meters  metric.MeterProvider
	Logger  *slog.Logger
	// Service names the service in logs: "bundler". Host and Port are where it is; no other part of its URL
	// is told.
	Service string
	Host    string
	Port    int
	// Judge says what an error of a request means.
	Judge func(error) RPCFault
}

// RPCFault is what an error of a request means. The zero value is no failure.
type RPCFault struct {
	Code   int    // of the JSON-RPC answer, 0 for none
	Status int    // of HTTP, 0 for none
	Class  string // of the errors without a code, of which there are few
}

// RPC tells of the requests to one service, by OpenTelemetry's semantic conventions for RPC clients. A nil
// one tells nobody. It is safe for concurrent use.
type RPC struct {
	cfg      RPCConfig
	tracer   trace.Tracer // nil for none
	duration metric.Float64Histogram
	server   []attribute.KeyValue
}

// durationBounds are those that the conventions advise.
var durationBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// NewRPC returns an observer of requests, nil where nobody is to be told.
func NewRPC(cfg RPCConfig) (*RPC, error) {
	if cfg.Tracers == nil && cfg.Meters == nil && cfg.Logger == nil {
		return nil, nil
	}
	r := &RPC{cfg: cfg, server: []attribute.KeyValue{keySystem.String("jsonrpc"), keyServer.String(cfg.Host)}}
	if cfg.Port != 0 {
		r.server = append(r.server, keyPort.Int(cfg.Port))
	}
	if cfg.Tracers != nil {
		r.tracer = cfg.Tracers.Tracer(scope)
	}
	if cfg.Meters != nil {
		var err error
		r.duration, err = cfg.Meters.Meter(scope).Float64Histogram("rpc.client.call.duration", metric.WithUnit("s"),
			metric.WithDescription("Measures the duration of an outgoing Remote Procedure Call (RPC)."),
			metric.WithExplicitBucketBoundaries(durationBounds...))
		if err != nil {
			return nil, fmt.Errorf("the MeterProvider makes no instruments: %w", err)
		}
	}
	return r, nil
}

// Call is a request that has begun, with all its tries. The zero value tells nobody.
type Call struct{ *rpcCall }

type rpcCall struct {
	r        *RPC
	method   string
	requests int
	begun    time.Time
	span     trace.Span // nil for none
	over     bool       // it has ended
}

// Begin begins a call of a method: of several requests at once if it is not 1.
func (r *RPC) Begin(ctx context.Context, method string, requests int) (context.Context, Call) {
	if r == nil || r.tracer == nil && r.duration == nil && !logs(ctx, r.cfg.Logger, slog.LevelDebug) {
		return ctx, Call{}
	}
	c := &rpcCall{r: r, method: method, requests: requests, begun: time.Now()}
	if r.tracer != nil {
		of := append([]attribute.KeyValue{keyMethod.String(method), keyProtocol.String("2.0")}, r.server...)
		if requests != 1 {
			of = append(of, keyRequests.Int(requests))
		}
		ctx, c.span = r.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(c.begun), trace.WithAttributes(of...))
	}
	return ctx, Call{c}
}

// Tried tells of one try, which is sent under an ID: of several tries each but the last is an event on the
// call's span.
func (c Call) Tried(ctx context.Context, id uint64, start time.Time, err error, again bool) {
	if c.rpcCall == nil {
		return
	}
	if c.span != nil && c.span.IsRecording() {
		c.span.SetAttributes(keyRequestID.String(fmt.Sprint(id)))
		if again {
			c.span.AddEvent(prefix+string(Retry), trace.WithAttributes(keyDetail.String(Text(err))))
		}
	}
	if logs(ctx, c.r.cfg.Logger, slog.LevelDebug) {
		what := "JSON-RPC request"
		if c.requests != 1 {
			what = "JSON-RPC batch"
		}
		of := []slog.Attr{
			slog.String("service", c.r.cfg.Service), slog.String("method", c.method), slog.Int("requests", c.requests),
			slog.Duration("took", time.Since(start)),
		}
		if err != nil {
			of = append(of, errorAttr(err))
		}
		c.r.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, what, of...)
	}
}

// Left is deferred: it ends a call that has not ended, as one that a panic left.
func (c Call) Left(ctx context.Context) {
	if c.rpcCall != nil {
		c.End(ctx, ErrLeft)
	}
}

// End ends the call. A call ends once.
func (c Call) End(ctx context.Context, err error) {
	if c.rpcCall == nil || c.over {
		return
	}
	c.over = true
	now := time.Now()
	var fault RPCFault
	if err != nil {
		fault = c.r.cfg.Judge(err)
	}
	of := fault.attributes()
	if c.span != nil {
		if c.span.IsRecording() {
			c.span.SetAttributes(of...)
			if fault.Code != 0 {
				c.span.SetAttributes(keyStatus.String(itoa(fault.Code)))
			}
			if fault.Status != 0 {
				c.span.SetAttributes(keyHTTPStatus.Int(fault.Status))
			}
			if fault != (RPCFault{}) {
				c.span.SetStatus(codes.Error, Text(err))
			}
		}
		c.span.End(trace.WithTimestamp(now))
	}
	if c.r.duration != nil {
		of = append(append(of, keyMethod.String(c.method)), c.r.server...)
		c.r.duration.Record(ctx, now.Sub(c.begun).Seconds(), metric.WithAttributeSet(attribute.NewSet(of...)))
	}
}

// attributes are those of a failure, of which there are few: the service's code is its class, where there is
// one.
func (f RPCFault) attributes() []attribute.KeyValue {
	switch {
	case f.Code != 0:
		class := codeClass(f.Code)
		return []attribute.KeyValue{keyStatus.String(class), keyError.String(class)}
	case f.Class != "":
		return []attribute.KeyValue{keyError.String(f.Class)}
	}
	return nil
}
