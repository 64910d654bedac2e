// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// The doubles below are everything that a user can plug in, and panic.

type hostileProvider struct{ embedded.TracerProvider }

func (hostileProvider) Tracer(string, ...trace.TracerOption) trace.Tracer { panic("Tracer") }

// startFunc is a provider, and its tracer, that starts spans with a function.
type startFunc func(context.Context) (context.Context, trace.Span)

type startTracer struct {
	embedded.Tracer
	start startFunc
}

type startProvider struct {
	embedded.TracerProvider
	start startFunc
}

func (p startProvider) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return startTracer{start: p.start}
}

func (t startTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return t.start(ctx)
}

// hostileSpan panics in the method named fails, and counts how often it ended.
type hostileSpan struct {
	noop.Span
	fails string
	ended *int
}

func (s *hostileSpan) check(method string) {
	if method == s.fails {
		panic(method)
	}
}

func (s *hostileSpan) IsRecording() bool                     { s.check("IsRecording"); return true }
func (s *hostileSpan) SetAttributes(...attribute.KeyValue)   { s.check("SetAttributes") }
func (s *hostileSpan) SetStatus(codes.Code, string)          { s.check("SetStatus") }
func (s *hostileSpan) AddEvent(string, ...trace.EventOption) { s.check("AddEvent") }
func (s *hostileSpan) End(...trace.SpanEndOption)            { *s.ended++; s.check("End") }

// nilContext is a context that panics when it is a nil pointer.
type nilContext struct{ context.Context } //nolint:containedctx // It is a context.

type hostileSampler struct{}

func (hostileSampler) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	panic("ShouldSample")
}
func (hostileSampler) Description() string { return "hostile" }

type hostileProcessor struct{ atStart, atEnd bool }

func (hostileProcessor) Shutdown(context.Context) error   { return nil }
func (hostileProcessor) ForceFlush(context.Context) error { return nil }
func (p hostileProcessor) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	if p.atStart {
		panic("OnStart")
	}
}

func (p hostileProcessor) OnEnd(sdktrace.ReadOnlySpan) {
	if p.atEnd {
		panic("OnEnd")
	}
}

// hostileRuns is an observer that panics in every method but one.
type hostileRuns struct{}

func (hostileRuns) Started(context.Context)                  { panic("Started") }
func (hostileRuns) Ended(context.Context, observe.RunEnd)    { panic("Ended") }
func (hostileRuns) Counted(observe.Count)                    { panic("Counted") }
func (hostileRuns) Checked(observe.Check)                    { panic("Checked") }
func (hostileRuns) Watermark(time.Time)                      { panic("Watermark") }
func (hostileRuns) WatermarkReset(time.Time)                 { panic("WatermarkReset") }
func (hostileRuns) RowAge(context.Context, time.Duration)    { panic("RowAge") }
func (hostileRuns) Latency(context.Context, observe.Latency) { panic("Latency") }

type countsDrops struct {
	hostileRuns
	drops map[string]int
}

func (o countsDrops) Dropped(d observe.Drop) { o.drops[d.Reason]++ }

type hostileDrops struct{ hostileRuns }

func (hostileDrops) Dropped(observe.Drop) { panic("Dropped") }

// observerFunc is an observer that is a function.
type observerFunc func() observe.RunObserver

func (f observerFunc) Stage(observe.StageID) observe.RunObserver { return f() }

// runsAsUsual runs s to each end and fails the test if anything is changed.
func runsAsUsual(t *testing.T, s *stages.Stage) {
	t.Helper()
	count := func(ctx context.Context) {
		run := stages.FromContext(ctx)
		run.Read(1)
		run.Wrote(1)
		run.Rejected(1, "x")
		run.BytesIn(1)
		run.BytesOut(1)
		run.Retried()
		run.Watermark(time.Unix(1, 0))
		run.ResetWatermark(time.Unix(1, 0))
		run.EventTime(time.Unix(1, 0))
		if !stages.Validate(ctx, s, 1, stages.NewCheck("positive", func(n int) bool { return n > 0 })) {
			t.Error("Validate = false, want true")
		}
	}
	type key struct{}
	data := context.WithValue(t.Context(), key{}, "value")
	data = propagation.ContextWithWaybill(data, propagation.Waybill{Origin: time.Now().Add(-time.Hour)})
	for _, want := range []error{nil, errBoom} {
		if err := s.Run(data, func(ctx context.Context) error { count(ctx); return want }); err != want {
			t.Errorf("Run = %v, want %v", err, want)
		}
		got, err := stages.Call(data, s, func(ctx context.Context) (any, error) { return ctx.Value(key{}), want })
		if got != "value" || err != want {
			t.Errorf("Call = %v, %v, want value, %v", got, err, want)
		}
	}
	if value := recovered(func() { _ = s.Run(t.Context(), func(context.Context) error { panic(errBoom) }) }); value != errBoom {
		t.Errorf("recovered %v, want %v", value, errBoom)
	}
}

