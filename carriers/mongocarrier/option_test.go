// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	metricembedded "go.opentelemetry.io/otel/metric/embedded"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// No function uses a global when it was given the thing itself.
func TestOptions_WinOverHostileGlobals(t *testing.T) {
	setGlobalPropagator(t, hostile{t})
	setGlobalTracerProvider(t, hostileProvider{t: t})
	otel.SetMeterProvider(metricnoop.NewMeterProvider()) // What earlier tests made moves to this one.
	otel.SetMeterProvider(hostileMeterProvider{t: t})
	t.Cleanup(func() { otel.SetMeterProvider(metricnoop.NewMeterProvider()) })
	for _, s := range shapes() {
		doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), full())
		if got := traceparent(s.read(doc, full())); got != traceparentA {
			t.Errorf("%s: %q", s.name, got)
		}
		s.extract(t.Context(), doc, full())
		s.strip(doc, full())
		s.carrier(t, order()).Set("k", "v") // a carrier has no propagator.
	}
	c := mongocarrier.Capture(spanCtx(t, traceparentA), fullContext)
	c.Context(t.Context(), fullContext)
	mongocarrier.LenientField(c).Remote(fullContext)
	mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.ModeBoth, full())
	mongocarrier.PipelineStage(spanCtx(t, traceparentA), mongocarrier.ModeBoth, full())
	mongocarrier.Comment(spanCtx(t, traceparentA), "q", fullContext)
	mongocarrier.CommentDocument(spanCtx(t, traceparentA), "q", fullContext)
	mongocarrier.JSONSchemaProperties(full())
	event := encode(t, updateEvent(D{{"traceparent", traceparentA}}, nil, nil))
	for _, form := range []mongocarrier.Form{mongocarrier.FormSubDocument, mongocarrier.FormFlat, mongocarrier.FormProperties} {
		mongocarrier.ReadChangeEvent(event, full(), mongocarrier.WithForm(form))
		mongocarrier.IsOnlyContext(event, full(), mongocarrier.WithForm(form))
	}
	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(flowtest.New(t).Service("worker")),
		mongocarrier.WithMeterProvider(metricnoop.NewMeterProvider()))
	if err := consumer.Process(t.Context(), c.Remote(fullContext), nothing); err != nil {
		t.Error(err)
	}
	if err := consumer.ProcessBatch(t.Context(), []propagation.Remote{{}}, nothing); err != nil {
		t.Error(err)
	}
}

// A nil value is the default, and the global is read when it is used.
func TestOptions_NilIsTheDefault(t *testing.T) {
	f := flowtest.New(t)
	nils := []mongocarrier.Option{
		nil, mongocarrier.WithPropagation(), mongocarrier.WithPropagation(nil, propagation.WithPropagator(nil), propagation.WithPolicy(0),
			propagation.WithMaxBytes(0), propagation.WithBaggage()),
		mongocarrier.WithField(""), mongocarrier.WithForm(0), mongocarrier.WithLastWriterField(""),
	}
	for _, global := range []struct {
		propagator propagation.TextMapPropagator
		key, value string
	}{{propagation.TraceContext{}, "traceparent", traceparentA}, {legacy{"own", "1"}, "own", "1"}} {
		setGlobalPropagator(t, global.propagator)
		got := plain(t, mongocarrier.InjectD(spanCtx(t, traceparentA), D{}, nils...))
		if diff := cmp.Diff(any(global.value), at(got, "_otel", global.key)); diff != "" {
			t.Error(diff)
		}
		if at(got, "_otel", "waybill") == nil { // It goes with every global propagator.
			t.Errorf("there is no waybill in %v", got)
		}
	}
	_, set := mongocarrier.SetFields(spanCtx(t, traceparentA), mongocarrier.ModeBoth, nils...)
	if _, ok := set["_otel_last"]; !ok {
		t.Errorf("the last writer is in %v", set)
	}
	setGlobalTracerProvider(t, f.Service("global"))
	nobody := mongocarrier.NewConsumer("", nil, mongocarrier.WithTracerProvider(nil), mongocarrier.WithMeterProvider(nil),
		mongocarrier.WithObserver(nil), mongocarrier.WithStartOptions(), mongocarrier.WithStartOptions(nil))
	for _, process := range []func() error{
		func() error { return nobody.Process(t.Context(), propagation.Remote{}, nothing) },
		func() error { return mongocarrier.Process(t.Context(), propagation.Remote{}, nothing) },
		func() error { return mongocarrier.ProcessBatch(t.Context(), []propagation.Remote{{}}, nothing) },
	} {
		if err := process(); err != nil {
			t.Error(err)
		}
	}
	f.Wait(time.Second).Span("global process").Times(3)
}

// The last of two counts.
func TestOptions_LastOneWins(t *testing.T) {
	t.Parallel()
	got := mongocarrier.InjectD(spanCtx(t, traceparentA), D{}, mongocarrier.WithField("a"), mongocarrier.WithField("b"),
		full(), w3c())
	if diff := cmp.Diff(D{{"b", subDocument(traceparentA)}}, plain(t, got)); diff != "" {
		t.Error(diff)
	}
}

// Without a global propagator nothing is lost in silence.
func TestOptions_DefaultPropagator(t *testing.T) {
	doc := mongocarrier.InjectM(spanCtx(t, traceparentA), M{})
	if r := mongocarrier.ReadM(doc); traceparent(r) != traceparentA || r.Waybill().Hops != 1 {
		t.Errorf("read %+v", r)
	}
}

