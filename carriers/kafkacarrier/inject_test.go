// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

func TestExtract_MessageWithoutHeadersHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []*kafkacarrier.Carrier{kafkacarrier.New(nil), kafkacarrier.New(new(kafka.Message)), nil, {}} {
		if got := c.Get("traceparent"); got != "" {
			t.Errorf("Get is %q", got)
		}
		if got := c.Keys(); len(got) != 0 {
			t.Errorf("Keys is %q", got)
		}
		c.Delete("traceparent")
	}
	kafkacarrier.New(nil).Set("a", "b")
	kafkacarrier.Inject(t.Context(), nil)
	kafkacarrier.Inject(nil, new(kafka.Message)) //nolint:staticcheck // a nil ctx must not panic.
	if ctx := kafkacarrier.Extract(t.Context(), kafka.Message{}, w3c()); ctx != t.Context() {
		t.Error("Extract made a new ctx of nothing")
	}
	var msg kafka.Message
	kafkacarrier.Inject(bareContext(t, traceparentA), &msg, w3c())
	if got := keys(msg.Headers); !cmp.Equal(got, []string{"traceparent", "waybill"}) {
		t.Errorf("headers are %q", got)
	}
}

func TestExtract_TakesTheNewestValue(t *testing.T) {
	t.Parallel()
	null := kafka.Header{Key: "traceparent"}
	empty := kafka.Header{Key: "traceparent", Value: []byte{}}
	tests := map[string]struct {
		headers []kafka.Header
		want    string
	}{
		"one":                    {[]kafka.Header{header("traceparent", traceparentA)}, traceA},
		"last of two":            {[]kafka.Header{header("traceparent", traceparentA), header("traceparent", traceparentB)}, traceB},
		"null before":            {[]kafka.Header{null, header("traceparent", traceparentA)}, traceA},
		"null after":             {[]kafka.Header{header("traceparent", traceparentA), null}, traceA},
		"empty after":            {[]kafka.Header{header("traceparent", traceparentA), empty}, traceA},
		"only null":              {[]kafka.Header{null, empty}, ""},
		"title case":             {[]kafka.Header{header("Traceparent", traceparentA)}, traceA},
		"upper case":             {[]kafka.Header{header("TRACEPARENT", traceparentA)}, traceA},
		"exact before folded":    {[]kafka.Header{header("traceparent", traceparentA), header("Traceparent", traceparentB)}, traceA},
		"last of folded":         {[]kafka.Header{header("TraceParent", traceparentA), header("Traceparent", traceparentB)}, traceB},
		"empty exact and folded": {[]kafka.Header{header("Traceparent", traceparentA), empty}, traceA},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg := withHeaders(tt.headers...)
			if got := traceID(kafkacarrier.Extract(t.Context(), msg, w3c())); got != tt.want {
				t.Errorf("Extract gives trace %q, want %q", got, tt.want)
			}
			sc := propagation.ReadTextMap(kafkacarrier.New(&msg), propagation.WithPropagator(propagation.Default())).SpanContext()
			if got := sc.IsValid(); got != (tt.want != "") || got && sc.TraceID().String() != tt.want {
				t.Errorf("the carrier gives trace %v, want %q", sc.TraceID(), tt.want)
			}
		})
	}
}

func TestExtract_BaggageOfSeveralHeadersIsMerged(t *testing.T) {
	t.Parallel()
	msg := withHeaders(header("baggage", "user=alice"), header("traceparent", traceparentA), header("baggage", "tier=gold"))
	b := baggage.FromContext(kafkacarrier.Extract(t.Context(), msg, w3c()))
	if b.Member("user").Value() != "alice" || b.Member("tier").Value() != "gold" {
		t.Errorf("baggage is %q", b)
	}
}