// runsAsUsualOutcomes are the outcomes of the runs of runsAsUsual.
var runsAsUsualOutcomes = []observe.Outcome{
	observe.OutcomeSuccess, observe.OutcomeSuccess, observe.OutcomeFailure, observe.OutcomeFailure, observe.OutcomePanic,
}

func TestStage_HostileTelemetryChangesNothing(t *testing.T) {
	t.Parallel()
	sdk := func(opts ...sdktrace.TracerProviderOption) stages.Option {
		return stages.WithTracerProvider(sdktrace.NewTracerProvider(opts...))
	}
	starts := func(start startFunc) stages.Option { return stages.WithTracerProvider(startProvider{start: start}) }
	span := func(fails string) stages.Option {
		return starts(func(ctx context.Context) (context.Context, trace.Span) {
			return ctx, &hostileSpan{fails: fails, ended: new(int)}
		})
	}
	for _, tt := range []struct {
		name, reason string
		opts         []stages.Option
	}{
		{name: "provider panics", reason: "tracer", opts: []stages.Option{stages.WithTracerProvider(hostileProvider{})}},
		{name: "provider is a nil pointer", reason: "tracer", opts: []stages.Option{stages.WithTracerProvider((*sdktrace.TracerProvider)(nil))}},
		{name: "Start panics", reason: "tracer", opts: []stages.Option{starts(func(context.Context) (context.Context, trace.Span) { panic("Start") })}},
		{name: "no context, no span", reason: "tracer", opts: []stages.Option{starts(func(context.Context) (context.Context, trace.Span) { return nil, nil })}},
		{name: "context is a nil pointer", reason: "tracer", opts: []stages.Option{starts(func(context.Context) (context.Context, trace.Span) {
			return (*nilContext)(nil), noop.Span{}
		})}},
		{name: "span is a nil pointer", reason: "tracer", opts: []stages.Option{starts(func(ctx context.Context) (context.Context, trace.Span) {
			return ctx, (*hostileSpan)(nil)
		})}},
		{name: "IsRecording panics", reason: "tracer", opts: []stages.Option{span("IsRecording")}},
		{name: "SetAttributes panics", reason: "tracer", opts: []stages.Option{span("SetAttributes")}},
		{name: "SetStatus panics", reason: "tracer", opts: []stages.Option{span("SetStatus")}},
		{name: "AddEvent panics", reason: "tracer", opts: []stages.Option{span("AddEvent"), stages.WithErrorDescription(nil)}},
		{name: "End panics", reason: "tracer", opts: []stages.Option{span("End")}},
		{name: "sampler panics", reason: "tracer", opts: []stages.Option{sdk(sdktrace.WithSampler(hostileSampler{}))}},
		{name: "processor panics at the start", reason: "tracer", opts: []stages.Option{sdk(sdktrace.WithSpanProcessor(hostileProcessor{atStart: true}))}},
		{name: "processor panics at the end", reason: "tracer", opts: []stages.Option{sdk(sdktrace.WithSpanProcessor(hostileProcessor{atEnd: true}))}},
		{name: "classifier panics", reason: "classifier", opts: []stages.Option{
			stages.WithClassifier(func(context.Context, error) observe.Outcome { panic("classifier") }),
		}},
		{name: "classifier returns an unknown outcome", reason: "classifier", opts: []stages.Option{
			stages.WithClassifier(func(context.Context, error) observe.Outcome { return 99 }),
		}},
		{name: "description panics", reason: "formatter", opts: []stages.Option{
			stages.WithErrorDescription(func(error) string { panic("description") }),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.opts...)
			runsAsUsual(t, r.Stage)
			if r.probe.dropped(tt.reason) == 0 {
				t.Errorf("dropped = %v, want %q counted", r.probe.drops, tt.reason)
			}
			// The metrics do not suffer.
			for i, want := range runsAsUsualOutcomes {
				if got := r.probe.results[i].Outcome; got != want {
					t.Errorf("run %d: outcome %v, want %v", i, got, want)
				}
			}
			if n := r.probe.inFlight.Load(); n != 0 {
				t.Errorf("%d in flight, want 0", n)
			}
		})
	}
}