// The waybill goes with the propagators that most programs set.
func TestOptions_OrdinaryGlobalPropagator(t *testing.T) {
	setGlobalPropagator(t, otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, otelpropagation.Baggage{}))
	o := &observer{}
	doc := mongocarrier.InjectM(spanCtx(t, traceparentA), M{})
	c := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(flowtest.New(t).Service("worker")), mongocarrier.WithObserver(o))
	if err := c.Process(t.Context(), mongocarrier.ReadM(doc), nothing); err != nil {
		t.Error(err)
	}
	if len(o.calls) != 2 || !strings.HasPrefix(o.calls[0], "arrived orders") {
		t.Errorf("observed %q, want an arrival", o.calls)
	}
}

// A propagator without fields writes nothing and removes nothing.
func TestWithPropagation_PropagatorWithoutFields(t *testing.T) {
	t.Parallel()
	none := using(propagation.Compose())
	eachShape(t, func(t *testing.T, s shape) {
		doc := s.inject(t, spanCtx(t, traceparentA), s.make(t, order()), w3c())
		if diff := cmp.Diff(plain(t, doc), plain(t, s.inject(t, spanCtx(t, traceparentB), doc, none))); diff != "" {
			t.Error(diff)
		}
		if err := s.read(doc, none).Err(); err == nil {
			t.Error("read a context")
		}
	})
}

// Nor is baggage that someone else has put into a captured context.
func TestWithCaptured_BaggageIsNotWrittenByDefault(t *testing.T) {
	t.Parallel()
	captured := mongocarrier.WithCaptured(mongocarrier.Field{Traceparent: traceparentA, Baggage: "tenant=7,user=alice"})
	for want, opts := range map[string][]mongocarrier.Option{
		"":                    {full(), captured},
		"tenant=7":            {captured, full(propagation.WithBaggage("tenant"))},
		"tenant=7,user=alice": {captured, full(propagation.WithBaggage("user", "tenant"))},
	} {
		eachShape(t, func(t *testing.T, s shape) {
			doc := plain(t, s.inject(t, t.Context(), s.make(t, order()), opts...))
			if got, _ := at(doc, "_otel", "baggage").(string); got != want {
				t.Errorf("%s: baggage %q, want %q", s.name, got, want)
			}
		})
	}
}

func TestWithPropagation_BaggageIsNotWrittenByDefault(t *testing.T) {
	t.Parallel()
	ctx := withBaggage(t, spanCtx(t, traceparentA), "email=alice@example.com")
	c := mongocarrier.Capture(ctx, fullContext)
	_, set := mongocarrier.SetFields(ctx, mongocarrier.ModeLastWriter, full())
	if c.Baggage != "" || set["_otel"].(*mongocarrier.Field).Baggage != "" {
		t.Errorf("captured %+v, set %v", c, set)
	}
	eachShape(t, func(t *testing.T, s shape) {
		if _, ok := at(plain(t, s.inject(t, ctx, s.make(t, order()), full())), "_otel").(D); !ok {
			t.Fatal("no context")
		}
		if got := at(plain(t, s.inject(t, ctx, s.make(t, order()), full())), "_otel", "baggage"); got != nil {
			t.Errorf("the document holds %v", got)
		}
	})
}

func setGlobalTracerProvider(t *testing.T, p trace.TracerProvider) {
	t.Helper()
	otel.SetTracerProvider(p)
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) }) // the first one passes on to p for ever.
}

// hostileMeterProvider fails the test when it is used.
type hostileMeterProvider struct {
	metricembedded.MeterProvider
	t testing.TB
}

func (p hostileMeterProvider) Meter(string, ...metric.MeterOption) metric.Meter {
	p.t.Error("global meter provider used")
	return metricnoop.Meter{}
}

// rude is a propagator that panics.
type rude struct{ fields []string }

func (*rude) Inject(context.Context, propagation.TextMapCarrier) { panic("inject") }

func (*rude) Extract(context.Context, propagation.TextMapCarrier) context.Context { panic("extract") }

func (r *rude) Fields() []string { return r.fields }

// A propagator that panics writes nothing and reads nothing.
func TestWithPropagation_HostilePropagator(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]propagation.TextMapPropagator{"panics": &rude{[]string{"k"}}, "nil": (*rude)(nil)} {
		eachShape(t, func(t *testing.T, s shape) {
			ctx := spanCtx(t, traceparentA)
			got := s.inject(t, ctx, s.make(t, order()), using(p))
			if text := fmt.Sprint(plain(t, got)); strings.Contains(text, traceparentA) {
				t.Errorf("%s: the document is %s", name, text)
			}
			if err := s.read(got, using(p)).Err(); err == nil {
				t.Errorf("%s: read a context", name)
			}
			if got := s.extract(ctx, got, using(p)); traceparentOf(got) != traceparentA {
				t.Errorf("%s: the ctx has lost its span", name)
			}
			s.strip(got, using(p))
		})
	}
}

// hostileProvider fails the test when it is used.
type hostileProvider struct {
	embedded.TracerProvider
	t testing.TB
}

func (p hostileProvider) Tracer(string, ...trace.TracerOption) trace.Tracer {
	p.t.Error("global tracer provider used")
	return noop.Tracer{}
}
