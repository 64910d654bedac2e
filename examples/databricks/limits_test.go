// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Whatever the context holds, the workspace takes what the preset writes; what it would
// refuse, the preset reports before.
func TestInject_Limits(t *testing.T) {
	t.Parallel()
	client := connect(t, startWorkspace(t, func(launch) {}), nil)
	job, err := create(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	everything := jobcarrier.WithPropagation(propagation.WithPropagator(propagation.Default()), propagation.WithBaggage("note"))

	// empty is how long the region may be without a context: {"job_parameters":{"region":"..."}}.
	const empty = 10_000 - len(`{"job_parameters":{"region":""}}`)
	for name, tt := range map[string]struct {
		region            string
		tracestate, note  string
		tooLarge          bool
		without, expected []string // Keys that must not, and must, be there.
		dropped           map[string]float64
	}{
		"small":                     {region: "Japan", tracestate: "a=1", note: "b", expected: []string{"traceparent", "tracestate", "baggage", "waybill"}},
		"references in the baggage": {note: "{{job.run_id}}", expected: []string{"baggage"}},
		"references in tracestate":  {tracestate: "a={{secrets/a/b}}", without: []string{"tracestate"}, expected: []string{"traceparent"}, dropped: map[string]float64{observe.DropUnsafe: 1}},
		"room for a traceparent":    {region: strings.Repeat("x", empty-100), note: strings.Repeat("n", 100), without: []string{"baggage"}, expected: []string{"traceparent"}, dropped: map[string]float64{observe.DropTooLarge: 1}},
		"no room":                   {region: strings.Repeat("x", empty), tooLarge: true, dropped: map[string]float64{observe.DropTooLarge: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := inFlowWith(t, tt.tracestate, tt.note)
			registry := prometheus.NewRegistry()
			m, err := metrics.New(registry)
			if err != nil {
				t.Fatal(err)
			}
			parameters, err := jobcarrier.Inject(ctx, map[string]string{"region": tt.region}, jobcarrier.Databricks(), everything, jobcarrier.WithObserver(m))
			if got := errors.Is(err, jobcarrier.ErrTooLarge); got != tt.tooLarge {
				t.Fatalf("error %v, want too large: %t", err, tt.tooLarge)
			}
			if diff := cmp.Diff(tt.dropped, droppedOf(t, registry)); diff != "" {
				t.Errorf("what is counted as dropped (-want +got):\n%s", diff)
			}
			for _, key := range tt.expected {
				if parameters[key] == "" {
					t.Errorf("no %s among %v", key, keys(parameters))
				}
			}
			for _, key := range tt.without {
				if parameters[key] != "" {
					t.Errorf("%s is %q, want none", key, parameters[key])
				}
			}
			if _, err := client.Jobs.RunNow(ctx, jobs.RunNow{JobId: job, JobParameters: parameters}); err != nil {
				t.Errorf("the workspace refuses %v: %v", keys(parameters), err)
			}
			if !tt.tooLarge {
				return
			}
			parameters["traceparent"] = strings.Repeat("0", 55)
			if _, err := client.Jobs.RunNow(ctx, jobs.RunNow{JobId: job, JobParameters: parameters}); err == nil {
				t.Error("the workspace takes what the preset refuses")
			}
		})
	}
}

// droppedOf returns etl_telemetry_dropped_total by its reason.
func droppedOf(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var dropped map[string]float64
	for _, family := range families {
		if family.GetName() != "etl_telemetry_dropped_total" {
			continue
		}
		dropped = map[string]float64{}
		for _, metric := range family.GetMetric() {
			dropped[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	return dropped
}

// inFlowWith returns a ctx with a span, a tracestate and a member "note" of the baggage.
func inFlowWith(t *testing.T, tracestate, note string) context.Context {
	t.Helper()
	state, err := trace.ParseTraceState(tracestate)
	if err != nil {
		t.Fatal(err)
	}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state,
	}))
	if note == "" {
		return ctx
	}
	member, err := baggage.NewMemberRaw("note", note)
	if err != nil {
		t.Fatal(err)
	}
	members, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, members)
}

func keys(parameters map[string]string) []string { return slices.Sorted(maps.Keys(parameters)) }
