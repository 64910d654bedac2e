// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package envcarrier_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// On Windows, names that differ in case are one name; nowhere else.
func TestWindows_FoldsNames(t *testing.T) {
	t.Parallel()
	ctx, opt := spanContext(t), envcarrier.WithPropagation(propagation.WithPropagator(w3c))
	environ := []string{"=C:=C:\\", "Path=C:\\bin", "TraceParent=old", "tracestate=old=1", "BAGGAGE=old=1", "TRACEPARENTS=kept", "XTRACEPARENT=kept", "traceparent"}
	for _, tt := range []struct {
		name string
		got  []string
		want []string
	}{
		{
			name: "Inject on Windows", got: envcarrier.InjectOnWindows(ctx, environ, opt),
			want: []string{"=C:=C:\\", "Path=C:\\bin", "TRACEPARENTS=kept", "XTRACEPARENT=kept", "traceparent", "TRACEPARENT=" + traceparent},
		},
		{
			name: "Inject without a span on Windows", got: envcarrier.InjectOnWindows(t.Context(), environ, opt),
			want: []string{"=C:=C:\\", "Path=C:\\bin", "TRACEPARENTS=kept", "XTRACEPARENT=kept", "traceparent"},
		},
		{
			name: "pass through on Windows", got: envcarrier.InjectOnWindows(t.Context(), []string{"TraceParent=" + traceparent}, opt, envcarrier.WithPassThrough()),
			want: []string{"TraceParent=" + traceparent},
		},
		{
			name: "keep existing on Windows",
			got:  envcarrier.InjectOnWindows(ctx, []string{"TraceParent=" + traceparent}, opt, envcarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting))),
			want: []string{"TraceParent=" + traceparent},
		},
		{
			name: "Set on Windows", got: envcarrier.SetOnWindows([]string{"Key=old", "KEY=older", "OTHER=stays"}, "key", "new"),
			want: []string{"OTHER=stays", "KEY=new"},
		},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	mixed := []string{"TRACEPARENT=" + strings.Replace(traceparent, "0a", "0b", 1), "TraceParent=" + traceparent}
	if got := envcarrier.ReadOnWindows(mixed, opt).SpanContext().TraceID().String(); got != traceparent[3:35] {
		t.Errorf("on Windows, of two spellings it reads %s, want the last, %s", got, traceparent[3:35])
	}
	if envcarrier.HostIsWindows != (runtime.GOOS == "windows") {
		t.Errorf("on %s the rules of Windows apply: %t", runtime.GOOS, envcarrier.HostIsWindows)
	}
	if got := envcarrier.ReadFrom(mixed[1:], opt); got.SpanContext().IsValid() != envcarrier.HostIsWindows {
		t.Errorf("on %s, TraceParent is read: %t", runtime.GOOS, got.SpanContext().IsValid())
	}
}

// Windows starts processes with shorter variables than Linux.
func TestWindows_LongestValue(t *testing.T) {
	t.Parallel()
	const limit = 32<<10 - 2 - len("KEY=")
	for length, want := range map[int]int{limit: 1, limit + 1: 0} {
		if got := envcarrier.SetOnWindows([]string{"key=old"}, "key", strings.Repeat("v", length)); len(got) != want {
			t.Errorf("a value of %d bytes gives %d variables, want %d", length, len(got), want)
		}
	}
}
