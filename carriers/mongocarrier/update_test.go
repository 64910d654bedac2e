// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// contextIn returns the traceparent of the value at key of an update.
func contextIn(fields map[string]any, key string) string {
	return traceparent(mongocarrier.ReadM(map[string]any{"_otel": fields[key]}, w3c()))
}

func TestSetFields_Modes(t *testing.T) {
	t.Parallel()
	ctx := spanCtx(t, traceparentA)
	for _, c := range []struct {
		mode          mongocarrier.Mode
		onInsert, set []string
	}{
		{0, nil, nil},
		{mongocarrier.ModeOnInsert, []string{"_otel"}, nil},
		{mongocarrier.ModeLastWriter, nil, []string{"_otel"}},
		{mongocarrier.ModeBoth, []string{"_otel"}, []string{"_otel_last"}},
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

// A context is one field with a path, and never parts of it.
func TestSetFields_SetsAContextWhole(t *testing.T) {
	t.Parallel()
	ctx := stateCtx(t, traceparentA, "v=1")
	_, set := mongocarrier.SetFields(ctx, mongocarrier.ModeLastWriter, full(), mongocarrier.WithField("meta.trace"))
	if diff := cmp.Diff([]string{"meta.trace"}, slices.Sorted(maps.Keys(set))); diff != "" {
		t.Error(diff)
	}
	_, set = mongocarrier.SetFields(ctx, mongocarrier.ModeLastWriter, full(), mongocarrier.WithForm(mongocarrier.FormProperties))
	if text, _ := set["tracingspancontext"].(string); !strings.HasPrefix(text, "traceparent="+traceparentA) {
		t.Errorf("properties: %v", set)
	}
	// A flat one has no whole: what it does not have becomes null.
	flat := []mongocarrier.Option{w3c(), mongocarrier.WithForm(mongocarrier.FormFlat)}
	_, set = mongocarrier.SetFields(spanCtx(t, traceparentB), mongocarrier.ModeLastWriter, flat...)
	if diff := cmp.Diff(map[string]any{"traceparent": traceparentB, "tracestate": nil}, set); diff != "" {
		t.Errorf("flat: %s", diff)
	}
	onInsert, _ := mongocarrier.SetFields(spanCtx(t, traceparentB), mongocarrier.ModeOnInsert, append(flat, mongocarrier.WithField("meta"))...)
	if diff := cmp.Diff(map[string]any{"meta.traceparent": traceparentB}, onInsert); diff != "" {
		t.Errorf("flat, on insert: %s", diff)
	}
	onInsert, set = mongocarrier.SetFields(ctx, mongocarrier.ModeBoth, w3c(), mongocarrier.WithField("a.b"), mongocarrier.WithLastWriterField("a.c"))
	if contextIn(onInsert, "a.b") != traceparentA || contextIn(set, "a.c") != traceparentA {
		t.Errorf("fields of one document: %v, %v", onInsert, set)
	}
}

// The server would refuse them with error 40.
func TestSetFields_RefusesFieldsThatOverlap(t *testing.T) {
	reported := recordErrors(t)
	for _, last := range []string{"_otel", "_otel.last", "_id", "$x", "a..b"} {
		onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.ModeBoth, w3c(), mongocarrier.WithLastWriterField(last))
		if len(onInsert) != 1 || set != nil {
			t.Errorf("%s: %v, %v", last, onInsert, set)
		}
	}
	_, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.ModeBoth, w3c(), mongocarrier.WithField("a.b"), mongocarrier.WithLastWriterField("a"))
	if set != nil {
		t.Errorf("an outer field: %v", set)
	}
	onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.ModeBoth, w3c(), mongocarrier.WithForm(mongocarrier.FormFlat))
	if len(onInsert) != 1 || set != nil {
		t.Errorf("flat: %v, %v", onInsert, set)
	}
	if len(*reported) != 1 || !strings.Contains((*reported)[0], "overlap") {
		t.Errorf("reported %q", *reported)
	}
}

// Nothing of a context can be read as an expression.
func TestPipelineStage_Literals(t *testing.T) {
	t.Parallel()
	opts := []mongocarrier.Option{using(legacy{"k", "$field"}), mongocarrier.WithForm(mongocarrier.FormFlat)}
	stage, ok := mongocarrier.PipelineStage(spanCtx(t, traceparentA), mongocarrier.ModeLastWriter, opts...)
	want := map[string]any{"$set": map[string]any{"k": map[string]any{"$literal": "$field"}}}
	if diff := cmp.Diff(want, stage); diff != "" || !ok {
		t.Error(diff, ok)
	}
	stage, ok = mongocarrier.PipelineStage(spanCtx(t, traceparentA), mongocarrier.ModeBoth, w3c(), mongocarrier.WithForm(mongocarrier.FormProperties))
	literal := map[string]any{"$literal": "traceparent=" + traceparentA + "\n"}
	want = map[string]any{"$set": map[string]any{
		"tracingspancontext":      map[string]any{"$ifNull": []any{"$tracingspancontext", literal}},
		"tracingspancontext_last": literal,
	}}
	if diff := cmp.Diff(want, stage); diff != "" || !ok {
		t.Error(diff, ok)
	}
	if stage, ok := mongocarrier.PipelineStage(t.Context(), mongocarrier.ModeBoth, w3c()); ok || stage != nil {
		t.Errorf("without a span: %v", stage)
	}
	if stage, ok := mongocarrier.PipelineStage(spanCtx(t, traceparentA), 0, w3c()); ok || stage != nil {
		t.Errorf("without a mode: %v", stage)
	}
}

