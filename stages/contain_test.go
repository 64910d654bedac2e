// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// panicky is everything a user can plug in, and panics.
type panicky struct {
	sdktrace.Sampler
	embedded.TracerProvider
	atStart, atEnd bool // For a span processor.
}

func (panicky) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult { panic("sampler") }

func (panicky) Tracer(string, ...trace.TracerOption) trace.Tracer { panic("provider") }
func (panicky) Shutdown(context.Context) error                    { return nil }
func (panicky) ForceFlush(context.Context) error                  { return nil }
func (p panicky) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	if p.atStart {
		panic("start")
	}
}

func (p panicky) OnEnd(sdktrace.ReadOnlySpan) {
	if p.atEnd {
		panic("end")
	}
}
func (panicky) Started(context.Context)                  { panic("Started") }
func (panicky) Ended(context.Context, stages.Result)     { panic("Ended") }
func (panicky) Read(int)                                 { panic("Read") }
func (panicky) Wrote(int)                                { panic("Wrote") }
func (panicky) Rejected(int, string)                     { panic("Rejected") }
func (panicky) BytesIn(int)                              { panic("BytesIn") }
func (panicky) BytesOut(int)                             { panic("BytesOut") }
func (panicky) Retried()                                 { panic("Retried") }
func (panicky) Watermark(time.Time)                      { panic("Watermark") }
func (panicky) Travelled(context.Context, time.Duration) { panic("Travelled") }

// forgetful is a provider whose tracer returns nothing at all.
type forgetful struct{ embedded.TracerProvider }

func (forgetful) Tracer(string, ...trace.TracerOption) trace.Tracer { return forgetfulTracer{} }

type forgetfulTracer struct{ embedded.Tracer }

func (forgetfulTracer) Start(context.Context, string, ...trace.SpanStartOption) (context.Context, trace.Span) {
	return nil, nil
}

// panickyObserver counts what is dropped, which is all that works.
type panickyObserver struct {
	panicky
	*counter
}

type counter struct{ drops map[string]int }

func (c *counter) Dropped(reason string) { c.drops[reason]++ }

func (o panickyObserver) Stage(string, string, string) stages.StageObserver { return o }

type panickyDrops struct{ panickyObserver }

func (panickyDrops) Dropped(string)                                      { panic("Dropped") }
func (o panickyDrops) Stage(string, string, string) stages.StageObserver { return o }

// observerFunc is an observer that is a function.
type observerFunc func() stages.StageObserver

func (f observerFunc) Stage(string, string, string) stages.StageObserver { return f() }

// runsAsUsual runs s to each end and fails the test if anything is changed.
func runsAsUsual(t *testing.T, s *stages.Stage) {
	t.Helper()
	count := func(ctx context.Context) {
		run := stages.FromContext(ctx)
		run.Read(1)
		run.Wrote(1)
		run.Rejected(1, "x")
		run.Bytes(1)
		run.BytesOut(1)
		run.Retried()
		run.Watermark(time.Unix(1, 0))
	}
	travelled := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Unix(1, 0)})
	for _, want := range []error{nil, errBoom} {
		if err := s.Run(travelled, func(ctx context.Context) error { count(ctx); return want }); err != want {
			t.Errorf("Run = %v, want %v", err, want)
		}
	}
	if value := recovered(func() { _ = s.Run(t.Context(), func(context.Context) error { panic(errBoom) }) }); value != errBoom {
		t.Errorf("recovered %v", value)
	}
}