func TestInject_LeavesExactlyOneContext(t *testing.T) {
	t.Parallel()
	stale := [][]kafka.Header{
		{header("traceparent", traceparentA)},
		{header("traceparent", traceparentA), header("traceparent", traceparentA)},
		{header("Traceparent", traceparentA), header("TRACEPARENT", traceparentA)},
		{header("tracestate", "old=1"), header("baggage", "user=bob"), header("Baggage", "user=eve"), header("waybill", "junk")},
		{header("b3", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"), header("X-B3-TraceId", traceA), header("x-b3-sampled", "1")},
		{header("uber-trace-id", "1"), header("uberctx-user", "bob"), header("X-Amzn-Trace-Id", "Root=1"), header("x-datadog-trace-id", "1")},
	}
	for _, headers := range stale {
		t.Run(headers[0].Key, func(t *testing.T) {
			t.Parallel()
			msg := withHeaders(append([]kafka.Header{header("app", "1")}, headers...)...)
			kafkacarrier.Inject(bareContext(t, traceparentB), &msg, w3c())
			if got := keys(msg.Headers); !cmp.Equal(got, []string{"app", "traceparent", "waybill"}) {
				t.Errorf("headers are %q", got)
			}
			if got := values(msg.Headers, "traceparent"); !cmp.Equal(got, []string{traceparentB}) {
				t.Errorf("traceparent is %q", got)
			}
		})
	}
}

func TestCarrier_KeepsCase(t *testing.T) {
	t.Parallel()
	msg := withHeaders(header("traceParent", "old"), header("TRACEPARENT", "older"))
	kafkacarrier.New(&msg).Set("Traceparent", "new")
	if diff := cmp.Diff([]kafka.Header{header("Traceparent", "new")}, msg.Headers); diff != "" {
		t.Error(diff)
	}
}

func TestInject_MessagesThatShareHeadersStayIndependent(t *testing.T) {
	t.Parallel()
	shared := append(make([]kafka.Header, 0, 16), header("app", "1"), header("traceparent", traceparentA))
	before := append([]kafka.Header(nil), shared[:cap(shared)]...)
	msgs := []kafka.Message{withHeaders(shared...), withHeaders(shared...)}
	msgs[0].Headers, msgs[1].Headers = shared, shared

	var wg sync.WaitGroup
	for i, traceparent := range []string{traceparentA, traceparentB} {
		ctx := bareContext(t, traceparent)
		wg.Go(func() {
			kafkacarrier.Inject(ctx, &msgs[i], w3c())
			kafkacarrier.New(&msgs[i]).Set("extra", traceparent)
		})
	}
	wg.Wait()
	for i, traceparent := range []string{traceparentA, traceparentB} {
		if got := values(msgs[i].Headers, "traceparent"); !cmp.Equal(got, []string{traceparent}) {
			t.Errorf("message %d has traceparent %q", i, got)
		}
	}
	if diff := cmp.Diff(before, shared[:cap(shared)]); diff != "" {
		t.Errorf("the shared slice changed: %s", diff)
	}
}

func TestInject_AppendToAnInjectedMessageDoesNotReachItsNeighbour(t *testing.T) {
	t.Parallel()
	msgs := make([]kafka.Message, 3)
	kafkacarrier.InjectAll(bareContext(t, traceparentA), msgs, w3c())
	msgs[0].Headers = append(msgs[0].Headers, header("app", "1"))
	for i := range msgs {
		if got := values(msgs[i].Headers, "traceparent"); !cmp.Equal(got, []string{traceparentA}) {
			t.Errorf("message %d has traceparent %q", i, got)
		}
	}
}

func TestExtract_MalformedContextCountsAsAbsent(t *testing.T) {
	t.Parallel()
	for _, bad := range malformed() {
		msg := withHeaders(header("traceparent", bad), header("baggage", "user=alice"))
		ctx := kafkacarrier.Extract(t.Context(), msg, w3c())
		if traceID(ctx) != "" {
			t.Errorf("%.80q gave a context", bad)
		}
	}
}

func malformed() []string {
	return []string{
		"00", traceparentA[:54], traceparentA + "0", strings.ToUpper(traceparentA), " " + traceparentA, traceparentA + " ",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"ff" + traceparentA[2:], "\xff\xfe" + traceparentA[2:], strings.Repeat("a", 1<<20),
	}
}

func TestInject_OtherHeadersKeepTheirOrderAndBytes(t *testing.T) {
	t.Parallel()
	before := []kafka.Header{
		header("z", "1"),
		{Key: "null"},
		{Key: "empty", Value: []byte{}},
		header("traceparent", traceparentA),
		header("z", "2"), header("Z", "\xff\x00"), header("x-b", "keep"), header("tracing", "keep"), header("", "no key"),
	}
	msg := withHeaders(before...)
	kafkacarrier.Inject(bareContext(t, traceparentB), &msg, w3c())
	want := append(append([]kafka.Header(nil), before[:3]...), before[4:]...)
	if diff := cmp.Diff(want, msg.Headers[:len(want)]); diff != "" {
		t.Error(diff)
	}
}

func TestInject_BaggageTravelsOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opts []propagation.Option
		want []string
	}{
		"by default":  {nil, nil},
		"by key":      {[]propagation.Option{propagation.WithBaggage("tier")}, []string{"tier=gold"}},
		"without":     {[]propagation.Option{propagation.WithBaggage("tier"), propagation.WithoutBaggage()}, nil},
		"over budget": {[]propagation.Option{propagation.WithBaggage("tier", "user"), propagation.WithMaxBytes(150)}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var msg kafka.Message
			kafkacarrier.Inject(remoteContext(t, traceparentA), &msg, append(tt.opts, w3c(), nil)...)
			if got := values(msg.Headers, "baggage"); !cmp.Equal(got, tt.want) {
				t.Errorf("baggage is %q, want %q", got, tt.want)
			}
			if got := values(msg.Headers, "traceparent"); len(got) != 1 {
				t.Errorf("traceparent is %q", got)
			}
		})
	}
}

