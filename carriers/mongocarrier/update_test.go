// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// contextIn returns the traceparent of the value at key of an update.
func contextIn(fields map[string]any, key string) string {
	return traceparent(mongocarrier.ReadM(map[string]any{"_otel": fields[key]}, w3c()))
}

// Rule 21.
func TestSetFieldsByMode(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	for _, c := range []struct {
		mode          mongocarrier.Mode
		onInsert, set []string
	}{
		{0, nil, nil},
		{mongocarrier.OnInsert, []string{"_otel"}, nil},
		{mongocarrier.LastWriter, nil, []string{"_otel"}},
		{mongocarrier.Both, []string{"_otel"}, []string{"_otel_last"}},
		{99, nil, nil},
	} {
		onInsert, set := mongocarrier.SetFields(ctx, c.mode, w3c())
		if diff := cmp.Diff(c.onInsert, slices.Sorted(maps.Keys(onInsert))); diff != "" {
			t.Errorf("mode %d, $setOnInsert: %s", c.mode, diff)
		}
		if diff := cmp.Diff(c.set, slices.Sorted(maps.Keys(set))); diff != "" {
			t.Errorf("mode %d, $set: %s", c.mode, diff)
		}
		for _, fields := range []map[string]any{onInsert, set} {
			for key := range fields {
				if got := contextIn(fields, key); got != traceparentA {
					t.Errorf("mode %d: %s holds %q", c.mode, key, got)
				}
			}
		}
		if onInsert, set := mongocarrier.SetFields(t.Context(), c.mode, w3c()); onInsert != nil || set != nil {
			t.Errorf("mode %d without a span: %v, %v", c.mode, onInsert, set)
		}
	}
}

// Rule 21: a context is one field, with a path and never in parts.
func TestSetFieldsSetsAContextWhole(t *testing.T) {
	t.Parallel()
	ctx := stateCtx(t, traceparentA, "v=1")
	_, set := mongocarrier.SetFields(ctx, mongocarrier.LastWriter, full(), mongocarrier.WithField("meta.trace"))
	if diff := cmp.Diff([]string{"meta.trace"}, slices.Sorted(maps.Keys(set))); diff != "" {
		t.Error(diff)
	}
	_, set = mongocarrier.SetFields(ctx, mongocarrier.LastWriter, full(), mongocarrier.WithForm(mongocarrier.Properties))
	if text, _ := set["tracingspancontext"].(string); !strings.HasPrefix(text, "traceparent="+traceparentA) {
		t.Errorf("properties: %v", set)
	}
	// A flat one has no whole: what it does not have becomes null.
	flat := []mongocarrier.Option{w3c(), mongocarrier.WithForm(mongocarrier.Flat)}
	_, set = mongocarrier.SetFields(spanCtx(t, traceparentB), mongocarrier.LastWriter, flat...)
	if diff := cmp.Diff(map[string]any{"traceparent": traceparentB, "tracestate": nil}, set); diff != "" {
		t.Errorf("flat: %s", diff)
	}
	onInsert, _ := mongocarrier.SetFields(spanCtx(t, traceparentB), mongocarrier.OnInsert, append(flat, mongocarrier.WithField("meta"))...)
	if diff := cmp.Diff(map[string]any{"meta.traceparent": traceparentB}, onInsert); diff != "" {
		t.Errorf("flat, on insert: %s", diff)
	}
	onInsert, set = mongocarrier.SetFields(ctx, mongocarrier.Both, w3c(), mongocarrier.WithField("a.b"), mongocarrier.WithLastWriterField("a.c"))
	if contextIn(onInsert, "a.b") != traceparentA || contextIn(set, "a.c") != traceparentA {
		t.Errorf("fields of one document: %v, %v", onInsert, set)
	}
}

// Rule 21: what the server refuses with error 40.
func TestSetFieldsRefusesFieldsThatOverlap(t *testing.T) {
	reported := recordErrors(t)
	for _, last := range []string{"_otel", "_otel.last", "_id", "$x", "a..b"} {
		onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.Both, w3c(), mongocarrier.WithLastWriterField(last))
		if len(onInsert) != 1 || set != nil {
			t.Errorf("%s: %v, %v", last, onInsert, set)
		}
	}
	_, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.Both, w3c(), mongocarrier.WithField("a.b"), mongocarrier.WithLastWriterField("a"))
	if set != nil {
		t.Errorf("an outer field: %v", set)
	}
	onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.Both, w3c(), mongocarrier.WithForm(mongocarrier.Flat))
	if len(onInsert) != 1 || set != nil {
		t.Errorf("flat: %v, %v", onInsert, set)
	}
	if len(*reported) != 1 || !strings.Contains((*reported)[0], "overlap") {
		t.Errorf("reported %q", *reported)
	}
}