func TestSetFields_CapturedContext(t *testing.T) {
	t.Parallel()
	captured := mongocarrier.WithCaptured(mongocarrier.Capture(spanCtx(t, traceparentA), fullContext))
	_, first := mongocarrier.SetFields(spanCtx(t, traceparentB), mongocarrier.ModeLastWriter, full(), captured)
	_, second := mongocarrier.SetFields(t.Context(), mongocarrier.ModeLastWriter, full(), captured)
	if diff := cmp.Diff(first, second); diff != "" || contextIn(first, "_otel") != traceparentA {
		t.Error(diff, first)
	}
}

// The identity of a document takes no context.
func TestSetFields_IdentityOfADocument(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"_id", "_id.trace"} {
		onInsert, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.ModeLastWriter, w3c(), mongocarrier.WithField(field))
		if onInsert != nil || set != nil {
			t.Errorf("%s: %v, %v", field, onInsert, set)
		}
	}
}

func TestJSONSchemaProperties(t *testing.T) {
	t.Parallel()
	text := map[string]any{"bsonType": "string"}
	keys := map[string]any{"traceparent": text, "tracestate": text}
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"bsonType": "object", "properties": properties}
	}
	for name, c := range map[string]struct {
		opts []mongocarrier.Option
		want map[string]any
	}{
		"default": {nil, map[string]any{"_otel": object(keys)}},
		"nested": {
			[]mongocarrier.Option{mongocarrier.WithField("a.b.c")},
			map[string]any{"a": object(map[string]any{"b": object(map[string]any{"c": object(keys)})})},
		},
		"flat":        {[]mongocarrier.Option{mongocarrier.WithForm(mongocarrier.FormFlat)}, keys},
		"flat nested": {[]mongocarrier.Option{mongocarrier.WithForm(mongocarrier.FormFlat), mongocarrier.WithField("a")}, map[string]any{"a": object(keys)}},
		"properties":  {[]mongocarrier.Option{mongocarrier.WithForm(mongocarrier.FormProperties)}, map[string]any{"tracingspancontext": text}},
	} {
		if diff := cmp.Diff(c.want, mongocarrier.JSONSchemaProperties(append(c.opts, w3c())...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// evaluate returns what an expression of an aggregation pipeline is for a
// document. The second result is false for a missing value.
func evaluate(t *testing.T, doc M, expression any) (any, bool) {
	t.Helper()
	switch e := expression.(type) {
	case string:
		path, isPath := strings.CutPrefix(e, "$")
		if !isPath {
			return e, true
		}
		var value any = doc
		for name := range strings.SplitSeq(path, ".") {
			nested, _ := value.(M)
			found, ok := nested[name]
			if !ok {
				return nil, false
			}
			value = found
		}
		return value, true
	case map[string]any:
		for operator, operand := range e {
			if operator == "$literal" {
				return operand, true
			}
			operands := operand.([]any)
			first, isThere := evaluate(t, doc, operands[0])
			switch operator {
			case "$ifNull":
				if first == nil {
					return evaluate(t, doc, operands[1])
				}
				return first, isThere
			case "$eq":
				second, _ := evaluate(t, doc, operands[1])
				return first == second, true
			case "$cond":
				if first == true {
					return evaluate(t, doc, operands[1])
				}
				return evaluate(t, doc, operands[2])
			}
			t.Fatalf("no operator %s", operator)
		}
	}
	return expression, true
}

// set returns doc after the stage. As on a server, all expressions are evaluated
// for the document before the stage.
func set(t *testing.T, doc M, stage map[string]any) M {
	t.Helper()
	after := maps.Clone(doc)
	for path, expression := range stage["$set"].(map[string]any) {
		value, ok := evaluate(t, doc, expression)
		outer, name, nested := strings.Cut(path, ".")
		target := after
		if nested {
			inner, _ := after[outer].(M)
			target = maps.Clone(inner)
			if target == nil {
				target = M{}
			}
			after[outer] = target
		} else {
			name = outer
		}
		if delete(target, name); ok {
			target[name] = value
		}
	}
	return after
}

// A document has the whole new context after the stage, or the whole old one.
func TestPipelineStage_MixesNoContexts(t *testing.T) {
	t.Parallel()
	ctx := stateCtx(t, traceparentB, "new=1")
	for name, c := range map[string]struct {
		context  D // what the document has in the field.
		replaced bool
	}{
		"no context":                   {nil, true},
		"a traceparent alone":          {D{{"traceparent", traceparentA}}, false},
		"a traceparent and tracestate": {D{{"traceparent", traceparentA}, {"tracestate", "old=1"}}, false},
		"a waybill alone":              {D{{"waybill", waybillA}}, false},
		"fields set to null":           {D{{"traceparent", nil}, {"tracestate", nil}, {"waybill", nil}}, true},
		"a null beside a context":      {D{{"traceparent", traceparentA}, {"tracestate", nil}}, false},
	} {
		for where, opts := range map[string][]mongocarrier.Option{
			"flat":            {full(), mongocarrier.WithForm(mongocarrier.FormFlat)},
			"flat, in a path": {full(), mongocarrier.WithForm(mongocarrier.FormFlat), mongocarrier.WithField("meta")},
			"sub-document":    {full()},
			"path":            {full(), mongocarrier.WithField("meta.trace")},
			"properties":      {full(), mongocarrier.WithForm(mongocarrier.FormProperties)},
		} {
			doc := M{"_id": 1, "meta": M{"source": "shop"}}
			switch old := toM(c.context); {
			case len(c.context) == 0:
			case where == "flat":
				maps.Copy(doc, old)
			case where == "flat, in a path":
				maps.Copy(doc["meta"].(M), old)
			case where == "sub-document":
				doc["_otel"] = old
			case where == "path":
				doc["meta"].(M)["trace"] = old
			default:
				continue
			}
			if name == "fields set to null" && !strings.HasPrefix(where, "flat") {
				continue
			}
			stage, ok := mongocarrier.PipelineStage(ctx, mongocarrier.ModeOnInsert, opts...)
			if !ok {
				t.Fatal("there is no stage")
			}
			before := mongocarrier.ReadM(doc, opts...)
			after := mongocarrier.ReadM(set(t, doc, stage), opts...)
			if !c.replaced {
				if !after.SpanContext().Equal(before.SpanContext()) || after.Waybill() != before.Waybill() {
					t.Errorf("%s, %s: %v and %v became %v and %v", where, name, before.SpanContext(), before.Waybill(), after.SpanContext(), after.Waybill())
				}
				continue
			}
			if traceparent(after) != traceparentB || after.SpanContext().TraceState().String() != "new=1" || after.Waybill().Hops != 1 {
				t.Errorf("%s, %s: the document has %v and %v, want the new context", where, name, after.SpanContext(), after.Waybill())
			}
		}
	}
}

// A document that is updated again has nothing of the context before.
func TestPipelineStage_LastWriter(t *testing.T) {
	t.Parallel()
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		opts := []mongocarrier.Option{full(), mongocarrier.WithForm(form)}
		doc := M{"_id": 1}
		for _, ctx := range []context.Context{stateCtx(t, traceparentA, "old=1"), spanCtx(t, traceparentB)} {
			stage, ok := mongocarrier.PipelineStage(ctx, mongocarrier.ModeLastWriter, opts...)
			if !ok {
				t.Fatal("there is no stage")
			}
			doc = set(t, doc, stage)
		}
		if r := mongocarrier.ReadM(doc, opts...); traceparent(r) != traceparentB || r.SpanContext().TraceState().Len() != 0 {
			t.Errorf("form %d: the document has %s and %q", form, traceparent(r), r.SpanContext().TraceState())
		}
	}
}

// A waybill that goes without a span does not replace a trace context that may
// be in the document.
func TestSetFields_WaybillWithoutASpan(t *testing.T) {
	t.Parallel()
	ctx := sentAgo(t.Context(), time.Minute)
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		inForm := mongocarrier.WithForm(form)
		onInsert, set := mongocarrier.SetFields(ctx, mongocarrier.ModeBoth, full(), inForm)
		if len(onInsert) != 1 || set != nil {
			t.Errorf("form %d: both: got %v and %v, want a waybill on insert", form, onInsert, set)
		}
		if _, set := mongocarrier.SetFields(ctx, mongocarrier.ModeLastWriter, full(), inForm); set != nil {
			t.Errorf("form %d: last writer: got %v, want nothing", form, set)
		}
		replace := full(propagation.WithPolicy(propagation.Replace))
		if _, set := mongocarrier.SetFields(ctx, mongocarrier.ModeLastWriter, replace, inForm); len(set) == 0 {
			t.Errorf("form %d: last writer that replaces: got nothing, want a waybill", form)
		}
	}
}
