// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
)

// A call that the SDK retries sends the same body again, so the run has the context of
// the call, whichever attempt starts it. Each attempt has a span of its own.
func TestRunNow_RetriesOfTheSDK(t *testing.T) {
	t.Parallel()
	var launched []launch
	w := startWorkspace(t, func(l launch) { launched = append(launched, l) }, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	client := connect(t, w, otelhttp.NewTransport(http.DefaultTransport,
		otelhttp.WithTracerProvider(provider), otelhttp.WithPropagators(propagation.Default()), otelhttp.WithFilter(inFlow)))
	ctx, trigger := provider.Tracer("").Start(t.Context(), "trigger")
	id, err := create(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	spans.Reset()
	if _, err := runNow(ctx, client, id); err != nil {
		t.Fatal(err)
	}

	attempts := w.requests()["run-now"]
	calls := spans.GetSpans()
	if len(attempts) != 3 || len(calls) != 3 {
		t.Fatalf("%d attempts and %d spans, want 3 of both", len(attempts), len(calls))
	}
	for i, attempt := range attempts {
		if attempt.body != attempts[0].body {
			t.Errorf("attempt %d sends another body:\n%s\n%s", i, attempt.body, attempts[0].body)
		}
		if calls[i].Parent.SpanID() != trigger.SpanContext().SpanID() {
			t.Errorf("the span of attempt %d has the parent %s, want the trigger", i, calls[i].Parent.SpanID())
		}
		if want := calls[i].SpanContext.SpanID().String(); !strings.Contains(attempt.traceparent, want) {
			t.Errorf("attempt %d has the header traceparent %q, want its own span %s", i, attempt.traceparent, want)
		}
	}
	if len(launched) != 2 {
		t.Fatalf("%d tasks are started, want those of one run", len(launched))
	}
	for from, sc := range map[string]trace.SpanContext{
		"the notebook": jobcarrier.Read(launched[0].named).SpanContext(),
		"the script":   jobcarrier.ReadArgs(launched[1].args).SpanContext(),
	} {
		if sc.SpanID() != trigger.SpanContext().SpanID() {
			t.Errorf("%s gets the span %s, want the trigger %s", from, sc.SpanID(), trigger.SpanContext().SpanID())
		}
	}
}

// With its own transport, the SDK sends a traceparent that belongs to no span. That is
// why the program sets another one.
func TestRunNow_HeaderOfTheSDK(t *testing.T) {
	t.Parallel()
	w := startWorkspace(t, func(launch) {}, http.StatusTooManyRequests)
	client := connect(t, w, nil)
	ctx := inFlowWith(t, "", "")
	id, err := create(ctx, client)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runNow(ctx, client, id); err != nil {
		t.Fatal(err)
	}
	attempts := w.requests()["run-now"]
	for _, attempt := range attempts {
		if strings.Contains(attempt.traceparent, trace.SpanContextFromContext(ctx).TraceID().String()) {
			t.Error("the SDK sends the context of ctx: the transport is no longer needed")
		}
	}
	if len(attempts) != 2 || attempts[0].traceparent == attempts[1].traceparent {
		t.Errorf("the attempts are %+v, want two with different headers", attempts)
	}
}

// For a token that it knows, Databricks returns the first run, which has the context of
// the first call.
func TestRunNow_IdempotencyToken(t *testing.T) {
	t.Parallel()
	var launched []launch
	client := connect(t, startWorkspace(t, func(l launch) { launched = append(launched, l) }), nil)
	id, err := create(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	first, second := inFlowWith(t, "", ""), withSpan(t.Context(), 9)
	var runs []int64
	for _, ctx := range []context.Context{first, second} {
		run, err := runNow(ctx, client, id)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	if runs[0] != runs[1] || len(launched) != 2 {
		t.Errorf("runs %d, %d tasks are started; want one run of two tasks", runs, len(launched))
	}
	for _, l := range launched {
		if sc := contextOf(l).SpanContext(); sc.SpanID() != trace.SpanContextFromContext(first).SpanID() {
			t.Errorf("%s has the context %v, want that of the first call", l.task, sc)
		}
	}
}

// A repair has the parameters of the run, or its own. Its tasks are siblings of the first
// ones, or of what repairs them; a repair days later is only linked.
func TestRepairRun(t *testing.T) {
	t.Parallel()
	runner, repairer := inFlowWith(t, "", ""), withSpan(t.Context(), 9)
	for name, tt := range map[string]struct {
		age        time.Duration
		parameters bool            // Whether the repair has parameters of its own.
		want       context.Context //nolint:containedctx // a row of a table.
		linked     bool
	}{
		"at once":                {want: runner},
		"with its own context":   {parameters: true, want: repairer},
		"days later":             {age: 48 * time.Hour, want: runner, linked: true},
		"days later, of its own": {age: 48 * time.Hour, parameters: true, want: repairer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewInMemoryExporter()
			tracer := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer("")
			w := startWorkspace(t, func(l launch) {
				remote := contextOf(l)
				_, span := propagation.Start(t.Context(), tracer, l.task, []propagation.Remote{remote}, job.StartOptions(remote)...)
				span.End()
			})
			client := connect(t, w, nil)
			id, err := create(t.Context(), client)
			if err != nil {
				t.Fatal(err)
			}
			run, err := runNow(runner, client, id)
			if err != nil {
				t.Fatal(err)
			}
			sent := time.Now().Add(-tt.age)
			w.runs[run]["waybill"] = propagation.Waybill{Origin: sent, Sent: sent, Hops: 1}.String()
			repair := jobs.RepairRun{RunId: run, RerunAllFailedTasks: true}
			if tt.parameters {
				if repair.JobParameters, err = jobcarrier.Inject(repairer, nil, jobcarrier.Databricks()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := client.Jobs.RepairRun(repairer, repair); err != nil {
				t.Fatal(err)
			}
			requireRepaired(t, spans.GetSpans(), trace.SpanContextFromContext(tt.want), tt.linked)
		})
	}
}

// requireRepaired checks that the second spans of two tasks are linked to want, and
// children of it unless they are linked only.
func requireRepaired(t *testing.T, spans tracetest.SpanStubs, want trace.SpanContext, onlyLinked bool) { //nolint:revive // of a table.
	t.Helper()
	if len(spans) != 4 {
		t.Fatalf("%d spans, want those of two tasks and of their repair", len(spans))
	}
	for i, span := range spans[2:] {
		if span.SpanContext.SpanID() == spans[i].SpanContext.SpanID() {
			t.Errorf("%s has the span of its first attempt", span.Name)
		}
		if isChild := span.Parent.SpanID() == want.SpanID(); isChild == onlyLinked {
			t.Errorf("%s has the parent %s, want a child of %s: %t", span.Name, span.Parent.SpanID(), want.SpanID(), !onlyLinked)
		}
		if !slices.ContainsFunc(span.Links, func(l sdktrace.Link) bool { return l.SpanContext.SpanID() == want.SpanID() }) {
			t.Errorf("%s is not linked to %s: %v", span.Name, want.SpanID(), span.Links)
		}
	}
}

// Without a context a call is what it is without this module, byte for byte.
func TestCalls_WithoutContext(t *testing.T) {
	t.Parallel()
	w := startWorkspace(t, func(launch) {})
	client := connect(t, w, nil)
	id, err := create(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	run, err := runNow(t.Context(), client, id)
	if err != nil {
		t.Fatal(err)
	}
	inject := func(own map[string]string) map[string]string {
		parameters, err := jobcarrier.Inject(t.Context(), own, jobcarrier.Databricks())
		if err != nil {
			t.Error(err)
		}
		return parameters
	}
	injectArgs := func(own []string) []string {
		return jobcarrier.InjectArgs(t.Context(), own, jobcarrier.Databricks())
	}
	for _, own := range []map[string]string{nil, {}, {"region": "Japan"}} {
		for _, args := range [][]string{nil, {}, {"--region=Japan", "--", "x"}} {
			for _, parameters := range []map[string]string{own, inject(own)} {
				call(t, client.Jobs.RunNow, jobs.RunNow{JobId: id, JobParameters: parameters})
				call(t, client.Jobs.RepairRun, jobs.RepairRun{RunId: run, JobParameters: parameters})
			}
			for _, args := range [][]string{args, injectArgs(args)} {
				task := jobs.SubmitTask{TaskKey: "report", SparkPythonTask: &jobs.SparkPythonTask{PythonFile: "/Shared/script.py", Parameters: args}}
				call(t, client.Jobs.Submit, jobs.SubmitRun{Tasks: []jobs.SubmitTask{task}})
			}
		}
	}
	received := w.requests()
	received["run-now"] = received["run-now"][1:] // The first one is that of the program.
	for _, name := range []string{"run-now", "repair", "submit"} {
		if len(received[name]) != 18 {
			t.Fatalf("%d calls of %s, want 18", len(received[name]), name)
		}
		for pair := range slices.Chunk(received[name], 2) {
			if pair[0].body != pair[1].body {
				t.Errorf("%s: with an empty context it sends %s, want %s", name, pair[1].body, pair[0].body)
			}
		}
	}
}

func call[Q, A any](t *testing.T, send func(context.Context, Q) (A, error), request Q) {
	t.Helper()
	if _, err := send(t.Context(), request); err != nil {
		t.Error(err)
	}
}

// contextOf returns the context that the process of a task finds.
func contextOf(l launch) propagation.Remote {
	if l.named != nil {
		return jobcarrier.Read(l.named)
	}
	return jobcarrier.ReadArgs(l.args)
}

// withSpan returns ctx with a span of another trace than that of inFlowWith.
func withSpan(ctx context.Context, id byte) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{id}, SpanID: trace.SpanID{id}, TraceFlags: trace.FlagsSampled,
	}))
}