// Rule 22: nothing of a context can be read as an expression.
func TestPipelineStageWritesLiterals(t *testing.T) {
	t.Parallel()
	opts := []mongocarrier.Option{mongocarrier.WithPropagator(legacy{"k", "$field"}), mongocarrier.WithForm(mongocarrier.Flat)}
	stage, ok := mongocarrier.PipelineStage(spanCtx(t, traceparentA), mongocarrier.LastWriter, opts...)
	want := map[string]any{"$set": map[string]any{"k": map[string]any{"$literal": "$field"}}}
	if diff := cmp.Diff(want, stage); diff != "" || !ok {
		t.Error(diff, ok)
	}
	stage, ok = mongocarrier.PipelineStage(spanCtx(t, traceparentA), mongocarrier.Both, w3c(), mongocarrier.WithForm(mongocarrier.Properties))
	literal := map[string]any{"$literal": "traceparent=" + traceparentA + "\n"}
	want = map[string]any{"$set": map[string]any{
		"tracingspancontext":      map[string]any{"$ifNull": []any{"$tracingspancontext", literal}},
		"tracingspancontext_last": literal,
	}}
	if diff := cmp.Diff(want, stage); diff != "" || !ok {
		t.Error(diff, ok)
	}
	if stage, ok := mongocarrier.PipelineStage(t.Context(), mongocarrier.Both, w3c()); ok || stage != nil {
		t.Errorf("without a span: %v", stage)
	}
	if stage, ok := mongocarrier.PipelineStage(spanCtx(t, traceparentA), 0, w3c()); ok || stage != nil {
		t.Errorf("without a mode: %v", stage)
	}
}

// Rule 24.
func TestSetFieldsOfACapturedContextIsIdempotent(t *testing.T) {
	t.Parallel()
	captured := mongocarrier.WithCaptured(mongocarrier.Capture(spanCtx(t, traceparentA), full()))
	_, first := mongocarrier.SetFields(spanCtx(t, traceparentB), mongocarrier.LastWriter, full(), captured)
	_, second := mongocarrier.SetFields(t.Context(), mongocarrier.LastWriter, full(), captured)
	if diff := cmp.Diff(first, second); diff != "" || contextIn(first, "_otel") != traceparentA {
		t.Error(diff, first)
	}
}

// Rule 26: a field that is the identity of a document takes no context.
func TestTheIdentityOfADocumentIsNoField(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"_id", "_id.trace"} {
		onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.LastWriter, w3c(), mongocarrier.WithField(field))
		if onInsert != nil || set != nil {
			t.Errorf("%s: %v, %v", field, onInsert, set)
		}
	}
}

// Rule 27.
func TestJSONSchemaProperties(t *testing.T) {
	t.Parallel()
	text := map[string]any{"bsonType": "string"}
	context := map[string]any{"traceparent": text, "tracestate": text}
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"bsonType": "object", "properties": properties}
	}
	for name, c := range map[string]struct {
		opts []mongocarrier.Option
		want map[string]any
	}{
		"default": {nil, map[string]any{"_otel": object(context)}},
		"nested": {
			[]mongocarrier.Option{mongocarrier.WithField("a.b.c")},
			map[string]any{"a": object(map[string]any{"b": object(map[string]any{"c": object(context)})})},
		},
		"flat":        {[]mongocarrier.Option{mongocarrier.WithForm(mongocarrier.Flat)}, context},
		"flat nested": {[]mongocarrier.Option{mongocarrier.WithForm(mongocarrier.Flat), mongocarrier.WithField("a")}, map[string]any{"a": object(context)}},
		"properties":  {[]mongocarrier.Option{mongocarrier.WithForm(mongocarrier.Properties)}, map[string]any{"tracingspancontext": text}},
	} {
		if diff := cmp.Diff(c.want, mongocarrier.JSONSchemaProperties(append(c.opts, w3c())...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
