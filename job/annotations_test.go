// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
)

// annotation is a line of a file of annotations with traceParent.
const annotation = "tracing.k8s.io/traceparent=\"" + traceParent + "\"\n"

func TestParseAnnotations(t *testing.T) {
	t.Parallel()
	const prefix, valid = "tracing.k8s.io", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, tt := range []struct {
		name    string
		content string
		state   string
		isValid bool
	}{
		{name: "empty"},
		{name: "whole", content: "a=\"b\"\ntracing.k8s.io/traceparent=\"" + valid + "\"\ntracing.k8s.io/tracestate=\"a=b\"\n", isValid: true, state: "a=b"},
		{name: "escapes", content: "tracing.k8s.io/traceparent=\"\\x30" + valid[1:] + "\"", isValid: true},
		{name: "Windows lines", content: "tracing.k8s.io/traceparent=\"" + valid + "\"\r\n", isValid: true},
		{name: "in the value of another", content: "x=\"\\ntracing.k8s.io/traceparent=\\\"" + valid + "\\\"\"\n"},
		{name: "of another prefix", content: "example.com/traceparent=\"" + valid + "\"\n"},
		{name: "not quoted", content: "tracing.k8s.io/traceparent=" + valid + "\n"},
		{name: "cut", content: "tracing.k8s.io/traceparent=\"" + valid + "\n"},
		{name: "long line before", content: "a=\"" + strings.Repeat("x", 1<<19) + "\"\ntracing.k8s.io/traceparent=\"" + valid + "\"\n", isValid: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := job.ParseAnnotations(tt.content, prefix).SpanContext()
			if got.IsValid() != tt.isValid || got.TraceState().String() != tt.state {
				t.Errorf("got %v, want valid: %t, with state %q", got, tt.isValid, tt.state)
			}
		})
	}
}

func FuzzParseAnnotations(f *testing.F) {
	f.Add("tracing.k8s.io/traceparent=\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\"\n")
	f.Add("a=\"\\n\"\n=\n\x00=\"")
	f.Fuzz(func(t *testing.T, content string) {
		got := job.ParseAnnotations(content, "tracing.k8s.io")
		if got.SpanContext().IsValid() && !strings.Contains(content, "tracing.k8s.io/") {
			t.Errorf("%q has the context %v", content, got.SpanContext())
		}
	})
}

// renamed is Trace Context under a key of its own.
type renamed struct{ propagation.TraceContext }

func (p renamed) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	return p.TraceContext.Extract(ctx, envcarrier.Map{"TRACEPARENT": c.Get("X-Parent")})
}
func (renamed) Fields() []string { return []string{"X-Parent"} }

// Annotations have the keys of whatever propagator is used.
func TestRead_AnnotationsOfAnotherPropagator(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "annotations")
	if err := os.WriteFile(file, []byte("tracing.k8s.io/X-Parent=\""+traceParent+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := []job.ReadOption{job.WithEnviron([]string{}), job.WithArgs(nil), job.WithAnnotations(file, "")}
	if remote := job.Read(opts...); remote.SpanContext().IsValid() {
		t.Errorf("Read = %v by the default propagator", remote.SpanContext())
	}
	opts = append(opts, job.WithPropagation(propagation.WithPropagator(renamed{})))
	if got := job.Read(opts...).SpanContext().TraceID().String(); got != traceParent[3:35] {
		t.Errorf("Read = %s, want %s", got, traceParent[3:35])
	}
}
