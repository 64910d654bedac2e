// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package metrics_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// Not parallel: allocations of other tests would be counted.
func TestNewOTel_AllocationsOfAMeasuredCall(t *testing.T) {
	provider, _ := newReader()
	s, ctx := newStage(t, mustNewOTel(t, provider)), t.Context()
	if got := testing.AllocsPerRun(1000, func() { _ = s.Run(ctx, succeed) }); got > 1 {
		t.Errorf("a call allocates %v times, want at most 1", got)
	}
}

// Not parallel: allocations of other tests would be counted.
func TestNewOTel_ObservingAllocatesNothing(t *testing.T) {
	provider, _ := newReader()
	m := mustNewOTel(t, provider, metrics.WithLabelLimit(1))
	run, ctx, mark := observerOf(m), t.Context(), time.Unix(1, 0)
	observeMessage(ctx, m)
	if got := testing.AllocsPerRun(1000, func() {
		run.Started(ctx)
		run.Counted(observe.Count{Kind: observe.CountRead, N: 1})
		run.Counted(observe.Count{Kind: observe.CountRejected, N: 1, Reason: "no_price"})
		run.Checked(observe.Check{Name: "has_price", Passed: 1})
		run.Batched(ctx, observe.Batch{Rows: 1})
		run.RowAge(ctx, time.Second)
		run.Waited(ctx, time.Second)
		run.Watermark(mark)
		run.Ended(ctx, observe.RunEnd{Duration: time.Second, Downstream: time.Second})
		observeMessage(ctx, m)
	}); got != 0 {
		t.Errorf("observing allocates %v times, want 0", got)
	}
}

// byHand are the instruments that BenchmarkNewOTel compares with: those of one stage,
// with attributes that are made once.
type byHand struct {
	duration   metric.Float64Histogram
	read       metric.Int64Counter
	record     []metric.RecordOption
	add        []metric.AddOption
	attributes []attribute.KeyValue
}

func newByHand(b *testing.B) *byHand {
	b.Helper()
	provider, _ := newReader()
	meter := provider.Meter("by hand")
	duration, err := meter.Float64Histogram("duration", metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(0.001, 0.01, 0.1, 1, 10, 60, 600, 3600))
	if err != nil {
		b.Fatal(err)
	}
	read, err := meter.Int64Counter("read", metric.WithUnit("{row}"))
	if err != nil {
		b.Fatal(err)
	}
	attributes := []attribute.KeyValue{attribute.String("etl.pipeline", "orders"), attribute.String("etl.stage", "load"), attribute.String("etl.outcome", "success")}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return &byHand{duration, read, []metric.RecordOption{set}, []metric.AddOption{set}, attributes}
}

// A call of a stage, beside the least that a user of OpenTelemetry writes, with
// attributes made once and with attributes made for each call.
func BenchmarkNewOTel_Call(b *testing.B) {
	ctx := b.Context()
	b.Run("stage", func(b *testing.B) {
		provider, _ := newReader()
		s := newStage(b, mustNewOTel(b, provider))
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Run(ctx, succeed)
		}
	})
	hand := newByHand(b)
	b.Run("by hand, bound", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			start := time.Now()
			_ = succeed(ctx)
			hand.duration.Record(ctx, time.Since(start).Seconds(), hand.record...)
		}
	})
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			start := time.Now()
			_ = succeed(ctx)
			hand.duration.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(hand.attributes...))
		}
	})
}

// Counting rows, from one goroutine and from many.
func BenchmarkNewOTel_Count(b *testing.B) {
	ctx := b.Context()
	provider, _ := newReader()
	hand := newByHand(b)
	count := map[string]func(run *stages.Run){
		"run":            func(run *stages.Run) { run.Read(1) },
		"by hand, bound": func(*stages.Run) { hand.read.Add(ctx, 1, hand.add...) },
		"by hand":        func(*stages.Run) { hand.read.Add(ctx, 1, metric.WithAttributes(hand.attributes...)) },
	}
	_ = newStage(b, mustNewOTel(b, provider)).Run(ctx, func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		for name, add := range count {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					add(run)
				}
			})
			b.Run(name+", parallel", func(b *testing.B) {
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						add(run)
					}
				})
			})
		}
		return nil
	})
}

// A collection of 1,000 stages.
func BenchmarkNewOTel_Collect(b *testing.B) {
	provider, reader := newReader()
	m := mustNewOTel(b, provider)
	for i := range 1000 {
		run, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load " + strconv.Itoa(i)}).(stageObserver)
		run.Counted(observe.Count{Kind: observe.CountRead, N: 1})
		run.Ended(b.Context(), observe.RunEnd{Duration: time.Second})
	}
	b.ReportAllocs()
	for b.Loop() {
		collected(b, reader)
	}
}