// R24.
func TestTelemetryThatPanicsChangesNothing(t *testing.T) {
	t.Parallel()
	provider := func(opts ...sdktrace.TracerProviderOption) stages.Option {
		return stages.WithTracerProvider(sdktrace.NewTracerProvider(opts...))
	}
	tests := map[string]struct {
		reason string
		opts   []stages.Option
	}{
		"provider":            {"tracer", []stages.Option{stages.WithTracerProvider(panicky{})}},
		"nil SDK provider":    {"tracer", []stages.Option{stages.WithTracerProvider((*sdktrace.TracerProvider)(nil))}},
		"no context":          {"tracer", []stages.Option{stages.WithTracerProvider(forgetful{})}},
		"sampler":             {"tracer", []stages.Option{provider(sdktrace.WithSampler(panicky{}))}},
		"processor at start":  {"tracer", []stages.Option{provider(sdktrace.WithSpanProcessor(panicky{atStart: true}))}},
		"processor at end":    {"tracer", []stages.Option{provider(sdktrace.WithSpanProcessor(panicky{atEnd: true}))}},
		"classifier":          {"classifier", []stages.Option{stages.WithClassifier(func(context.Context, error) stages.Outcome { panic("classifier") })}},
		"classifier, unknown": {"classifier", []stages.Option{stages.WithClassifier(func(context.Context, error) stages.Outcome { return 99 })}},
		"redactor":            {"redactor", []stages.Option{stages.WithRedactor(func(error) string { panic("redactor") })}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.opts...)
			runsAsUsual(t, r.Stage)
			if r.probe.dropped(tt.reason) == 0 {
				t.Errorf("dropped %q was not counted: %v", tt.reason, r.probe.drops)
			}
			// The metrics do not suffer.
			for i, want := range []stages.Outcome{stages.OutcomeSuccess, stages.OutcomeFailure, stages.OutcomePanic} {
				if got := r.probe.results[i].Outcome; got != want {
					t.Errorf("run %d: %v, want %v", i, got, want)
				}
			}
			if n := r.probe.inFlight.Load(); n != 0 {
				t.Errorf("%d in flight", n)
			}
		})
	}
}

// R24.
func TestObserverThatPanicsChangesNothing(t *testing.T) {
	t.Parallel()
	drops := &counter{drops: map[string]int{}}
	observer := panickyObserver{counter: drops}
	r := newRig(t, stages.WithObserver(observer))
	runsAsUsual(t, r.Stage)
	if got, want := drops.drops["observer"], 3*2+2*7; got != want {
		t.Errorf("%d drops, want %d", got, want)
	}
	if got := len(r.spans.GetSpans()); got != 3 {
		t.Errorf("%d spans", got)
	}
	runsAsUsual(t, newRig(t, stages.WithObserver(panickyDrops{observer})).Stage)
}

// R24.
func TestObserverThatPanicsWhenAStageIsBuilt(t *testing.T) {
	t.Parallel()
	p := mustPipeline(t, stages.WithObserver(observerFunc(func() stages.StageObserver { panic("Stage") })))
	if s, err := p.Stage("load"); s != nil || err == nil {
		t.Errorf("Stage = %v, %v", s, err)
	}
	if err := p.Run(t.Context(), func(context.Context) error { return errBoom }); err != errBoom {
		t.Errorf("Run = %v", err)
	}
}

func TestObserverMayIgnoreAStage(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]stages.Option{
		"nil stage observer": stages.WithObserver(observerFunc(func() stages.StageObserver { return nil })),
		"nil observer":       stages.WithObserver(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, opt)
			runsAsUsual(t, r.Stage)
			if got := len(r.spans.GetSpans()); got != 3 {
				t.Errorf("%d spans", got)
			}
		})
	}
}

// onlyRuns implements nothing that is optional.
type onlyRuns struct{ ended *int }

func (onlyRuns) Started(context.Context)                {}
func (o onlyRuns) Ended(context.Context, stages.Result) { *o.ended++ }

func TestObserverMayLeaveOutWhatIsOptional(t *testing.T) {
	t.Parallel()
	ended := 0
	r := newRig(t, stages.WithObserver(observerFunc(func() stages.StageObserver { return onlyRuns{&ended} })))
	runsAsUsual(t, r.Stage)
	if ended != 3 {
		t.Errorf("%d runs ended", ended)
	}
}

// The observer finds the span of the stage in its context, for exemplars.
type spanObserver struct{ spans []trace.SpanContext }

func (o *spanObserver) Stage(string, string, string) stages.StageObserver { return o }
func (o *spanObserver) Started(context.Context)                           {}
func (o *spanObserver) Ended(ctx context.Context, _ stages.Result) {
	o.spans = append(o.spans, trace.SpanContextFromContext(ctx))
}

// R26.
func TestObserverSeesTheSpanOfTheStage(t *testing.T) {
	t.Parallel()
	observer := &spanObserver{}
	r := newRig(t, stages.WithObserver(observer))
	_ = r.Run(t.Context(), func(context.Context) error { return nil })
	if want := r.span(t).SpanContext; !observer.spans[0].Equal(want) {
		t.Errorf("got %v, want %v", observer.spans[0], want)
	}
}
