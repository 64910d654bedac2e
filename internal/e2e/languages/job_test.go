// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"context"
	"maps"
	"os"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// asJob names the service of a process that is a job in Go.
const asJob = "LANGUAGES_TEST_JOB"

// runJob is the main function of such a process.
func runJob(service string) {
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		panic(err)
	}
	otel.SetTracerProvider(newGoPeer(exporter, "", service).provider)
	job.Main(stages.Must(stages.NewPipeline("load")), func(ctx context.Context) error {
		noteHops(ctx)
		return nil
	})
}

// hopsKey is the attribute of a span with the hops of the waybill that it received.
const hopsKey = "test.hops"

func noteHops(ctx context.Context) {
	hops := propagation.WaybillFromContext(ctx).Hops
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int(hopsKey, hops))
}

// A program in Go starts a job in Python, and that a job in Go.
func TestFlow_Job(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"environment", "arguments"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			c := newCollector(t)
			s := &site{collector: c}
			s.startInGo(t, func(ctx context.Context) {
				env, args := append(s.pythonEnv(t, "python-2"), asJob+"=go-3"), []string{"job", how, os.Args[0]}
				if how == "environment" {
					env = envcarrier.Inject(ctx, env)
				} else {
					args = jobcarrier.InjectArgs(ctx, args)
				}
				peer(t, "python").run(t, env, args...)
			})
			requireHealthy(t, c, "job-"+how, "CONNECTED: one flow")
			requireFields(t, c, map[string]int64{"report": 1, "load": 2})
		})
	}
}

// startInGo begins a flow in Go, in whose span start starts a process.
func (s *site) startInGo(t *testing.T, start func(context.Context)) {
	t.Helper()
	p := newGoPeer(s.collector.exporter(t), "", "go-1")
	defer p.close(t.Context(), t)
	ctx, span := p.provider.Tracer("peer").Start(t.Context(), "start")
	defer span.End()
	start(ctx)
}

// pythonEnv is env for a program in Python that has waybill_receiver.
func (s *site) pythonEnv(t *testing.T, service string) []string {
	t.Helper()
	return append(s.env(service, ""), "PYTHONPATH="+absolute(t, "../../../python"), "PYTHONDONTWRITEBYTECODE=1")
}

// requireFields checks that all spans have the tracestate with which the flow began,
// and that those with a name in hops received a waybill with so many.
func requireFields(t *testing.T, c *collector, hops map[string]int64) {
	t.Helper()
	got := make(map[string]int64)
	for _, resource := range c.traces(t).ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				if span.TraceState().AsRaw() != state {
					t.Errorf("the tracestate of %q is %q, want %q", span.Name(), span.TraceState().AsRaw(), state)
				}
				if n, ok := span.Attributes().Get(hopsKey); ok {
					got[span.Name()] = n.Int()
				}
			}
		}
	}
	if !maps.Equal(got, hops) {
		t.Errorf("the hops are %v, want %v", got, hops)
	}
}
