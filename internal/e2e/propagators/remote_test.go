// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagators_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/propagators/aws/xray"
	"go.opentelemetry.io/contrib/propagators/b3"
	"go.opentelemetry.io/contrib/propagators/jaeger"
	"go.opentelemetry.io/contrib/propagators/ot"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

const (
	traceID = "5f000000000000004b00000000000001"
	spanID  = "1f00000000000001"
	otherID = "5e000000000000004b00000000000002"
)

// A debug flag is a value that B3 and Jaeger keep in a context beside the span.
func TestRead_KeepsTheDebugFlag(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		carrier    map[string]string
		key, want  string
	}{
		"b3 single": {propagator: b3.New(), carrier: map[string]string{"b3": traceID + "-" + spanID + "-d"}, key: "b3", want: "-d"},
		"b3 multi": {
			propagator: b3.New(b3.WithInjectEncoding(b3.B3MultipleHeader)),
			carrier:    map[string]string{"x-b3-traceid": traceID, "x-b3-spanid": spanID, "x-b3-flags": "1"}, key: "x-b3-flags", want: "1",
		},
		"jaeger":    {propagator: jaeger.Jaeger{}, carrier: map[string]string{"uber-trace-id": traceID + ":" + spanID + ":0:3"}, key: "uber-trace-id", want: ":3"},
		"composite": {propagator: propagation.Compose(propagation.Default(), b3.New()), carrier: map[string]string{"b3": traceID + "-" + spanID + "-d"}, key: "b3", want: "-d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			option := propagation.WithPropagator(tt.propagator)
			remote := propagation.ReadTextMap(carriers.Map(tt.carrier), option)
			started, span := propagation.Start(t.Context(), nil, "process", []propagation.Remote{remote})
			span.End()
			for kind, ctx := range map[string]context.Context{"Context": remote.Context(t.Context()), "Start": started} {
				if got := propagation.Map(ctx, option)[tt.key]; !strings.HasSuffix(got, tt.want) {
					t.Errorf("%s: %s is %q, want it to end in %q", kind, tt.key, got, tt.want)
				}
			}
			untrusted, span := propagation.Start(t.Context(), nil, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
			span.End()
			if got := propagation.Map(untrusted, option)[tt.key]; strings.HasSuffix(got, tt.want) {
				t.Errorf("untrusted: %s is %q", tt.key, got)
			}
		})
	}
}

// headers is a list of which the order is that of writing.
type headers []header

type header struct{ key, value string }

func (h headers) Get(key string) string {
	if i := h.Index(key); i >= 0 {
		return h[i].value
	}
	return ""
}

func (h headers) Index(key string) int {
	for i, p := range slices.Backward(h) {
		if strings.EqualFold(p.key, key) {
			return i
		}
	}
	return -1
}

func (h headers) Set(string, string) {}

func (h headers) Keys() []string {
	var keys []string
	for _, p := range h {
		keys = append(keys, p.key)
	}
	return keys
}

func (h headers) All() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, p := range h {
			if !yield(p.key, p.value) {
				return
			}
		}
	}
}

func TestRead_TheNewestOfRealFormatsWins(t *testing.T) {
	t.Parallel()
	old := headers{{"X-B3-TraceId", otherID}, {"X-B3-SpanId", spanID}, {"X-B3-Sampled", "1"}}
	traceparent := header{"traceparent", "00-" + traceID + "-" + spanID + "-01"}
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		headers    headers
		want       string
		conflict   bool
	}{
		"a stale B3 first":     {propagator: propagation.Compose(propagation.Default(), b3.New()), headers: append(slices.Clone(old), traceparent), want: traceID, conflict: true},
		"B3 is the newer":      {propagator: propagation.Compose(propagation.Default(), b3.New()), headers: append(headers{traceparent}, old...), want: otherID, conflict: true},
		"B3 listed first":      {propagator: propagation.Compose(b3.New(), propagation.Default()), headers: append(slices.Clone(old), traceparent), want: traceID, conflict: true},
		"B3 alone":             {propagator: propagation.Compose(propagation.Default(), b3.New()), headers: old, want: otherID},
		"a stale X-Ray":        {propagator: propagation.Compose(propagation.Default(), xray.Propagator{}), headers: headers{{"X-Amzn-Trace-Id", "Root=1-5e000000-000000004b00000000000002;Parent=1f00000000000001;Sampled=1"}, traceparent}, want: traceID, conflict: true},
		"a stale Jaeger":       {propagator: propagation.Compose(propagation.Default(), jaeger.Jaeger{}), headers: headers{{"uber-trace-id", otherID + ":" + spanID + ":0:1"}, traceparent}, want: traceID, conflict: true},
		"a stale OpenTracing":  {propagator: propagation.Compose(propagation.Default(), ot.OT{}), headers: headers{{"ot-tracer-traceid", otherID[16:]}, {"ot-tracer-spanid", spanID}, {"ot-tracer-sampled", "true"}, traceparent}, want: traceID, conflict: true},
		"B3 of the same trace": {propagator: propagation.Compose(propagation.Default(), b3.New()), headers: headers{traceparent, {"b3", traceID + "-" + spanID + "-1"}}, want: traceID},
	} {
		option := propagation.WithPropagator(tt.propagator)
		remote := propagation.ReadTextMap(tt.headers, option)
		extracted := trace.SpanContextFromContext(propagation.ExtractTextMap(t.Context(), tt.headers, option))
		if got := remote.SpanContext().TraceID().String(); got != tt.want || remote.Conflict() != tt.conflict || extracted.TraceID().String() != tt.want {
			t.Errorf("%s: read %s (conflict %t), extracted %s, want %s (conflict %t)", name, got, remote.Conflict(), extracted.TraceID(), tt.want, tt.conflict)
		}
	}
}

func TestEncode_WithoutASpanWritesNoHalfContext(t *testing.T) {
	t.Parallel()
	b, err := baggage.Parse("user=alice")
	if err != nil {
		t.Fatal(err)
	}
	ctx := baggage.ContextWithBaggage(t.Context(), b)
	for format, propagator := range formats {
		for key := range propagation.Encode(ctx, propagation.WithPropagator(propagator)).All() {
			if key != "baggage" {
				t.Errorf("%s: %s is written without a span", format, key)
			}
		}
	}
}

// BenchmarkGrowth reads more and more of OpenTracing's baggage, as a hostile
// sender would write it.
func BenchmarkGrowth(b *testing.B) {
	option := propagation.WithPropagator(ot.OT{})
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20, 4 << 20} {
		h := headers{{"ot-tracer-traceid", otherID[16:]}, {"ot-tracer-spanid", spanID}, {"ot-tracer-sampled", "true"}}
		for i := range size / len("ot-baggage-12345") {
			h = append(h, header{key: fmt.Sprintf("ot-baggage-%d", i), value: "1"})
		}
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			for b.Loop() {
				propagation.ReadTextMap(h, option)
			}
		})
	}
}
