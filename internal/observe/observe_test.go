package observe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/go-sesame/sesame/internal/observe"
	"github.com/go-sesame/sesame/internal/testutil/telemetry"
)

// Where nobody listens nothing is told, and no memory is taken for it.
func TestNobodyListens(t *testing.T) {
	none, err := observe.New(observe.Config{ChainID: 1})
	require.NoError(t, err)
	require.Nil(t, none)
	atInfo, err := observe.New(observe.Config{Logger: slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))})
	require.NoError(t, err)
	noRPC, err := observe.NewRPC(observe.RPCConfig{Service: "bundler"})
	require.NoError(t, err)
	require.Nil(t, noRPC)
	failed := errors.New("it failed")
	for name, o := range map[string]*observe.Observer{"nothing set": none, "a log at info level": atInfo} {
		allocs := testing.AllocsPerRun(100, func() {
			ctx, sending := o.BeginSend(t.Context(), observe.Send, observe.About{Attempt: 1})
			within, stage := o.Begin(ctx, observe.Sign, observe.About{Account: common.Address{1}})
			o.Tell(within, observe.Retry, observe.Moment{Attempt: 2, Err: failed})
			stage.End(within, observe.Result{Err: failed})
			o.LanesBusy(1)
			sending.End(ctx, observe.Result{})
			ctx, call := noRPC.Begin(ctx, "eth_chainId", 1)
			call.End(ctx, failed)
		})
		require.Zero(t, allocs, name)
	}
}

// One send within another of the same account is told of once; one of another account is its own.
func TestASendIsToldOfOnce(t *testing.T) {
	spans := new(telemetry.Spans)
	o, err := observe.New(observe.Config{Tracers: spans, ChainID: 1})
	require.NoError(t, err)
	ctx, outer := o.BeginSend(t.Context(), observe.Send, observe.About{Account: common.Address{1}})
	same, inner := o.BeginSend(ctx, observe.Send, observe.About{Account: common.Address{1}})
	require.False(t, inner.On())
	require.Equal(t, ctx, same)
	_, other := o.BeginSend(ctx, observe.Send, observe.About{Account: common.Address{2}})
	require.True(t, other.On())
	require.True(t, outer.On())
	require.Len(t, spans.All(), 2)

	outer.End(ctx, observe.Result{})
	_, next := o.BeginSend(ctx, observe.Send, observe.About{Account: common.Address{1}})
	require.True(t, next.On(), "what a hook sends with a context of a send that has ended is its own")
}

// A stage ends once, however often that is said, and what is left open ends as what did not return.
func TestAStageEndsOnce(t *testing.T) {
	var ends []observe.Event
	hooks := observe.Hooks{End: func(_ context.Context, e observe.Event) { ends = append(ends, e) }}
	o, err := observe.New(observe.Config{Hooks: hooks, ChainID: 1})
	require.NoError(t, err)
	ctx, stage := o.Begin(t.Context(), observe.Wait, observe.About{})
	stage.End(ctx, observe.Result{Outcome: "landed"})
	stage.End(ctx, observe.Result{Outcome: "expired"})
	stage.Left(ctx)
	require.Len(t, ends, 1)
	require.Equal(t, "landed", ends[0].Outcome)
	ctx, stage = o.Begin(t.Context(), observe.Sign, observe.About{})
	stage.Left(ctx)
	require.Len(t, ends, 2)
	require.ErrorIs(t, ends[1].Err, observe.ErrLeft)
	require.Equal(t, "unknown", ends[1].Outcome)
}

// What is done for several is on no span, whoever's it is.
func TestAlone(t *testing.T) {
	require.Equal(t, t.Context(), observe.Alone(t.Context()))
	ctx, _ := new(telemetry.Spans).Tracer("the caller's").Start(t.Context(), "a request")
	require.False(t, trace.SpanContextFromContext(observe.Alone(ctx)).IsValid())
}

// What services quote is cut: a hash is told whole, and more than that is not.
func TestText(t *testing.T) {
	hash, signature := strings.Repeat("ab", 32), strings.Repeat("cd", 65)
	require.Equal(t, "operation 0x"+hash+" refused", observe.Text(errors.New("operation 0x"+hash+" refused")))
	require.Equal(t, "signature 0xcdcdcdcd…(65 bytes) of it", observe.Text(fmt.Errorf("signature 0x%s\nof it", signature)))
	require.LessOrEqual(t, len(observe.Text(errors.New(strings.Repeat("long ", 1000)))), 1100)
	require.Empty(t, observe.Text(nil))
}

// Every kind has its words, and of every stage and moment a log has a line.
func TestEveryKindHasWords(t *testing.T) {
	var log bytes.Buffer
	o, err := observe.New(observe.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	for _, kind := range []observe.Kind{
		observe.Send, observe.Build, observe.Resend, observe.Load, observe.Check, observe.Lane, observe.Nonce, observe.Fees, observe.Sponsor,
		observe.Estimate, observe.Quote, observe.Sign, observe.Record, observe.Submit, observe.Wait,
		observe.Retry, observe.Anew, observe.Unsponsored, observe.Settled, observe.Replace, observe.Stopped, observe.Takeover, observe.Trouble,
	} {
		log.Reset()
		o.Tell(context.Background(), kind, observe.Moment{})
		require.NotContains(t, log.String(), `msg=""`, kind)
		require.Contains(t, log.String(), "msg=", kind)
	}
}

// An end is counted once, whether a wait or something else learned it, and not again where it was known.
func TestAnEndIsCountedOnce(t *testing.T) {
	meters := new(telemetry.Meters)
	o, err := observe.New(observe.Config{Meters: meters, ChainID: 1})
	require.NoError(t, err)
	for hash, known := range map[common.Hash]bool{{1}: false, {2}: true} {
		ctx, wait := o.Begin(t.Context(), observe.Wait, observe.About{Hash: hash})
		wait.End(ctx, observe.Result{Outcome: "expired", Known: known})
	}
	require.EqualValues(t, 1, meters.Sum("sesame.operations.ended"))
	for _, hash := range []common.Hash{{1}, {3}, {3}} {
		o.EndKnown(t.Context(), observe.Result{Hash: hash, Outcome: "expired"})
	}
	require.EqualValues(t, 2, meters.Sum("sesame.operations.ended", "sesame.outcome=expired"))
	require.Zero(t, meters.Sum("sesame.operations.waiting"))
}

// brokenMeters makes no instruments.
type brokenMeters struct{ noop.MeterProvider }

type brokenMeter struct{ noop.Meter }

func (brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter { return brokenMeter{} }

func (brokenMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return nil, errors.New("no room for another view")
}

// A provider that makes no instruments is an error, and not silence.
func TestAProviderThatFails(t *testing.T) {
	_, err := observe.New(observe.Config{Meters: brokenMeters{}})
	require.ErrorContains(t, err, "no room for another view")
	_, err = observe.NewRPC(observe.RPCConfig{Meters: brokenMeters{}})
	require.ErrorContains(t, err, "no room for another view")
}
