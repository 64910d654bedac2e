// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// requestID is a propagator of a user's own.
type requestID struct{}

type requestIDKey struct{}

func (requestID) Fields() []string { return []string{"X-Request-Id"} }

func (requestID) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		c.Set("X-Request-Id", id)
	}
}

func (requestID) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	if id := c.Get("X-Request-Id"); id != "" {
		return context.WithValue(ctx, requestIDKey{}, id)
	}
	return ctx
}

func idOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// What Extract finds is what Process, Start and Read find, and what Forward and a
// Writer pass on, with a span and without.
func TestPropagatorOfUsersOwn_IsPassedOn(t *testing.T) {
	t.Parallel()
	o := propagation.WithPropagator(propagation.Compose(propagation.TraceContext{}, requestID{}))
	for name, headers := range map[string][]kafka.Header{
		"with a trace":    {header("traceparent", traceparentA), header("x-request-id", "r-1")},
		"without a trace": {header("X-Request-Id", "r-1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flowtest.New(t)
			msg := consumed(1, headers...)
			if got := idOf(kafkacarrier.Extract(t.Context(), msg, o)); got != "r-1" {
				t.Errorf("Extract finds %q, want r-1", got)
			}
			if got := idOf(kafkacarrier.Read(msg, o).Context(t.Context())); got != "r-1" {
				t.Errorf("Read finds %q, want r-1", got)
			}
			c := kafkacarrier.NewConsumer(kafkacarrier.WithPropagation(o), kafkacarrier.WithTracerProvider(f.Service("worker")))
			ctx, end := c.Start(t.Context(), msg)
			end(nil)
			if got := idOf(ctx); got != "r-1" {
				t.Errorf("Start finds %q, want r-1", got)
			}
			forward := kafkacarrier.WithPropagation(o)
			forwarded := map[string]kafka.Message{
				"outside of the handler": kafkacarrier.Forward(t.Context(), msg, "", forward),
				"in another span":        kafkacarrier.Forward(bareContext(t, traceparentB), msg, "", forward),
			}
			if err := c.Process(t.Context(), msg, func(ctx context.Context) error {
				if got := idOf(ctx); got != "r-1" {
					t.Errorf("Process finds %q, want r-1", got)
				}
				forwarded["in the handler"] = kafkacarrier.Forward(ctx, msg, "", forward)
				r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(o))
				if err := r.writer.WriteMessages(ctx, forwarded["in the handler"], kafka.Message{}); err != nil {
					return err
				}
				for _, m := range r.broker.written() {
					if got := values(m.Headers, "X-Request-Id"); !cmp.Equal(got, []string{"r-1"}) {
						t.Errorf("written in the handler it carries %q", got)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for where, m := range forwarded {
				if got := values(m.Headers, "X-Request-Id"); !cmp.Equal(got, []string{"r-1"}) {
					t.Errorf("forwarded %s it carries %q", where, got)
				}
				for what, ctx := range map[string]context.Context{"no span": t.Context(), "a span": bareContext(t, traceparentB)} {
					r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(o))
					if err := r.writer.WriteMessages(ctx, m); err != nil {
						t.Fatal(err)
					}
					if got := values(r.broker.written()[0].Headers, "X-Request-Id"); !cmp.Equal(got, []string{"r-1"}) {
						t.Errorf("forwarded %s and written with %s it carries %q", where, what, got)
					}
				}
			}
		})
	}
}

// written is a propagator that writes keys as given.
type written struct{ keys []string }

func (w written) Fields() []string { return w.keys }

func (w written) Inject(_ context.Context, c propagation.TextMapCarrier) {
	for _, key := range w.keys {
		c.Set(key, "new")
	}
}

func (written) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context { return ctx }

// Keys are written as the propagator spells them, and every spelling is replaced.
func TestKeys_KeepTheCaseOfThePropagator(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"X-Amzn-Trace-Id", "ot-baggage-tenantId", "x-b3-traceid", "X-Own", "b3"} {
		o := propagation.WithPropagator(written{[]string{key}})
		before := []kafka.Header{
			header("app", "1"), header(key, "old"), header(strings.ToLower(key), "old"), header(strings.ToUpper(key), "old"), header("x-other", "2"),
		}
		want := []kafka.Header{header("app", "1"), header("x-other", "2"), header(key, "new")}
		ctx := bareContext(t, traceparentA)

		injected := withHeaders(before...)
		kafkacarrier.Inject(ctx, &injected, o)
		all := []kafka.Message{withHeaders(before...)}
		kafkacarrier.InjectAll(ctx, all, o)
		r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(o))
		if err := r.writer.WriteMessages(ctx, withHeaders(before...)); err != nil {
			t.Fatal(err)
		}
		for how, got := range map[string][]kafka.Header{
			"Inject": injected.Headers, "InjectAll": all[0].Headers, "Writer": r.broker.written()[0].Headers,
			"Forward": kafkacarrier.Forward(ctx, withHeaders(before...), "", kafkacarrier.WithPropagation(o)).Headers[:3],
		} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s: %s", how, key, diff)
			}
		}
	}
}

