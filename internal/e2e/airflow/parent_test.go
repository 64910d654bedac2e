// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/carriers/jobcarrier"
	"github.com/waybill-go/waybill/flowtest"
)

const (
	parentKey  = "airflow/dagrun_parent_trace_context"
	sampledKey = "airflow/trace_sampled"
)

// fate is what becomes of the span of a run.
type fate string

const (
	root    fate = "a root"
	child   fate = "a child of the span that starts the run"
	dropped fate = "not recorded"
)

type object = map[string]any

// form is the conf of a run, and what an Airflow that continues the trace of the conf
// makes of it. Other releases begin a trace for each.
type form struct {
	conf object
	want fate
}

// formsOf returns the forms that a traceparent may have in a conf, by the ids of their
// runs.
func formsOf(traceparent string) map[string]form {
	unsampled := strings.TrimSuffix(traceparent, "1") + "0"
	return map[string]form{
		"string":                    {conf: object{parentKey: traceparent}, want: child},
		"mapping":                   {conf: object{parentKey: object{"traceparent": traceparent, "tracestate": "a=1", "baggage": "b=2"}}, want: child},
		"mapping-with-another-type": {conf: object{parentKey: object{"traceparent": traceparent, "tracestate": 1}}, want: child},
		"upper-case-key":            {conf: object{parentKey: object{"TRACEPARENT": traceparent}}, want: root},
		"malformed":                 {conf: object{parentKey: "x-" + traceparent}, want: root},
		"list":                      {conf: object{parentKey: []any{traceparent}}, want: root},
		"plain-keys":                {conf: object{"traceparent": traceparent}, want: root},
		"header-only":               {conf: object{}, want: root},
		"unsampled":                 {conf: object{parentKey: unsampled}, want: dropped},
		"unsampled-but-forced":      {conf: object{parentKey: unsampled, sampledKey: true}, want: dropped},
	}
}

// runParents runs a DAG without a task of its own with each form of the context of ctx.
func runParents(ctx context.Context, t *testing.T, a *airflow) {
	t.Helper()
	fields, err := jobcarrier.Inject(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var started []dagRun
	for id, form := range formsOf(fields["traceparent"]) {
		started = append(started, a.trigger(t, "bare", id, form.conf))
	}
	for _, run := range started {
		run.await(t)
	}
}

// fatesOf returns what becomes of the spans of these runs that are recorded, by the ids of
// the runs.
func fatesOf(tracing tracing) map[string]fate {
	fates := map[string]fate{}
	for id, form := range formsOf("") {
		if tracing.on && !tracing.joined {
			fates[id] = root
		} else if tracing.joined && form.want != dropped {
			fates[id] = form.want
		}
	}
	return fates
}

// requireParents checks what became of the spans of these runs.
func requireParents(t *testing.T, r *flowtest.Recording, tracing tracing) {
	t.Helper()
	start := r.Span("shop start report").Stub().SpanContext
	got := map[string]fate{}
	for _, span := range r.Spans() {
		if span.Name != "dag_run.bare" {
			continue
		}
		set := attribute.NewSet(span.Attributes...)
		id, _ := set.Value("airflow.dag_run.run_id")
		switch {
		case !span.Parent.IsValid():
			got[id.AsString()] = root
		case span.Parent.SpanID() == start.SpanID() && span.Parent.TraceID() == start.TraceID():
			got[id.AsString()] = child
		default:
			got[id.AsString()] = "a child of another span"
		}
	}
	if want := fatesOf(tracing); !maps.Equal(got, want) {
		t.Errorf("the spans of the runs are %v, want %v", got, want)
	}
}
