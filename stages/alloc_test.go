// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package stages_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func succeed(context.Context) error { return nil }

// tracers are the providers a stage is compared on.
func tracers(t testing.TB) map[string]trace.TracerProvider {
	t.Helper()
	sampled := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	t.Cleanup(func() { _ = sampled.Shutdown(context.WithoutCancel(t.Context())) })
	return map[string]trace.TracerProvider{
		"noop":      &struct{ noop.TracerProvider }{},
		"unsampled": sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())),
		"sampled":   sampled,
	}
}

// bare makes a function that does by hand what a stage does: the same span with
// the same attributes.
func bare(provider trace.TracerProvider) func(context.Context) error {
	tracer := provider.Tracer("bare")
	start := []trace.SpanStartOption{trace.WithAttributes(attribute.String("etl.pipeline", "orders"), attribute.String("etl.stage", "load"))}
	return func(ctx context.Context) error {
		ctx, span := tracer.Start(ctx, "load", start...)
		defer span.End()
		err := succeed(ctx)
		if span.IsRecording() {
			span.SetAttributes(attribute.String("etl.outcome", "success"))
		}
		return err
	}
}

// quiet is an observer that allocates nothing.
type quiet struct{}

func (q quiet) Stage(observe.StageID) observe.RunObserver { return q }
func (quiet) Started(context.Context)                     {}
func (quiet) Ended(context.Context, observe.RunEnd)       {}
func (quiet) Counted(observe.Count)                       {}
func (quiet) Checked(observe.Check)                       {}
func (quiet) Watermark(time.Time)                         {}
func (quiet) RowAge(context.Context, time.Duration)       {}
func (quiet) Queue(observe.StageQueue)                    {}
func (quiet) Waited(context.Context, time.Duration)       {}
func (quiet) Batched(context.Context, observe.Batch)      {}

// Not parallel: allocations of other tests would be counted.
func TestAllocationsOfACall(t *testing.T) {
	ctx := t.Context()
	p := mustPipeline(t, stages.WithObserver(quiet{}))
	check := func(what string, limit float64, fn func()) {
		t.Helper()
		if got := testing.AllocsPerRun(1000, fn); got > limit {
			t.Errorf("%s: %v allocations, limit %v", what, got, limit)
		}
	}

	metricsOnly := mustStage(t, p, "load", stages.WithoutSpans())
	check("Run", 1, func() { _ = metricsOnly.Run(ctx, succeed) })
	check("Call", 1, func() { _, _ = stages.Call(ctx, metricsOnly, func(context.Context) (int, error) { return 1, nil }) })
	wrapped := stages.Wrap(metricsOnly, func(_ context.Context, n int) (int, error) { return n, nil })
	check("Wrap", 1, func() { _, _ = wrapped(ctx, 1) })
	load := stages.WrapErr(metricsOnly, func(context.Context, int) error { return nil })
	check("WrapErr", 1, func() { _ = load(ctx, 1) })

	for name, provider := range tracers(t) {
		s := mustStage(t, p, "load", stages.WithTracerProvider(provider))
		byHand := bare(provider)
		limit := testing.AllocsPerRun(1000, func() { _ = byHand(ctx) }) + 1
		check(name, limit, func() { _ = s.Run(ctx, succeed) })
		t.Logf("%s: %v, by hand %v", name, testing.AllocsPerRun(1000, func() { _ = s.Run(ctx, succeed) }), limit-1)
	}
}

// Not parallel: allocations of other tests would be counted.
func TestCountingAllocatesNothing(t *testing.T) {
	s := mustStage(t, mustPipeline(t, stages.WithObserver(quiet{})), "load", stages.WithoutSpans())
	mark := time.Unix(1, 0)
	_ = s.Run(t.Context(), func(ctx context.Context) error {
		if got := testing.AllocsPerRun(1000, func() {
			run := stages.FromContext(ctx)
			run.Read(1)
			run.Wrote(1)
			run.Rejected(1, "x")
			run.BytesIn(1)
			run.BytesOut(1)
			run.Retried()
			run.Watermark(mark)
			run.WatermarkOf("a", mark)
			run.InputIdle("a")
			run.EventTime(mark)
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
		return nil
	})
}

// order is a row that does not fit in a register.
type order struct {
	id, currency string
	price        float64
	items        [8]int
}

func orderChecks() []stages.Check[order] {
	return []stages.Check[order]{
		stages.NewCheck("price_positive", func(o order) bool { return o.price > 0 }),
		stages.NewCheck("currency_known", func(o order) bool { return o.currency == "EUR" }),
		stages.NewCheckErr("schema", func(o order) error {
			if o.id == "" {
				return errNoPrice
			}
			return nil
		}),
	}
}

var goodOrder = order{id: "1", currency: "EUR", price: 3.2}

// Not parallel: allocations of other tests would be counted.
func TestValidate_PassedRowAllocatesNothing(t *testing.T) {
	s := mustStage(t, mustPipeline(t, stages.WithObserver(quiet{})), "validate", stages.WithoutSpans())
	checks := orderChecks()
	keep := func(context.Context, order, []*stages.CheckError) error { return nil }
	v := stages.Must(stages.NewValidator(s, checks, stages.WithAllFailures(), stages.WithDeadLetter(keep)))
	for name, ctx := range map[string]context.Context{"no run": t.Context(), "a run": runContext(t, s)} {
		for form, validate := range map[string]func() bool{
			"checks of a slice": func() bool { return stages.Validate(ctx, s, goodOrder, checks...) },
			"checks as arguments": func() bool {
				return stages.Validate(ctx, s, goodOrder, checks[0], stages.NewCheck("items", func(o order) bool { return o.items[0] == 0 }))
			},
			"validator": func() bool { return v.Validate(ctx, goodOrder) == nil },
		} {
			if got := testing.AllocsPerRun(1000, func() { _ = validate() }); got != 0 || !validate() {
				t.Errorf("%s, %s: %v allocations, passed = %t, want 0, true", name, form, got, validate())
			}
		}
	}
}

// Not parallel: allocations of other tests would be counted.
func TestNewLogHandler_Allocations(t *testing.T) {
	load := mustStage(t, mustPipeline(t), "load", stages.WithoutSpans())
	inMessage := handlingMessage(t, inSpan(t))
	plain := slog.NewJSONHandler(io.Discard, nil)
	for name, ctx := range map[string]context.Context{
		"nothing": t.Context(), "a span": inSpan(t), "a stage": runOf(t, inSpan(t), load), "a message": inMessage,
		"all": stages.ContextWithLogAttrs(runOf(t, inMessage, load), slog.String("file", "a")),
	} {
		for what, log := range map[string]func(*slog.Logger){
			"no attributes":  func(l *slog.Logger) { l.InfoContext(ctx, "m") },
			"two attributes": func(l *slog.Logger) { l.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("a", 1), slog.String("b", "x")) },
			"six attributes": func(l *slog.Logger) {
				l.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("a", 1), slog.Int("b", 2), slog.Int("c", 3), slog.Int("d", 4), slog.Int("e", 5), slog.Int("f", 6))
			},
		} {
			for group, open := range map[string]func(*slog.Logger) *slog.Logger{
				"no group":   func(l *slog.Logger) *slog.Logger { return l },
				"a group":    func(l *slog.Logger) *slog.Logger { return l.WithGroup("g") },
				"two groups": func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("b", 2).WithGroup("h") },
			} {
				by := func(h slog.Handler) float64 {
					logger := open(slog.New(h).With("app", "etl"))
					return testing.AllocsPerRun(100, func() { log(logger) })
				}
				without, with := by(plain), by(stages.NewLogHandler(plain, stages.WithJob("nightly"), stages.WithResource(attribute.String("service.name", "etl"))))
				if with > without+1 {
					t.Errorf("%s, %s, %s: %v allocations, want at most 1 more than %v", name, what, group, with, without)
				}
			}
		}
	}
}

