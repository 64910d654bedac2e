// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job_test

import (
	"strings"
	"testing"

	"github.com/waybill-go/waybill/job"
)

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
