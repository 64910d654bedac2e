// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package metrics_test

import (
	"context"
	"testing"
	"time"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func succeed(context.Context) error { return nil }

// Not parallel: allocations of other tests would be counted.
func TestAllocationsOfAMeasuredCall(t *testing.T) {
	ctx := t.Context()
	for name, opts := range map[string][]metrics.Option{
		"default":      nil,
		"native only":  {metrics.WithoutClassicBuckets()},
		"classic only": {metrics.WithoutNativeHistograms()},
	} {
		s := newStage(t, mustNew(t, nil, opts...))
		if got := testing.AllocsPerRun(1000, func() { _ = s.Run(ctx, succeed) }); got > 1 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// Not parallel: allocations of other tests would be counted.
func TestCountingAllocatesNothing(t *testing.T) {
	mark := time.Unix(1, 0)
	_ = newStage(t, mustNew(t, nil, metrics.WithLabelLimit(1))).Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		if got := testing.AllocsPerRun(1000, func() {
			run.Read(1)
			run.Wrote(1)
			run.Rejected(1, "first")
			run.Rejected(1, "one too many")
			run.BytesIn(1)
			run.BytesOut(1)
			run.Retried()
			run.Watermark(mark)
		}); got != 0 {
			t.Errorf("%v allocations", got)
		}
		return nil
	})
}

// Not parallel: allocations of other tests would be counted.
func TestObservingAStageAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	load := observerOf(mustNew(t, nil, metrics.WithLabelLimit(1)))
	load.Checked(observe.Check{Name: "first"})
	later := time.Unix(1, 0)
	for name, observed := range map[string]func(){
		"run": func() { load.Started(ctx); load.Ended(ctx, observe.RunEnd{Duration: 1, Downstream: 1}) },
		"failed run": func() {
			load.Started(ctx)
			load.Ended(ctx, observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: "x"})
		},
		"check":                 func() { load.Checked(observe.Check{Name: "first", Passed: 1}) },
		"check beyond limit":    func() { load.Checked(observe.Check{Name: "one too many", Passed: 1}) },
		"batch":                 func() { load.Batched(ctx, observe.Batch{Rows: 3}) },
		"row age":               func() { load.RowAge(ctx, time.Hour) },
		"wait":                  func() { load.Waited(ctx, time.Millisecond) },
		"latency":               func() { load.Latency(ctx, observe.Latency{EndToEnd: time.Second}) },
		"watermark that moves":  func() { later = later.Add(time.Second); load.Watermark(later) },
		"watermark that is old": func() { load.Watermark(time.Unix(1, 0)) },
		"watermark reset":       func() { load.WatermarkReset(time.Unix(1, 0)) },
		"dropped telemetry":     func() { load.Dropped(observe.Drop{Reason: observe.DropNegative}) },
	} {
		if got := testing.AllocsPerRun(1000, observed); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}

// Not parallel: allocations of other tests would be counted.
func TestMeasuringMessagesAndDocumentsAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	for name, opts := range map[string][]metrics.Option{
		"default":  nil,
		"full":     {metrics.WithLabelLimit(1)},
		"by topic": {metrics.WithoutPartitions()},
	} {
		m := mustNew(t, nil, opts...)
		m.Sent(ctx, observe.Send{System: observe.SystemKafka, Destination: "first", Messages: 1, Bytes: 1})
		m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: "first", Messages: 1})
		if got := testing.AllocsPerRun(1000, func() { observeMessage(ctx, m) }); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}

// observeMessage is what is observed of a message and a document.
func observeMessage(ctx context.Context, m *metrics.Metrics) {
	const kafka, mongo = observe.SystemKafka, observe.SystemMongoDB
	m.Sent(ctx, observe.Send{System: kafka, Destination: "orders", Partition: 500, Messages: 1, Bytes: 1})
	m.Queued(observe.Queue{System: kafka, Destination: "orders", Change: 1})
	m.Blocked(observe.Block{System: kafka, Operation: "send", Destination: "orders", Duration: time.Second})
	for reader := range uint64(2) {
		m.Fetched(ctx, observe.Fetch{System: kafka, Group: "workers", Topic: "orders", Partition: 500, Bytes: 1, Lag: 1, Queued: time.Second, Reader: reader})
	}
	m.Arrived(ctx, observe.Arrival{System: kafka, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
	m.Committed(ctx, observe.Commit{System: kafka, Group: "workers", Topic: "orders", Partition: 500, Lag: 1})
	m.Arrived(ctx, observe.Arrival{System: mongo, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
	m.Processed(ctx, observe.Process{System: mongo, Destination: "orders", Messages: 1})
	m.Processed(ctx, observe.Process{System: kafka, Destination: "orders", Messages: 1, Duration: time.Second})
}

func BenchmarkMessage(b *testing.B) {
	m, ctx := mustNew(b, nil), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		observeMessage(ctx, m)
	}
}

func BenchmarkMeasuredCall(b *testing.B) {
	ctx := b.Context()
	for name, opts := range map[string][]metrics.Option{
		"default":      nil,
		"native only":  {metrics.WithoutClassicBuckets()},
		"classic only": {metrics.WithoutNativeHistograms()},
	} {
		b.Run(name, func(b *testing.B) {
			s := newStage(b, mustNew(b, nil, opts...))
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Run(ctx, succeed)
			}
		})
	}
}

func BenchmarkCount(b *testing.B) {
	s := newStage(b, mustNew(b, nil))
	_ = s.Run(b.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		b.Run("Read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run.Read(1)
			}
		})
		b.Run("Rejected", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run.Rejected(1, "no_price")
			}
		})
		return nil
	})
}
