// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build airflow

package airflow_test

import (
	"context"
	"maps"
	"slices"
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

// parents are confs of runs, by the ids of these, and what an Airflow that continues the
// trace of the conf makes of them. Other releases begin a trace for each.
var parents = map[string]struct {
	conf map[string]any // With TRACEPARENT for the context.
	want fate
}{
	"string":                    {conf: map[string]any{parentKey: "TRACEPARENT"}, want: child},
	"mapping":                   {conf: parent("traceparent", "TRACEPARENT", "tracestate", "a=1", "baggage", "b=2"), want: child},
	"mapping-with-another-type": {conf: parent("traceparent", "TRACEPARENT", "tracestate", 1), want: child},
	"upper-case-key":            {conf: parent("TRACEPARENT", "TRACEPARENT"), want: root},
	"malformed":                 {conf: map[string]any{parentKey: "x-TRACEPARENT"}, want: root},
	"list":                      {conf: map[string]any{parentKey: []any{"TRACEPARENT"}}, want: root},
	"plain-keys":                {conf: map[string]any{"traceparent": "TRACEPARENT"}, want: root},
	"header-only":               {conf: map[string]any{}, want: root},
	"unsampled":                 {conf: map[string]any{parentKey: "UNSAMPLED"}, want: dropped},
	"unsampled-but-forced":      {conf: map[string]any{parentKey: "UNSAMPLED", sampledKey: true}, want: dropped},
}

// parent returns a conf with the mapping of key and value, and another.
func parent(key, value string, more ...any) map[string]any {
	mapping := map[string]any{key: value}
	for pair := range slices.Chunk(more, 2) {
		mapping[pair[0].(string)] = pair[1] //nolint:forcetypeassert // It is above.
	}
	return map[string]any{parentKey: mapping}
}

// filled returns a copy of value, text or maps and lists with text, in which TRACEPARENT
// is traceparent.
func filled(value any, traceparent string) any {
	switch value := value.(type) {
	case string:
		value = strings.Replace(value, "UNSAMPLED", strings.TrimSuffix(traceparent, "1")+"0", 1)
		return strings.Replace(value, "TRACEPARENT", traceparent, 1)
	case []any:
		return []any{filled(value[0], traceparent)}
	case map[string]any:
		value = maps.Clone(value)
		for key := range value {
			value[key] = filled(value[key], traceparent)
		}
		return value
	default:
		return value
	}
}

// runParents runs a DAG without a task of its own with the conf of each of parents.
func runParents(ctx context.Context, t *testing.T, a *airflow) {
	t.Helper()
	fields, err := jobcarrier.Inject(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var started []dagRun
	for id, test := range parents {
		conf, _ := filled(test.conf, fields["traceparent"]).(map[string]any)
		started = append(started, a.trigger(t, "bare", id, conf))
	}
	for _, run := range started {
		run.await(t)
	}
}

// requireParents checks what became of the spans of these runs.
func requireParents(t *testing.T, r *flowtest.Recording, tracing tracing) {
	t.Helper()
	start := r.Span("shop start report").Stub().SpanContext
	got, want := map[string]fate{}, map[string]fate{}
	for id, test := range parents {
		got[id], want[id] = dropped, test.want
		if !tracing.joined {
			want[id] = root
		}
	}
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
	if !maps.Equal(got, want) {
		t.Errorf("the spans of the runs are %v, want %v", got, want)
	}
}
