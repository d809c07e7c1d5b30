package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ethereum/go-ethereum/common"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// scope is the instrumentation scope of all that is told.
const scope = "github.com/go-sesame/sesame"

// Config makes an [Observer]. What is not set is told nothing.
type Config struct {
	Tracers trace.TracerProvider
	Meters  metric.MeterProvider
	Logger  *slog.Logger
	Hooks   Hooks
	// ChainID and EntryPoint are those of all operations that it tells of.
	ChainID    uint64
	EntryPoint common.Address
	// Judge says what an error means.
	Judge func(error) Fault
}

// Fault is what an error means for who looks on.
type Fault struct {
	// Outcome is one of "refused", "failed", "unknown", "replaced", "expired" and "reverted".
	Outcome string
	// AA is the EntryPoint's code, Code that of a JSON-RPC answer; empty and 0 for none.
	AA   string
	Code int
	// Hash is of the operation that it is about, zero where it does not say.
	Hash common.Hash
}

// Observer tells what becomes of operations. A nil one tells nobody. It is safe for concurrent use.
type Observer struct {
	cfg    Config
	tracer trace.Tracer // nil for none
	meters *meters      // nil for none
	calls  bool         // there are hooks
}

// New returns an observer, nil where nobody is to be told.
func New(cfg Config) (*Observer, error) {
	o := &Observer{cfg: cfg, calls: cfg.Hooks.any()}
	if cfg.Tracers != nil {
		o.tracer = cfg.Tracers.Tracer(scope)
	}
	if cfg.Meters != nil {
		var err error
		if o.meters, err = newMeters(cfg.Meters.Meter(scope)); err != nil {
			return nil, fmt.Errorf("the MeterProvider makes no instruments: %w", err)
		}
	}
	if o.tracer == nil && o.meters == nil && !o.calls && cfg.Logger == nil {
		return nil, nil
	}
	return o, nil
}

// Measures reports whether somebody measures: what has to be asked for is asked for only then.
func (o *Observer) Measures() bool { return o != nil && o.meters != nil }

// listens reports whether anybody is told of a step, which a log is told at debug level.
func (o *Observer) listens(ctx context.Context) bool {
	return o != nil && (o.tracer != nil || o.meters != nil || o.calls || logs(ctx, o.cfg.Logger, slog.LevelDebug))
}

func logs(ctx context.Context, logger *slog.Logger, level slog.Level) bool {
	return logger != nil && logger.Enabled(ctx, level)
}

// judge fills in what the event's error means.
func (o *Observer) judge(e *Event) {
	if e.Err == nil || o.cfg.Judge == nil {
		return
	}
	fault := o.cfg.Judge(e.Err)
	e.AA, e.RPCCode = fault.AA, fault.Code
	if e.Outcome == "" {
		e.Outcome = fault.Outcome
	}
	if e.Hash == (common.Hash{}) {
		e.Hash = fault.Hash
	}
}

// errorType is a class of errors, of which there are few.
func (e *Event) errorType() string {
	switch {
	case e.AA != "":
		return e.AA
	case e.RPCCode != 0:
		return codeClass(e.RPCCode)
	case errors.Is(e.Err, context.Canceled):
		return "canceled"
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "timeout"
	case e.Outcome != "":
		return e.Outcome
	}
	return otherError
}
