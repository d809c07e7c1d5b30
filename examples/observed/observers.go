package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// observers are the providers that the clients get, and what they were given.
type observers struct {
	traces  *sdktrace.TracerProvider
	spans   *tracetest.InMemoryExporter
	metrics *metric.MeterProvider
	reader  *metric.ManualReader
}

func newObservers() *observers {
	o := &observers{spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	o.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(o.spans))
	o.metrics = metric.NewMeterProvider(metric.WithReader(o.reader))
	return o
}

// forget forgets the spans so far.
func (o *observers) forget() { o.spans.Reset() }

// printTraces prints each span below the one that it is part of, those that began first before.
func (o *observers) printTraces(out io.Writer) {
	within := map[trace.SpanID][]tracetest.SpanStub{}
	spans := o.spans.GetSpans()
	slices.SortStableFunc(spans, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	for _, span := range spans {
		within[span.Parent.SpanID()] = append(within[span.Parent.SpanID()], span)
	}
	var show func(parent trace.SpanID, indent string)
	show = func(parent trace.SpanID, indent string) {
		for _, span := range within[parent] {
			line := fmt.Sprintf("  %-36s %8.1f ms  %s", indent+span.Name, span.EndTime.Sub(span.StartTime).Seconds()*1000, notable(span.Attributes))
			fmt.Fprintln(out, strings.TrimRight(line, " "))
			for _, event := range span.Events {
				fmt.Fprintf(out, "  %s* %s\n", indent+"  ", event.Name)
			}
			show(span.SpanContext.SpanID(), indent+"  ")
		}
	}
	show(trace.SpanID{}, "")
}

// notable are the attributes that are worth a look here.
func notable(all []attribute.KeyValue) string {
	var shown []string
	for _, a := range all {
		switch a.Key {
		case "sesame.outcome", "sesame.attempt", "sesame.detail", "sesame.operation.hash", "sesame.aa_code", "rpc.response.status_code", "error.type", "server.port":
			shown = append(shown, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
		}
	}
	return strings.Join(shown, " ")
}

// printMetrics prints a line for each series: a sum, or how often and what it came to.
func (o *observers) printMetrics(ctx context.Context, out io.Writer) error {
	var all metricdata.ResourceMetrics
	if err := o.reader.Collect(ctx, &all); err != nil {
		return err
	}
	var lines []string
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("  %-28s %6d %-11s  %s", m.Name, p.Value, m.Unit, labels(p.Attributes)))
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("  %-28s %6d times, %.6g %s in all  %s", m.Name, p.Count, p.Sum, m.Unit, labels(p.Attributes)))
				}
			}
		}
	}
	slices.SortFunc(lines, cmp.Compare[string])
	for _, line := range lines {
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	return nil
}

func labels(set attribute.Set) string {
	var shown []string
	for _, a := range set.ToSlice() {
		if a.Key != "sesame.chain.id" && a.Key != "server.address" && a.Key != "rpc.system.name" {
			shown = append(shown, string(a.Key)+"="+a.Value.String())
		}
	}
	return strings.Join(shown, " ")
}
