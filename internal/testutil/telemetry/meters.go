package telemetry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Meters is a provider of meters that adds up what is counted and measured, by name and attributes.
type Meters struct {
	noop.MeterProvider
	mu    sync.Mutex
	sums  map[string]float64
	units map[string]string
}

// Meter implements [metric.MeterProvider].
func (m *Meters) Meter(string, ...metric.MeterOption) metric.Meter { return meter{of: m} }

func (m *Meters) add(name string, of attribute.Set, value float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sums == nil {
		m.sums = map[string]float64{}
	}
	m.sums[name+"{"+of.Encoded(attribute.DefaultEncoder())+"}"] += value
}

func (m *Meters) has(name, unit string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.units == nil {
		m.units = map[string]string{}
	}
	m.units[name] = unit
}

// Units are the instruments that were made, with their units.
func (m *Meters) Units() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.units)
}

// Sum adds up what was counted or measured by an instrument, where its attributes have all of these, each
// like "sesame.outcome=landed".
func (m *Meters) Sum(name string, attrs ...string) (sum float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for series, value := range m.sums {
		is, of, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		has := strings.Split(of, ",")
		if is == name && !slices.ContainsFunc(attrs, func(a string) bool { return !slices.Contains(has, a) }) {
			sum += value
		}
	}
	return sum
}

// Attributes are the names of all attributes.
func (m *Meters) Attributes() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for series := range m.sums {
		_, of, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		for _, a := range strings.Split(of, ",") {
			name, _, _ := strings.Cut(a, "=")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// String has all series.
func (m *Meters) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, series := range slices.Sorted(maps.Keys(m.sums)) {
		fmt.Fprintln(&b, series, m.sums[series])
	}
	return b.String()
}

type meter struct {
	noop.Meter
	of *Meters
}

type histogram struct {
	noop.Float64Histogram
	of   *Meters
	name string
}

type counter struct {
	noop.Int64Counter
	of   *Meters
	name string
}

type level struct {
	noop.Int64UpDownCounter
	of   *Meters
	name string
}

func (m meter) Float64Histogram(name string, opts ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	m.of.has(name, metric.NewFloat64HistogramConfig(opts...).Unit())
	return histogram{of: m.of, name: name}, nil
}

func (m meter) Int64Counter(name string, opts ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	m.of.has(name, metric.NewInt64CounterConfig(opts...).Unit())
	return counter{of: m.of, name: name}, nil
}

func (m meter) Int64UpDownCounter(name string, opts ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	m.of.has(name, metric.NewInt64UpDownCounterConfig(opts...).Unit())
	return level{of: m.of, name: name}, nil
}

func (h histogram) Record(_ context.Context, value float64, opts ...metric.RecordOption) {
	h.of.add(h.name, metric.NewRecordConfig(opts).Attributes(), value)
}

func (c counter) Add(_ context.Context, value int64, opts ...metric.AddOption) {
	c.of.add(c.name, metric.NewAddConfig(opts).Attributes(), float64(value))
}

func (l level) Add(_ context.Context, value int64, opts ...metric.AddOption) {
	l.of.add(l.name, metric.NewAddConfig(opts).Attributes(), float64(value))
}
