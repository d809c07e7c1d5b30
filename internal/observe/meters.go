package observe

import (
	"context"
	"errors"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// meters are the instruments of an [Observer].
type meters struct {
	stages    metric.Float64Histogram
	sends     metric.Int64Counter
	ends      metric.Int64Counter
	gas, cost metric.Float64Histogram
	retries   metric.Int64Counter
	refusals  metric.Int64Counter
	waiting   metric.Int64UpDownCounter
	lanes     metric.Int64UpDownCounter
	budget    metric.Float64Histogram
	takeovers metric.Int64Counter

	mu sync.Mutex
	// told are operations whose ends were counted: several may wait for one.
	told lru.BasicLRU[common.Hash, struct{}]
}

// first reports whether the end of an operation is told for the first time.
func (t *meters) first(hash common.Hash) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told.Contains(hash) {
		return false
	}
	t.told.Add(hash, struct{}{})
	return true
}

// mostTold is of how many operations, the last ones, it is known that their ends were counted.
const mostTold = 1 << 14

// Bounds of the histograms: seconds from a read to a long wait, gas, wei from a cheap chain to a dear one,
// and what is left of a budget.
var (
	secondBounds = []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}
	gasBounds    = []float64{5e4, 1e5, 1.5e5, 2e5, 3e5, 4e5, 6e5, 1e6, 2e6, 5e6}
	weiBounds    = []float64{1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}
	leftBounds   = []float64{0, 0.05, 0.1, 0.25, 0.5, 0.75, 1}
)

func newMeters(m metric.Meter) (*meters, error) {
	t := &meters{told: lru.NewBasicLRU[common.Hash, struct{}](mostTold)}
	var failed []error
	histogram := func(in *metric.Float64Histogram, name, unit, what string, bounds []float64) {
		var err error
		*in, err = m.Float64Histogram(prefix+name, metric.WithUnit(unit), metric.WithDescription(what), metric.WithExplicitBucketBoundaries(bounds...))
		failed = append(failed, err)
	}
	counter := func(in *metric.Int64Counter, name, unit, what string) {
		var err error
		*in, err = m.Int64Counter(prefix+name, metric.WithUnit(unit), metric.WithDescription(what))
		failed = append(failed, err)
	}
	level := func(in *metric.Int64UpDownCounter, name, unit, what string) {
		var err error
		*in, err = m.Int64UpDownCounter(prefix+name, metric.WithUnit(unit), metric.WithDescription(what))
		failed = append(failed, err)
	}
	histogram(&t.stages, "stage.duration", "s", "How long each stage of an operation took.", secondBounds)
	counter(&t.sends, "sends", "{send}", "Sends, by what came of handing the operation over.")
	counter(&t.ends, "operations.ended", "{operation}", "Operations, by how the chain ended them.")
	histogram(&t.gas, "operation.gas", "{gas}", "Gas that an included operation was charged.", gasBounds)
	histogram(&t.cost, "operation.cost", "{wei}", "What an included operation cost its payer.", weiBounds)
	counter(&t.retries, "retries", "{retry}", "What was submitted again, or made anew.")
	counter(&t.refusals, "refusals", "{refusal}", "Refusals by services, by their codes.")
	level(&t.waiting, "operations.waiting", "{operation}", "Waits for operations that have begun and not ended.")
	level(&t.lanes, "lanes.busy", "{lane}", "Lanes that an operation has.")
	histogram(&t.budget, "budget.left", "1", "What part of a day's budget was left after a send.", leftBounds)
	counter(&t.takeovers, "outbox.takeovers", "{send}", "Sends that were gone on with because nobody worked on them.")
	return t, errors.Join(failed...)
}

func (t *meters) with(all ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(all...))
}

// ended measures a stage that has ended.
func (t *meters) ended(ctx context.Context, kind Kind, e *Event, r *Result) {
	chain := keyChain.Int64(int64(e.ChainID))
	of := []attribute.KeyValue{chain, keyStage.String(string(kind))}
	if e.Err != nil {
		of = append(of, keyError.String(e.errorType()))
	}
	t.stages.Record(ctx, e.Took.Seconds(), t.with(of...))
	switch kind {
	case Send:
		t.sends.Add(ctx, 1, t.with(chain, keyOutcome.String(e.Outcome)))
	case Sponsor, Estimate, Quote, Submit:
		t.refused(ctx, kind, e)
	case Wait:
		t.waiting.Add(ctx, -1, t.with(chain))
		if !r.Known {
			t.onChain(ctx, e, r.Gas)
		}
	}
}

// EndKnown counts the end of an operation that was learned without a wait for it, once with the waits'.
func (o *Observer) EndKnown(ctx context.Context, r Result) {
	if !o.Measures() {
		return
	}
	e := Event{ChainID: o.cfg.ChainID, Hash: r.Hash, Outcome: r.Outcome, Err: r.Err}
	o.judge(&e)
	o.meters.onChain(ctx, &e, r.Gas)
}

// refused counts what a service refused.
func (t *meters) refused(ctx context.Context, kind Kind, e *Event) {
	if e.AA == "" && e.RPCCode == 0 {
		return
	}
	of := []attribute.KeyValue{keyChain.Int64(int64(e.ChainID)), keyStage.String(string(kind))}
	if e.AA != "" {
		of = append(of, keyAA.String(e.AA))
	}
	if e.RPCCode != 0 {
		of = append(of, keyStatus.String(codeClass(e.RPCCode)))
	}
	t.refusals.Add(ctx, 1, t.with(of...))
}

// onChain counts how the chain ended an operation, once.
func (t *meters) onChain(ctx context.Context, e *Event, gas *Gas) {
	switch e.Outcome {
	case "landed", "reverted", "replaced", "expired":
	default:
		return
	}
	if !t.first(e.Hash) {
		return
	}
	chain := keyChain.Int64(int64(e.ChainID))
	t.ends.Add(ctx, 1, t.with(chain, keyOutcome.String(e.Outcome)))
	if gas == nil {
		return
	}
	payer := "account"
	if gas.Paymaster != (common.Address{}) {
		payer = "paymaster"
	}
	of := t.with(chain, keyOutcome.String(e.Outcome), keyPayer.String(payer))
	t.gas.Record(ctx, gas.Used.Float64(), of)
	t.cost.Record(ctx, gas.Cost.Float64(), of)
}

// happened counts a moment.
func (t *meters) happened(ctx context.Context, kind Kind, e *Event) {
	chain := keyChain.Int64(int64(e.ChainID))
	switch kind {
	case Retry, Anew, Settled:
		t.retries.Add(ctx, 1, t.with(chain, keyReason.String(string(kind))))
	case Takeover:
		t.takeovers.Add(ctx, 1, t.with(chain))
	}
}

// LanesBusy notes that so many more lanes have an operation, or fewer.
func (o *Observer) LanesBusy(more int64) {
	if o.Measures() {
		o.meters.lanes.Add(context.Background(), more, o.meters.with(keyChain.Int64(int64(o.cfg.ChainID))))
	}
}

// BudgetLeft notes what part of a budget is left: "key operations", "account gas", "key token".
func (o *Observer) BudgetLeft(ctx context.Context, budget string, part float64) {
	if o.Measures() {
		o.meters.budget.Record(ctx, part, o.meters.with(keyChain.Int64(int64(o.cfg.ChainID)), keyBudget.String(budget)))
	}
}