// A span that cannot be described is ended all the same.
func TestStage_HostileSpanIsEnded(t *testing.T) {
	t.Parallel()
	for _, fails := range []string{"IsRecording", "SetAttributes", "SetStatus", "AddEvent"} {
		ended := 0
		r := newRig(t, stages.WithErrorDescription(nil), stages.WithTracerProvider(startProvider{start: func(ctx context.Context) (context.Context, trace.Span) {
			return ctx, &hostileSpan{fails: fails, ended: &ended}
		}}))
		runsAsUsual(t, r.Stage)
		if want := len(runsAsUsualOutcomes); ended != want {
			t.Errorf("%s panics: %d spans ended, want %d", fails, ended, want)
		}
	}
}

func TestStage_HostileObserverChangesNothing(t *testing.T) {
	t.Parallel()
	drops := map[string]int{}
	r := newRig(t, stages.WithObserver(observerFunc(func() observe.RunObserver { return countsDrops{drops: drops} })))
	runsAsUsual(t, r.Stage)
	// Five starts and ends, two latencies, and twice nine counts and a check.
	if got, want := drops["observer"], 5*2+2+2*10; got != want {
		t.Errorf("%d drops, want %d", got, want)
	}
	if got, want := len(r.spans.GetSpans()), len(runsAsUsualOutcomes); got != want {
		t.Errorf("%d spans, want %d", got, want)
	}
	runsAsUsual(t, newRig(t, stages.WithObserver(observerFunc(func() observe.RunObserver { return hostileDrops{} }))).Stage)
	runsAsUsual(t, newRig(t, stages.WithObserver(observerFunc(func() observe.RunObserver { return (*probe)(nil) }))).Stage)
}

func TestPipeline_HostileObserver(t *testing.T) {
	t.Parallel()
	for name, observer := range map[string]observe.StageObserver{
		"panics":        observerFunc(func() observe.RunObserver { panic("Stage") }),
		"a nil pointer": (*probe)(nil),
	} {
		p := mustPipeline(t, stages.WithObserver(observer))
		if s, err := p.Stage("load"); s != nil || err == nil {
			t.Errorf("%s: Stage = %v, %v, want an error", name, s, err)
		}
		if err := p.Run(t.Context(), func(context.Context) error { return errBoom }); err != errBoom {
			t.Errorf("%s: Run = %v, want %v", name, err, errBoom)
		}
	}
}

func TestStage_ObserverMayIgnoreAStage(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]stages.Option{
		"no run observer": stages.WithObserver(observerFunc(func() observe.RunObserver { return nil })),
		"no observer":     stages.WithObserver(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, opt)
			runsAsUsual(t, r.Stage)
			if got, want := len(r.spans.GetSpans()), len(runsAsUsualOutcomes); got != want {
				t.Errorf("%d spans, want %d", got, want)
			}
		})
	}
}

// onlyRuns implements nothing that is optional.
type onlyRuns struct{ ended *int }

func (onlyRuns) Started(context.Context)                 {}
func (o onlyRuns) Ended(context.Context, observe.RunEnd) { *o.ended++ }

func TestStage_ObserverMayLeaveOutWhatIsOptional(t *testing.T) {
	t.Parallel()
	ended := 0
	r := newRig(t, stages.WithObserver(observerFunc(func() observe.RunObserver { return onlyRuns{&ended} })))
	runsAsUsual(t, r.Stage)
	if want := len(runsAsUsualOutcomes); ended != want {
		t.Errorf("%d runs ended, want %d", ended, want)
	}
}

// spanObserver records the span in its context, as an observer with exemplars does.
type spanObserver struct{ spans []trace.SpanContext }

func (o *spanObserver) Stage(observe.StageID) observe.RunObserver { return o }
func (o *spanObserver) Started(context.Context)                   {}
func (o *spanObserver) Ended(ctx context.Context, _ observe.RunEnd) {
	o.spans = append(o.spans, trace.SpanContextFromContext(ctx))
}