// With both spellings programs in Java and in Python find the context, and so do
// we, once.
func TestWithBothSpellings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		want       []string
	}{
		"B3 in several headers": {b3{}, []string{"app", "x-b3-traceid", "X-B3-TraceId", "x-b3-spanid", "X-B3-SpanId", "x-b3-sampled", "X-B3-Sampled"}},
		"X-Ray":                 {written{[]string{"X-Amzn-Trace-Id"}}, []string{"app", "X-Amzn-Trace-Id", "x-amzn-trace-id"}},
		"W3C":                   {propagation.TraceContext{}, []string{"app", "traceparent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := kafkacarrier.WithPropagation(propagation.WithPropagator(tt.propagator))
			r := newRig(t, &broker{}, nil, o, kafkacarrier.WithBothSpellings())
			before := withHeaders(header("app", "1"), header("X-B3-TRACEID", "old"), header("X-AMZN-TRACE-ID", "old"))
			ctx := bareContext(t, traceparentA)
			if err := r.writer.WriteMessages(ctx, before); err != nil {
				t.Fatal(err)
			}
			forwarded := kafkacarrier.Forward(ctx, before, "", o, kafkacarrier.WithBothSpellings())
			again := kafkacarrier.Forward(ctx, forwarded, "", o, kafkacarrier.WithBothSpellings())
			for how, headers := range map[string][]kafka.Header{
				"Writer": r.broker.written()[0].Headers, "Forward": forwarded.Headers, "Forward twice": again.Headers,
			} {
				if got := keys(headers); !cmp.Equal(got[:len(tt.want)], tt.want) || len(got) > len(tt.want)+4 {
					t.Errorf("%s writes %q, want %q", how, got, tt.want)
				}
			}
		})
	}
}

