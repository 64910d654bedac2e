// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// The clock of the machine on which worker runs is 5 s slow. Here its exporter
// shifts the times.
func p18Fault(ctx context.Context, s *system) error {
	s.worker = s.start("worker", sdktrace.WithBatcher(slowClock{exporterTo(s.endpoint), 5 * time.Second}))
	return s.sendAndWork(ctx)
}

// The clocks of both machines are synchronized.
func p18Cure(ctx context.Context, s *system) error {
	s.worker = s.start("worker", sdktrace.WithBatcher(exporterTo(s.endpoint)))
	return s.sendAndWork(ctx)
}

// slowClock exports spans as a machine would whose clock is slow.
type slowClock struct {
	sdktrace.SpanExporter

	by time.Duration
}

// ExportSpans implements [sdktrace.SpanExporter].
func (c slowClock) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	stubs := tracetest.SpanStubsFromReadOnlySpans(spans)
	for i := range stubs {
		stubs[i].StartTime = stubs[i].StartTime.Add(-c.by)
		stubs[i].EndTime = stubs[i].EndTime.Add(-c.by)
	}
	return c.SpanExporter.ExportSpans(ctx, stubs.Snapshots())
}
