// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// The outbox connector of Debezium reads the field.
func TestFormProperties_WrittenForDebezium(t *testing.T) {
	t.Parallel()
	outbox := mongocarrier.WithForm(mongocarrier.FormProperties)
	eachShape(t, func(t *testing.T, s shape) {
		got := plain(t, s.inject(t, stateCtx(t, traceparentA, "vendor=1"), s.make(t, order()), w3c(), outbox))
		want := "traceparent=" + traceparentA + "\ntracestate=vendor=1\n"
		if diff := cmp.Diff(any(want), at(got, "tracingspancontext")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFormProperties_EscapesWhatJavaEscapes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, value, want string }{
		{"k", "plain", "k=plain\n"},
		{"k", " leading", "k=\\ leading\n"},
		{"k", "in the middle", "k=in the middle\n"},
		{"k", `back\slash`, `k=back\\slash` + "\n"},
		{"k", "two\nlines\r\tand\f", `k=two\nlines\r\tand\f` + "\n"},
		{"a b", "v", `a\ b=v` + "\n"},
		{"#!:=", "#!:=", `\#\!\:\==#!:=` + "\n"},
		{"", "v", "=v\n"},
		{"k.é", "ü", `k.\u00e9=\u00fc` + "\n"},
	} {
		p := using(legacy{c.key, c.value})
		doc := mongocarrier.InjectM(spanCtx(t, traceparentA), M{}, p, mongocarrier.WithForm(mongocarrier.FormProperties))
		if diff := cmp.Diff(any(c.want), doc["tracingspancontext"]); diff != "" {
			t.Errorf("%q=%q: %s", c.key, c.value, diff)
		}
		if err := mongocarrier.ReadM(doc, p, mongocarrier.WithForm(mongocarrier.FormProperties)).Err(); err != nil {
			t.Errorf("%q=%q: %v", c.key, c.value, err)
		}
	}
}

// The texts are those of java.util.Properties.store, and others that load takes.
func TestFormProperties_ReadsWhatJavaWrites(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"store":               "#Tue May 14 10:00:00 UTC 2024\ntracestate=vendor\\=1\ntraceparent=" + traceparentA + "\n",
		"comments":            "! one\n#two\\\n   # three\ntraceparent=" + traceparentA + "\ntracestate=vendor=1",
		"crlf":                "traceparent=" + traceparentA + "\r\ntracestate=vendor=1\r\n",
		"cr":                  "traceparent=" + traceparentA + "\rtracestate=vendor=1",
		"colons":              "traceparent : " + traceparentA + "\ntracestate:vendor=1",
		"spaces":              "  traceparent   " + traceparentA + "\n\ttracestate\tvendor=1",
		"continued":           "traceparent=" + traceparentA[:20] + "\\\n      " + traceparentA[20:] + "\ntrace\\\nstate=vendor=1",
		"unicode":             "\\u0074raceparent=" + traceparentA + "\ntracestate=vendor\\u003d1",
		"the last one counts": "traceparent=x\ntraceparent=" + traceparentA + "\ntracestate=vendor=1",
		"empty lines":         "\n\n\ntraceparent=" + traceparentA + "\n\ntracestate=vendor=1\n\n",
	} {
		doc := M{"tracingspancontext": text}
		r := mongocarrier.ReadM(doc, w3c(), mongocarrier.WithForm(mongocarrier.FormProperties))
		if traceparent(r) != traceparentA || r.SpanContext().TraceState().Get("vendor") != "1" {
			t.Errorf("%s: %s, %q", name, traceparent(r), r.SpanContext().TraceState())
		}
	}
	for _, text := range []string{"=", "\\", "\\\n", "a\\", "\\u", "\\u12", "\\uzzzz=1", "k\\", "k=\\", ":", "#", "\\ud83d\\ude00=1", "\\ud83dx=1", strings.Repeat("\\", 99)} {
		if r := mongocarrier.ReadM(M{"tracingspancontext": text}, w3c(), mongocarrier.WithForm(mongocarrier.FormProperties)); r.Err() == nil {
			t.Errorf("%q holds %s", text, traceparent(r))
		}
	}
	astral := M{"_otel": `\ud83d\ude00=1`}
	if err := mongocarrier.ReadM(astral, using(legacy{"\U0001F600", "1"})).Err(); err != nil {
		t.Error(err)
	}
}