// Of several formats the newest header is read, and contexts that differ are
// counted.
func TestExtract_NewestFormat(t *testing.T) {
	t.Parallel()
	b3Of := func(traceparent string) []kafka.Header {
		return []kafka.Header{
			header("X-B3-TraceId", traceparent[3:35]), header("X-B3-SpanId", traceparent[36:52]), header("X-B3-Sampled", "1"),
		}
	}
	w3cOf := func(traceparent string) []kafka.Header { return []kafka.Header{header("traceparent", traceparent)} }
	for name, tt := range map[string]struct {
		headers []kafka.Header
		trace   string
		differ  bool
	}{
		"B3, then W3C":  {append(b3Of(traceparentA), w3cOf(traceparentB)...), traceB, true},
		"W3C, then B3":  {append(w3cOf(traceparentA), b3Of(traceparentB)...), traceB, true},
		"both the same": {append(w3cOf(traceparentA), b3Of(traceparentA)...), traceA, false},
		"B3 alone":      {b3Of(traceparentA), traceA, false},
		"W3C alone":     {w3cOf(traceparentA), traceA, false},
	} {
		for order, p := range map[string]propagation.TextMapPropagator{
			"W3C first": propagation.Compose(propagation.Default(), b3{}), "B3 first": propagation.Compose(b3{}, propagation.Default()),
		} {
			t.Run(name+", "+order, func(t *testing.T) {
				t.Parallel()
				o := propagation.WithPropagator(p)
				msg := consumed(1, tt.headers...)
				if got := traceID(kafkacarrier.Extract(t.Context(), msg, o)); got != tt.trace {
					t.Errorf("Extract continues %s, want %s", got, tt.trace)
				}
				carrier := kafkacarrier.New(&msg)
				if got := propagation.ReadTextMap(carrier, o).SpanContext().TraceID().String(); got != tt.trace {
					t.Errorf("the Carrier has %s, want %s", got, tt.trace)
				}
				c := consume(t, inGroup(msg), kafkacarrier.WithPropagation(o))
				c.fetchAll(t, 1)
				if got := strings.Contains(fmt.Sprint(c.events.take()), "dropped duplicate_context"); got != tt.differ {
					t.Errorf("counted as duplicate: %t, want %t", got, tt.differ)
				}
			})
		}
	}
}

// The contexts of formats that we do not write do not stay beside ours.
func TestInject_RemovesForeignFormats(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"elasticapmtraceparent", "ElasticAPMTraceparent", "sentry-trace", "sw8", "SW8", "X_INSTANA_T", "x_instana_s", "X-INSTANA-L", "uber-trace-id", "x-datadog-trace-id",
	} {
		msg := consumed(1, header("app", "1"), header(key, "stale"), header("dd-pathway-ctx-base64", "a path"))
		injected := msg
		kafkacarrier.Inject(bareContext(t, traceparentB), &injected, w3c())
		want := []string{"app", "dd-pathway-ctx-base64", "traceparent", "waybill"}
		if got := keys(injected.Headers); !cmp.Equal(got, want) {
			t.Errorf("Inject over %s leaves %q, want %q", key, got, want)
		}
		forwarded := kafkacarrier.Forward(bareContext(t, traceparentB), msg, "", withW3C())
		if got := keys(forwarded.Headers)[:4]; !cmp.Equal(got, want) {
			t.Errorf("Forward over %s leaves %q, want %q", key, got, want)
		}
	}
}

// The values of several tracestate headers are one list.
func TestExtract_SplitTracestate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		headers []kafka.Header
		want    string
	}{
		"in order":            {[]kafka.Header{header("tracestate", "a=1"), header("tracestate", "b=2,c=3")}, "a=1,b=2,c=3"},
		"one is empty":        {[]kafka.Header{header("tracestate", ""), header("tracestate", "b=2")}, "b=2"},
		"one only":            {[]kafka.Header{header("tracestate", "a=1")}, "a=1"},
		"of another hop, too": {[]kafka.Header{header("tracestate", "a=1"), header("traceparent", traceparentB), header("tracestate", "b=2")}, "b=2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg := withHeaders(append([]kafka.Header{header("traceparent", traceparentA)}, tt.headers...)...)
			if got := kafkacarrier.Read(msg, w3c()).SpanContext().TraceState().String(); got != tt.want {
				t.Errorf("the tracestate is %q, want %q", got, tt.want)
			}
		})
	}
}