func TestExtract_BaggageCanBeIgnored(t *testing.T) {
	t.Parallel()
	msg := withHeaders(header("traceparent", traceparentA), header("baggage", "user=alice,tier=gold"))
	for want, opts := range map[int][]propagation.Option{
		2: nil, 1: {propagation.WithBaggage("tier")}, 0: {propagation.WithoutBaggage()},
	} {
		ctx := kafkacarrier.Extract(t.Context(), msg, append(opts, w3c())...)
		if got := baggage.FromContext(ctx).Len(); got != want || traceID(ctx) != traceA {
			t.Errorf("Extract gives %d members and trace %q, want %d members", got, traceID(ctx), want)
		}
	}
}

func TestInject_PolicySaysWhatBecomesOfAnExistingContext(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		policy propagation.Policy
		span   bool
		want   []string
	}{
		"default with a span":      {0, true, []string{traceparentB}},
		"default without":          {0, false, []string{traceparentA}},
		"Replace with a span":      {propagation.Replace, true, []string{traceparentB}},
		"Replace without":          {propagation.Replace, false, nil},
		"KeepExisting with a span": {propagation.KeepExisting, true, []string{traceparentA}},
		"KeepExisting without":     {propagation.KeepExisting, false, []string{traceparentA}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			if tt.span {
				ctx = bareContext(t, traceparentB)
			}
			msgs := []kafka.Message{withHeaders(header("traceparent", traceparentA), header("tracestate", "old=1"))}
			all := append([]kafka.Message(nil), msgs...)
			kafkacarrier.Inject(ctx, &msgs[0], w3c(), propagation.WithPolicy(tt.policy))
			kafkacarrier.InjectAll(ctx, all, w3c(), propagation.WithPolicy(tt.policy))
			for _, headers := range [][]kafka.Header{msgs[0].Headers, all[0].Headers} {
				if got := values(headers, "traceparent"); !cmp.Equal(got, tt.want) {
					t.Errorf("traceparent is %q, want %q", got, tt.want)
				}
				kept := len(values(headers, "tracestate")) == 1
				if want := len(tt.want) == 1 && tt.want[0] == traceparentA; kept != want {
					t.Errorf("the tracestate is there: %t, want %t", kept, want)
				}
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	for _, bad := range malformed()[:10] {
		f.Add("traceparent", []byte(bad), []byte("user=alice"))
	}
	f.Add("Traceparent", []byte(traceparentA), []byte{})
	f.Fuzz(func(t *testing.T, key string, value, other []byte) {
		msg := withHeaders(kafka.Header{Key: key, Value: value}, kafka.Header{Key: "waybill", Value: other},
			kafka.Header{Key: "baggage", Value: other}, kafka.Header{Key: "tracestate", Value: other})
		sc := trace.SpanContextFromContext(kafkacarrier.Extract(t.Context(), msg, w3c()))
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), mapCarrier{strings.ToLower(key): string(value)}))
		if strings.HasSuffix(string(value), "-") {
			return // OpenTelemetry accepts a version 00 that ends in a dash; we do not.
		}
		if sc.TraceID() != want.TraceID() || sc.SpanID() != want.SpanID() {
			t.Errorf("Extract gives %v, OpenTelemetry %v", sc, want)
		}
		kafkacarrier.Inject(bareContext(t, traceparentB), &msg, w3c())
		if got := values(msg.Headers, "traceparent"); len(got) != 1 || got[0] != traceparentB {
			t.Errorf("Inject left %q", got)
		}
	})
}