// runContext returns the context of a run of s.
func runContext(t testing.TB, s *stages.Stage) context.Context {
	t.Helper()
	return runOf(t, t.Context(), s)
}

// runOf returns the context of a run of s in ctx.
func runOf(t testing.TB, ctx context.Context, s *stages.Stage) (run context.Context) { //nolint:revive // The test comes first.
	t.Helper()
	_ = s.Run(ctx, func(ctx context.Context) error { run = ctx; return nil }) //nolint:fatcontext // Set once.
	return run
}

func BenchmarkCall(b *testing.B) {
	p := mustPipeline(b, stages.WithObserver(quiet{}))
	ctx := b.Context()
	run := func(name string, fn func(context.Context) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = fn(ctx)
			}
		})
	}
	metricsOnly := mustStage(b, p, "load", stages.WithoutSpans())
	run("spans=none/stage", func(ctx context.Context) error { return metricsOnly.Run(ctx, succeed) })
	for name, provider := range tracers(b) {
		s := mustStage(b, p, "load", stages.WithTracerProvider(provider))
		run("spans="+name+"/bare", bare(provider))
		run("spans="+name+"/stage", func(ctx context.Context) error { return s.Run(ctx, succeed) })
	}
}

func BenchmarkCount(b *testing.B) {
	s := mustStage(b, mustPipeline(b, stages.WithObserver(quiet{})), "load", stages.WithoutSpans())
	_ = s.Run(b.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		b.ReportAllocs()
		for b.Loop() {
			run.Read(1)
		}
		return nil
	})
}

func BenchmarkValidate(b *testing.B) {
	s := mustStage(b, mustPipeline(b, stages.WithObserver(quiet{})), "validate", stages.WithoutSpans())
	checks := orderChecks()
	v := stages.Must(stages.NewValidator(s, checks))
	ctx := runContext(b, s)
	bad := goodOrder
	bad.currency = "?"
	for name, row := range map[string]order{"passed": goodOrder, "rejected": bad} {
		b.Run("row="+name+"/checks", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = stages.Validate(ctx, s, row, checks...)
			}
		})
		b.Run("row="+name+"/validator", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = v.Validate(ctx, row)
			}
		})
	}
}

func BenchmarkNewLogHandler(b *testing.B) {
	load := mustStage(b, mustPipeline(b), "load", stages.WithoutSpans())
	ctx := runOf(b, handlingMessage(b, inSpan(b)), load)
	plain := slog.NewJSONHandler(io.Discard, nil)
	for name, handler := range map[string]slog.Handler{"plain": plain, "stages": stages.NewLogHandler(plain)} {
		logger := slog.New(handler)
		b.Run("handler="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				logger.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("a", 1), slog.String("b", "x"))
			}
		})
	}
}

func BenchmarkWatermarkOf(b *testing.B) {
	s := mustStage(b, mustPipeline(b, stages.WithObserver(quiet{})), "load", stages.WithoutSpans())
	run := stages.FromContext(runContext(b, s))
	b.RunParallel(func(pb *testing.PB) {
		mark := time.Unix(1, 0)
		for pb.Next() {
			mark = mark.Add(time.Millisecond)
			run.WatermarkOf("a", mark)
		}
	})
}

func BenchmarkEventTime(b *testing.B) {
	s := mustStage(b, mustPipeline(b, stages.WithObserver(quiet{})), "load", stages.WithoutSpans())
	run := stages.FromContext(runContext(b, s))
	happened := time.Now().Add(-time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		run.EventTime(happened)
	}
}