// Nothing of an untrusted message goes further than a link, with and without an
// SDK.
func TestUntrusted_GoesNoFurtherThanALink(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	old := propagation.Waybill{Origin: remoteTime, Sent: remoteTime, Hops: 7}
	msg := consumed(1, header("traceparent", traceparentA), header("tracestate", "evil=1"), header("baggage", "user=eve"), header("waybill", old.String()))
	bare := consumed(1, header("baggage", "user=eve"), header("waybill", old.String()))
	all := propagation.WithBaggage("user")
	for name, provider := range map[string]trace.TracerProvider{"an SDK": f.Service("worker"), "no SDK": noop.NewTracerProvider()} {
		for what, msg := range map[string]kafka.Message{"with a trace": msg, "without": bare} {
			c := kafkacarrier.NewConsumer(withW3C(all), kafkacarrier.WithTracerProvider(provider), kafkacarrier.WithStartOptions(propagation.WithUntrusted()))
			r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(all), kafkacarrier.WithTracerProvider(provider))
			if err := c.Process(t.Context(), msg, func(ctx context.Context) error {
				if b := baggage.FromContext(ctx); b.Len() != 0 || !propagation.WaybillFromContext(ctx).IsZero() || traceID(ctx) == traceA {
					t.Errorf("%s, %s: the handler has baggage %q, waybill %v and trace %s", name, what, b, propagation.WaybillFromContext(ctx), traceID(ctx))
				}
				copied := kafka.Message{Value: msg.Value, Headers: msg.Headers}
				injected := copied
				kafkacarrier.Inject(ctx, &injected, w3c(), all)
				forwarded := kafkacarrier.Forward(ctx, msg, "", withW3C(all))
				if err := r.writer.WriteMessages(ctx, copied, forwarded, kafka.Message{}); err != nil {
					return err
				}
				if err := r.writer.WriteMessages(ctx, copied); err != nil {
					return err
				}
				for i, m := range append(r.broker.written(), injected, forwarded) {
					for _, h := range m.Headers {
						w, err := propagation.ParseWaybill(string(h.Value))
						isTheirs := strings.Contains(string(h.Value), traceA) || strings.Contains(string(h.Value), "ev") || err == nil && (w.Origin.Equal(remoteTime) || w.Hops > 2)
						if isTheirs {
							t.Errorf("%s, %s: message %d carries %s: %s", name, what, i, h.Key, h.Value)
						}
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			_ = r.writer.Close()
			for _, span := range r.spans(t) {
				if span.SpanContext.TraceID().String() == traceA || span.Parent.TraceID().String() == traceA {
					t.Errorf("%s, %s: %s continues their trace", name, what, span.Name)
				}
			}
		}
	}
}

// A hop is counted once, whoever writes the context first, and once for each
// broker.
func TestWaybill_CountsAHopOnce(t *testing.T) {
	t.Parallel()
	sent := propagation.Waybill{Origin: remoteTime, Sent: remoteTime, Hops: 3}
	received := consumed(1, header("traceparent", traceparentA), header("waybill", sent.String()))
	hops := func(m kafka.Message) int {
		w, err := propagation.ParseWaybill(values(m.Headers, "waybill")[0])
		if err != nil || time.Since(w.Sent) > time.Minute {
			t.Errorf("the waybill is %v: %v", w, err)
		}
		return w.Hops
	}
	write := func(ctx context.Context, provider trace.TracerProvider, m kafka.Message) int {
		t.Helper()
		r := newRig(t, &broker{}, nil, kafkacarrier.WithTracerProvider(provider))
		m.Topic = ""
		if err := r.writer.WriteMessages(ctx, m); err != nil {
			t.Fatal(err)
		}
		if err := r.writer.WriteMessages(ctx, m, kafka.Message{}); err != nil {
			t.Fatal(err)
		}
		single, batched := hops(r.broker.written()[0]), hops(r.broker.written()[1])
		if single != batched {
			t.Errorf("alone it has come over %d hops, in a batch over %d", single, batched)
		}
		return single
	}
	f := flowtest.New(t)
	for name, provider := range map[string]trace.TracerProvider{"an SDK": f.Service("relay"), "no SDK": noop.NewTracerProvider()} {
		c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(provider))
		inHandler := func(do func(ctx context.Context)) {
			_ = c.Process(t.Context(), received, func(ctx context.Context) error { do(ctx); return nil })
		}
		copied := kafka.Message{Value: received.Value, Headers: received.Headers}
		injected := func(ctx context.Context) kafka.Message {
			var m kafka.Message
			kafkacarrier.Inject(ctx, &m, w3c())
			return m
		}
		for what, tt := range map[string]struct {
			got  func() int
			want int
		}{
			"forwarded": {func() int { return hops(kafkacarrier.Forward(t.Context(), received, "", withW3C())) }, 4},
			"forwarded and written": {func() int {
				return write(t.Context(), provider, kafkacarrier.Forward(t.Context(), received, "", withW3C()))
			}, 4},
			"copied and written":           {func() int { return write(t.Context(), provider, copied) }, 4},
			"copied and written in a span": {func() int { return write(bareContext(t, traceparentB), provider, copied) }, map[string]int{"an SDK": 4, "no SDK": 4}[name]},
			"forwarded and written in the handler": {func() (n int) {
				inHandler(func(ctx context.Context) {
					n = write(ctx, provider, kafkacarrier.Forward(ctx, received, "", withW3C()))
				})
				return n
			}, 4},
			"forwarded in the handler and written outside": {func() (n int) {
				var m kafka.Message
				inHandler(func(ctx context.Context) { m = kafkacarrier.Forward(ctx, received, "", withW3C()) })
				return write(t.Context(), provider, m)
			}, 4},
			"copied and written in the handler": {func() (n int) {
				inHandler(func(ctx context.Context) { n = write(ctx, provider, copied) })
				return n
			}, 4},
			"new in the handler": {func() (n int) {
				inHandler(func(ctx context.Context) { n = write(ctx, provider, kafka.Message{}) })
				return n
			}, 4},
			"injected in the handler and written there": {func() (n int) {
				inHandler(func(ctx context.Context) { n = write(ctx, provider, injected(ctx)) })
				return n
			}, 4},
			"injected and written elsewhere": {func() int { return write(t.Context(), provider, injected(bareContext(t, traceparentB))) }, 1},
			"injected and written":           {func() int { ctx := bareContext(t, traceparentB); return write(ctx, provider, injected(ctx)) }, 1},
		} {
			if got := tt.got(); got != tt.want {
				t.Errorf("%s, %s: %d hops, want %d", name, what, got, tt.want)
			}
		}
	}
}

// The send span of a forwarded message links the span that created the message
// upstream, and never its own parent.
func TestForward_LinksTheCreationUpstream(t *testing.T) {
	t.Parallel()
	other := consumed(9, header("traceparent", traceparentB))
	for name, tt := range map[string]struct {
		ambient string
		msgs    []kafka.Message
		forward []int // Of msgs.
		want    []string
	}{
		"alone":                 {"", []kafka.Message{consumed(7, header("traceparent", traceparentA))}, []int{0}, []string{traceA}},
		"under a span":          {traceparentB, []kafka.Message{consumed(7, header("traceparent", traceparentA))}, []int{0}, []string{traceA}},
		"of a batch":            {"", []kafka.Message{consumed(7, header("traceparent", traceparentA)), other}, []int{1, 0}, []string{traceB, traceA}},
		"forwarded once before": {"", []kafka.Message{kafkacarrier.Forward(t.Context(), consumed(7, header("traceparent", traceparentA)), "", withW3C())}, []int{0}, []string{traceA}},
		"came without context":  {"", []kafka.Message{consumed(7)}, []int{0}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, &broker{}, nil)
			c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(r.service))
			ctx := t.Context()
			if tt.ambient != "" {
				ctx = bareContext(t, tt.ambient)
			}
			handle := func(ctx context.Context) error {
				for _, i := range tt.forward {
					if err := r.writer.WriteMessages(ctx, kafkacarrier.Forward(ctx, tt.msgs[i], "", withW3C())); err != nil {
						return err
					}
				}
				return nil
			}
			var err error
			if len(tt.msgs) == 1 {
				err = c.Process(ctx, tt.msgs[0], handle)
			} else {
				err = c.ProcessBatch(ctx, tt.msgs, handle)
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, span := range named(r.spans(t), "send orders") {
				var links []string
				for _, l := range span.Links {
					links = append(links, l.SpanContext.TraceID().String())
					if l.SpanContext.SpanID() == span.Parent.SpanID() {
						t.Errorf("send %d links its parent", i)
					}
				}
				var want []string
				if tt.want[i] != "" {
					want = []string{tt.want[i]}
				}
				if !cmp.Equal(links, want) {
					t.Errorf("send %d links %q, want %q", i, links, want)
				}
			}
		})
	}
}