func (o *spanObserver) Latency(ctx context.Context, _ observe.Latency) {
	o.spans = append(o.spans, trace.SpanContextFromContext(ctx))
}

func TestStage_ObserverSeesTheSpanOfTheStage(t *testing.T) {
	t.Parallel()
	observer := &spanObserver{}
	r := newRig(t, stages.WithObserver(observer))
	ctx := propagation.ContextWithWaybill(t.Context(), propagation.Waybill{Origin: time.Now()})
	_ = r.Run(ctx, func(context.Context) error { return nil })
	want := r.span(t).SpanContext
	if len(observer.spans) != 2 || !observer.spans[0].Equal(want) || !observer.spans[1].Equal(want) {
		t.Errorf("spans = %v, want %v twice", observer.spans, want)
	}
}

// hostileContext panics in the methods that are set.
type hostileContext struct {
	context.Context //nolint:containedctx // It is a context.

	value, err, deadline bool
}

func (c hostileContext) Value(key any) any {
	if c.value {
		panic("Value")
	}
	return c.Context.Value(key)
}

func (c hostileContext) Err() error {
	if c.err {
		panic("Err")
	}
	return c.Context.Err()
}

func (c hostileContext) Deadline() (time.Time, bool) {
	if c.deadline {
		panic("Deadline")
	}
	return c.Context.Deadline()
}

// spanWithoutContext is a span of the user's in a context.
type spanWithoutContext struct{ noop.Span }

func (spanWithoutContext) SpanContext() trace.SpanContext { panic("SpanContext") }

func TestStage_HostileContextChangesNothing(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"Value":    hostileContext{Context: t.Context(), value: true},
		"Err":      hostileContext{Context: t.Context(), err: true},
		"Deadline": hostileContext{Context: t.Context(), deadline: true},
		"span":     trace.ContextWithSpan(t.Context(), spanWithoutContext{}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			p, _ := newRun(t)
			var log strings.Builder
			logger := slog.New(stages.NewLogHandler(slog.NewTextHandler(&log, nil)))
			for _, want := range []error{nil, errBoom, context.Canceled} {
				fn := func(ctx context.Context) error {
					logger.InfoContext(ctx, "still here")
					return want
				}
				if got := r.Run(ctx, fn); got != want {
					t.Errorf("Run = %v, want %v", got, want)
				}
				if got := p.Run(ctx, fn); got != want {
					t.Errorf("Run of the pipeline = %v, want %v", got, want)
				}
			}
			logger.InfoContext(ctx, "still here")
			if got := strings.Count(log.String(), "still here"); got != 7 {
				t.Errorf("%d records, want 7", got)
			}
			if got := len(r.probe.results); got != 3 {
				t.Errorf("%d runs, want 3", got)
			}
		})
	}
}

func TestZeroValues(t *testing.T) {
	t.Parallel()
	fn := func(context.Context) error { return errBoom }
	if err := new(stages.Pipeline).Run(t.Context(), fn); err != errBoom {
		t.Errorf("Run of a zero Pipeline = %v", err)
	}
	if s, err := new(stages.Pipeline).Stage("load"); s != nil || err == nil {
		t.Errorf("Stage of a zero Pipeline = %v, %v, want an error", s, err)
	}
	s := new(stages.Stage)
	if err := s.Run(t.Context(), fn); err != errBoom {
		t.Errorf("Run of a zero Stage = %v", err)
	}
	if _, err := stages.Call(t.Context(), s, func(context.Context) (int, error) { return 0, errBoom }); err != errBoom {
		t.Errorf("Call with a zero Stage = %v", err)
	}
	if err := stages.WrapErr(s, func(context.Context, int) error { return errBoom })(t.Context(), 1); err != errBoom {
		t.Errorf("WrapErr with a zero Stage = %v", err)
	}
	run := new(stages.Run)
	run.Read(-1)
	run.Wrote(1)
	run.Rejected(1, "x")
	run.BytesIn(1)
	run.BytesOut(1)
	run.Retried()
	run.Watermark(time.Now())
	run.ResetWatermark(time.Time{})
	run.WatermarkOf("a", time.Now())
	run.InputIdle("a")
	run.EventTime(time.Now())
}
