// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

func subDocument(tp string, more ...E) D { return append(D{{"traceparent", tp}}, more...) }

// updateEvent returns an update event with the parts that are not nil.
func updateEvent(updated, full, before D) D {
	event := D{{"_id", D{{"_data", "82"}}}, {"operationType", "update"}}
	if full != nil {
		event = append(event, E{"fullDocument", full})
	}
	event = append(event, E{"documentKey", D{{"_id", 1}}}, E{"updateDescription", D{{"updatedFields", updated}, {"removedFields", []any{}}}})
	if before != nil {
		event = append(event, E{"fullDocumentBeforeChange", before})
	}
	return event
}

func TestReadChangeEvent(t *testing.T) {
	t.Parallel()
	with := func(tp string, more ...E) D { return D{{"_id", 1}, {"_otel", subDocument(tp, more...)}} }
	for name, c := range map[string]struct {
		event      D
		want       string
		tracestate string
		source     mongocarrier.ContextSource
	}{
		"insert": {
			event: D{{"operationType", "insert"}, {"fullDocument", with(traceparentA)}},
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"replace": {
			event: D{{"operationType", "replace"}, {"fullDocument", with(traceparentA)}},
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"replace of another context": {
			event: D{{"operationType", "replace"}, {"fullDocument", with(traceparentA)}, {"fullDocumentBeforeChange", with(traceparentB)}},
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"replace that kept the context": {
			event: D{{"operationType", "replace"}, {"fullDocument", with(traceparentA)}, {"fullDocumentBeforeChange", with(traceparentA)}},
			want:  traceparentA, source: mongocarrier.ContextSourceCreation,
		},
		"replace that kept the context in another form": {
			event: D{
				{"operationType", "replace"},
				{"fullDocument", with(traceparentA)},
				{"fullDocumentBeforeChange", D{{"_id", 1}, {"_otel", "traceparent=" + traceparentA}}},
			},
			want: traceparentA, source: mongocarrier.ContextSourceCreation,
		},
		"replace in the same span, sent again": {
			event: D{
				{"operationType", "replace"},
				{"fullDocument", with(traceparentA, E{"waybill", waybillA})},
				{"fullDocumentBeforeChange", with(traceparentA)},
			},
			want: traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"replace of a document without a context": {
			event: D{{"operationType", "replace"}, {"fullDocument", with(traceparentA)}, {"fullDocumentBeforeChange", D{{"_id", 1}}}},
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"replace, both without a context": {
			event: D{{"operationType", "replace"}, {"fullDocument", D{{"_id", 1}}}, {"fullDocumentBeforeChange", D{{"_id", 1}}}},
		},
		"insert without a context": {event: D{{"operationType", "insert"}, {"fullDocument", D{{"_id", 1}}}}},
		"replace that lost it": {
			event: D{{"operationType", "replace"}, {"fullDocument", D{{"_id", 1}}}, {"fullDocumentBeforeChange", with(traceparentA)}},
		},
		"update, whole": {
			event: updateEvent(D{{"n", 1}, {"_otel", subDocument(traceparentA, E{"tracestate", "v=1"})}}, with(traceparentB), nil),
			want:  traceparentA, tracestate: "v=1", source: mongocarrier.ContextSourceWritten,
		},
		"update, whole, without the full document": {
			event: updateEvent(D{{"_otel", subDocument(traceparentA)}}, nil, nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update in parts": {
			event: updateEvent(D{{"_otel.traceparent", traceparentA}}, nil, nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update in parts, completed": {
			event: updateEvent(D{{"_otel.traceparent", traceparentA}}, with(traceparentA, E{"tracestate", "v=1"}), nil),
			want:  traceparentA, tracestate: "v=1", source: mongocarrier.ContextSourceWritten,
		},
		"update in parts, the document is newer": {
			event: updateEvent(D{{"_otel.traceparent", traceparentA}}, with(traceparentB, E{"tracestate", "v=1"}), nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update of a part that stayed in one context": {
			event: updateEvent(D{{"_otel.waybill", waybillA}}, with(traceparentA, E{"waybill", waybillA}), nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update that did not touch it": {
			event: updateEvent(D{{"n", 1}}, with(traceparentA), with(traceparentB)),
			want:  traceparentA, source: mongocarrier.ContextSourceCreation,
		},
		"update of a field of a like name": {
			event: updateEvent(D{{"_otelx", subDocument(traceparentB)}, {"_otel_next", subDocument(traceparentB)}}, with(traceparentA), nil),
			want:  traceparentA, source: mongocarrier.ContextSourceCreation,
		},
		"update, the document is gone": {
			event: append(updateEvent(D{{"n", 1}}, nil, with(traceparentA)), E{"fullDocument", nil}),
			want:  traceparentA, source: mongocarrier.ContextSourcePreImage,
		},
		"update, the last writer": {
			event: updateEvent(D{{"n", 1}, {"_otel_last", subDocument(traceparentA)}}, with(traceparentB), nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update, the last writer of two": {
			event: updateEvent(D{{"_otel", subDocument(traceparentB)}, {"_otel_last", subDocument(traceparentA)}}, nil, nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update, the last writer is garbage": {
			event: updateEvent(D{{"_otel", subDocument(traceparentA)}, {"_otel_last", 7}}, nil, nil),
			want:  traceparentA, source: mongocarrier.ContextSourceWritten,
		},
		"update with nothing": {event: updateEvent(D{{"n", 1}}, nil, nil)},
		"update that wrote garbage": {
			event: updateEvent(D{{"_otel", 7}}, with(traceparentA), nil),
			want:  traceparentA, source: mongocarrier.ContextSourceCreation,
		},
		"delete": {
			event: D{{"operationType", "delete"}, {"fullDocumentBeforeChange", with(traceparentA)}},
			want:  traceparentA, source: mongocarrier.ContextSourcePreImage,
		},
		"delete without a pre-image": {event: D{{"operationType", "delete"}, {"documentKey", D{{"_id", 1}}}}},
		"drop":                       {event: D{{"operationType", "drop"}, {"fullDocument", with(traceparentA)}}},
		"rename":                     {event: D{{"operationType", "rename"}, {"fullDocument", with(traceparentA)}}},
		"invalidate":                 {event: D{{"operationType", "invalidate"}}},
		"no type":                    {event: D{{"fullDocument", with(traceparentA)}}},
		"a type that is no text":     {event: D{{"operationType", 7}, {"fullDocument", with(traceparentA)}}},
		"empty":                      {event: D{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			remote, source := mongocarrier.ReadChangeEvent(encode(t, c.event), full())
			if got := traceparent(remote); got != c.want || source != c.source || remote.SpanContext().TraceState().String() != c.tracestate {
				t.Errorf("%s, %q, %v; want %s, %q, %v", got, remote.SpanContext().TraceState(), source, c.want, c.tracestate, c.source)
			}
		})
	}
	for _, bad := range []Raw{nil, {}, {1, 2, 3}, encode(t, D{{"operationType", "insert"}})[:12]} {
		if remote, source := mongocarrier.ReadChangeEvent(bad, full()); remote.Err() == nil || source != mongocarrier.ContextSourceNone {
			t.Errorf("%q: %v", bad, source)
		}
	}
}

func TestReadChangeEvent_OtherFieldsAndForms(t *testing.T) {
	t.Parallel()
	nested := mongocarrier.WithField("meta.trace")
	flat := mongocarrier.WithForm(mongocarrier.FormFlat)
	outbox := mongocarrier.WithForm(mongocarrier.FormProperties)
	for name, c := range map[string]struct {
		updated D
		opts    []mongocarrier.Option
	}{
		"dotted path":       {D{{"meta.trace", subDocument(traceparentA)}}, []mongocarrier.Option{nested}},
		"parts of a path":   {D{{"meta.trace.traceparent", traceparentA}}, []mongocarrier.Option{nested}},
		"the outer field":   {D{{"meta", D{{"trace", subDocument(traceparentA)}}}}, []mongocarrier.Option{nested}},
		"flat":              {D{{"n", 1}, {"traceparent", traceparentA}, {"tracestate", nil}}, []mongocarrier.Option{flat}},
		"flat in a field":   {D{{"meta.traceparent", traceparentA}}, []mongocarrier.Option{flat, mongocarrier.WithField("meta")}},
		"flat, outer field": {D{{"meta", subDocument(traceparentA)}}, []mongocarrier.Option{flat, mongocarrier.WithField("meta")}},
		"outbox":            {D{{"tracingspancontext", "traceparent=" + traceparentA}}, []mongocarrier.Option{outbox}},
	} {
		remote, source := mongocarrier.ReadChangeEvent(encode(t, updateEvent(c.updated, nil, nil)), append(c.opts, w3c())...)
		if traceparent(remote) != traceparentA || source != mongocarrier.ContextSourceWritten {
			t.Errorf("%s: %q, %v", name, traceparent(remote), source)
		}
	}
}

// A flat context is among fields that an update changes without it.
func TestReadChangeEvent_UpdateBesideAFlatContext(t *testing.T) {
	t.Parallel()
	for field, c := range map[string]struct{ updated, full D }{
		"":     {D{{"n", 1}}, D{{"n", 1}, {"traceparent", traceparentA}}},
		"meta": {D{{"meta.n", 1}}, D{{"meta", D{{"n", 1}, {"traceparent", traceparentA}}}}},
	} {
		remote, source := mongocarrier.ReadChangeEvent(encode(t, updateEvent(c.updated, c.full, nil)),
			w3c(), mongocarrier.WithForm(mongocarrier.FormFlat), mongocarrier.WithField(field))
		if traceparent(remote) != traceparentA || source != mongocarrier.ContextSourceCreation {
			t.Errorf("%q: %q, %v", field, traceparent(remote), source)
		}
	}
}

func TestIsOnlyContext(t *testing.T) {
	t.Parallel()
	event := func(updated D, removed ...any) D {
		if removed == nil {
			removed = []any{}
		}
		return D{{"operationType", "update"}, {"updateDescription", D{{"updatedFields", updated}, {"removedFields", removed}}}}
	}
	flat := mongocarrier.WithForm(mongocarrier.FormFlat)
	for name, c := range map[string]struct {
		event D
		opts  []mongocarrier.Option
		want  bool
	}{
		"whole":               {event: event(D{{"_otel", subDocument(traceparentA)}}), want: true},
		"in parts":            {event: event(D{{"_otel.traceparent", traceparentA}, {"_otel.waybill", waybillA}}), want: true},
		"the last writer":     {event: event(D{{"_otel_last", subDocument(traceparentA)}}), want: true},
		"its removal":         {event: event(D{}, "_otel"), want: true},
		"a part removed":      {event: event(D{{"_otel.traceparent", traceparentA}}, "_otel.tracestate"), want: true},
		"with work":           {event: event(D{{"_otel", subDocument(traceparentA)}, {"n", 1}})},
		"with a removal":      {event: event(D{{"_otel", subDocument(traceparentA)}}, "n")},
		"a like name":         {event: event(D{{"_otel2", 1}})},
		"nothing":             {event: event(D{})},
		"an insert":           {event: D{{"operationType", "insert"}, {"fullDocument", D{{"_otel", D{}}}}}},
		"flat":                {event: event(D{{"traceparent", traceparentA}, {"waybill", waybillA}}), opts: []mongocarrier.Option{flat}, want: true},
		"flat with work":      {event: event(D{{"traceparent", traceparentA}, {"n", 1}}), opts: []mongocarrier.Option{flat}},
		"flat in a field":     {event: event(D{{"a.traceparent", traceparentA}}), opts: []mongocarrier.Option{flat, mongocarrier.WithField("a")}, want: true},
		"flat, another field": {event: event(D{{"traceparent", traceparentA}}), opts: []mongocarrier.Option{flat, mongocarrier.WithField("a")}},
	} {
		if got := mongocarrier.IsOnlyContext(encode(t, c.event), append(c.opts, full())...); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if mongocarrier.IsOnlyContext(Raw(nil)) {
		t.Error("nothing is an update")
	}
}

func TestContextSource_String(t *testing.T) {
	t.Parallel()
	got := []string{}
	for o := mongocarrier.ContextSourceNone; o <= mongocarrier.ContextSourcePreImage+1; o++ {
		got = append(got, o.String())
	}
	if diff := cmp.Diff([]string{"none", "written", "creation", "pre_image", "none"}, got); diff != "" {
		t.Error(diff)
	}
}

// stream is a cursor over documents in memory, which it hands out in one
// buffer, as a driver's cursor may.
type stream struct {
	docs    []Raw
	Current Raw
}

func (s *stream) Next(ctx context.Context) bool {
	if ctx.Err() != nil || len(s.docs) == 0 {
		return false
	}
	s.Current = append(s.Current[:0], s.docs[0]...)
	s.docs = s.docs[1:]
	return true
}

func (s *stream) current() Raw { return s.Current }

func TestDocuments(t *testing.T) {
	t.Parallel()
	s := &stream{}
	for _, tp := range []string{traceparentA, "", traceparentB} {
		doc := encode(t, order())
		if tp != "" {
			doc, _ = mongocarrier.InjectRaw(spanCtx(t, tp), doc, full())
		}
		s.docs = append(s.docs, doc)
	}
	var got []string
	for ctx, doc := range mongocarrier.Documents(t.Context(), s, s.current, full()) {
		mustDecode(t, doc)
		got = append(got, traceparentOf(ctx))
		if len(got) == 2 {
			break
		}
	}
	if diff := cmp.Diff([]string{traceparentA, ""}, got); diff != "" {
		t.Error(diff)
	}
	for ctx := range mongocarrier.Documents(t.Context(), s, s.current, full()) {
		got = append(got, traceparentOf(ctx))
	}
	if diff := cmp.Diff([]string{traceparentA, "", traceparentB}, got); diff != "" {
		t.Errorf("gone on: %s", diff)
	}
	for range mongocarrier.Documents[Raw](t.Context(), nil, nil) {
		t.Error("a nil stream has a document")
	}
	for range mongocarrier.ChangeEvents[Raw](t.Context(), &stream{docs: []Raw{{}}}, nil) {
		t.Error("without current there is a document")
	}
}

func TestChangeEvents_ContinueWhatTheChangeWrote(t *testing.T) {
	t.Parallel()
	ambient := spanCtx(t, traceparentB)
	s := &stream{docs: []Raw{
		encode(t, D{{"operationType", "insert"}, {"fullDocument", D{{"_otel", subDocument(traceparentA)}}}}),
		encode(t, updateEvent(D{{"n", 1}}, D{{"_otel", subDocument(traceparentA)}}, nil)),
	}}
	var got []string
	for ctx := range mongocarrier.ChangeEvents(ambient, s, s.current, full()) {
		got = append(got, traceparentOf(ctx))
	}
	if diff := cmp.Diff([]string{traceparentA, traceparentB}, got); diff != "" {
		t.Error(diff)
	}
}

// traceparentOf returns the span context of ctx as text, or "".
func traceparentOf(ctx context.Context) string {
	return traceparent(mongocarrier.Capture(ctx, w3cContext).Remote(w3cContext))
}