// The waybill goes on where there is no span and no SDK.
func TestWaybill_WithoutASpan(t *testing.T) {
	t.Parallel()
	for name, provider := range map[string]trace.TracerProvider{"no SDK": noop.NewTracerProvider(), "the global one": nil} {
		sent := propagation.Waybill{Origin: remoteTime, Sent: remoteTime, Hops: 1}
		received := consumed(1, header("waybill", sent.String()), header("baggage", "user=alice"))
		c := kafkacarrier.NewConsumer(withW3C(), kafkacarrier.WithTracerProvider(provider))
		r := newRig(t, &broker{}, nil, kafkacarrier.WithPropagation(propagation.WithBaggage("user")), kafkacarrier.WithTracerProvider(provider))
		if err := c.Process(t.Context(), received, func(ctx context.Context) error {
			return r.writer.WriteMessages(ctx, kafka.Message{}, kafkacarrier.Forward(ctx, received, "", withW3C(propagation.WithBaggage("user"))))
		}); err != nil {
			t.Fatal(err)
		}
		for i, m := range r.broker.written() {
			got := kafkacarrier.Read(m, w3c())
			if w := got.Waybill(); !w.Origin.Equal(remoteTime) || w.Hops != 2 || got.Baggage().Member("user").Value() != "alice" {
				t.Errorf("%s: message %d has waybill %+v and baggage %q", name, i, w, got.Baggage())
			}
			if got := values(m.Headers, "traceparent"); len(got) != 0 {
				t.Errorf("%s: message %d has traceparent %q", name, i, got)
			}
		}
	}
}

func TestWithHeaderValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		f    func(key string, value []byte) string
		want []string
	}{
		{name: "nil", f: nil, want: []string{"acme", "globex"}},
		{name: "redacts", f: func(key string, value []byte) string { return fmt.Sprintf("%s of %d bytes", key, len(value)) }, want: []string{"tenant of 4 bytes", "tenant of 6 bytes"}},
		{name: "leaves one out", f: func(_ string, value []byte) string { return strings.TrimPrefix(string(value), "acme") }, want: []string{"globex"}},
		{name: "leaves all out", f: func(string, []byte) string { return "" }, want: nil},
		{name: "panics", f: func(string, []byte) string { panic("no") }, want: nil},
		{name: "returns much", f: func(string, []byte) string { return strings.Repeat("x", 1000) }, want: []string{strings.Repeat("x", 125) + "…", strings.Repeat("x", 125) + "…"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := consume(t, inGroup(), kafkacarrier.WithHeaders("tenant"), kafkacarrier.WithHeaderValues(tt.f))
			if err := c.Process(t.Context(), consumed(1, header("Tenant", "acme"), header("tenant", "globex"), header("other", "1")), doNothing); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range only(t, c.flow).Attributes {
				if a.Key == "messaging.header.tenant" {
					got = a.Value.AsStringSlice()
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("the values (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithHeaders_BoundsValues(t *testing.T) {
	t.Parallel()
	many := make([]kafka.Header, 70_000)
	for i := range many {
		many[i] = header("App", strconv.Itoa(i)+strings.Repeat("\xff", 300))
	}
	c := consume(t, inGroup(), kafkacarrier.WithHeaders("app"))
	if err := c.Process(t.Context(), consumed(1, many...), doNothing); err != nil {
		t.Fatal(err)
	}
	for _, a := range only(t, c.flow).Attributes {
		if a.Key == "messaging.header.app" {
			got := a.Value.AsStringSlice()
			if len(got) != 16 || len(got[0]) > 128 {
				t.Errorf("there are %d values of %d bytes", len(got), len(got[0]))
			}
		}
	}
}
