// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// ordering lets api take an order that is sold out, with code. The spans that are open
// at the end are exported too.
func ordering(code code) code {
	return func(ctx context.Context, s *system) error {
		s.api = s.start("api", sdktrace.WithSpanProcessor(&openSpans{exporter: exporterTo(s.endpoint)}),
			sdktrace.WithBatcher(exporterTo(s.endpoint)))
		ctx, span := s.api.Start(ctx, "POST /orders", server)
		defer span.End()
		if err := code(ctx, s); !errors.Is(err, errSoldOut) {
			return err
		}
		return nil
	}
}

// reserve finds that an order is sold out.
func (s *system) reserve(ctx context.Context) error {
	_, span := s.api.Start(ctx, "SELECT stock", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	return errSoldOut
}

// openSpans is a processor that exports the spans that are open at the end. A span is
// exported when it ends otherwise, so those that never do are seen nowhere.
type openSpans struct {
	exporter sdktrace.SpanExporter

	mu   sync.Mutex
	open map[trace.SpanID]sdktrace.ReadOnlySpan
}

// OnStart implements [sdktrace.SpanProcessor].
func (p *openSpans) OnStart(_ context.Context, span sdktrace.ReadWriteSpan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = make(map[trace.SpanID]sdktrace.ReadOnlySpan)
	}
	p.open[span.SpanContext().SpanID()] = span
}

// OnEnd implements [sdktrace.SpanProcessor].
func (p *openSpans) OnEnd(span sdktrace.ReadOnlySpan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, span.SpanContext().SpanID())
}

// Shutdown implements [sdktrace.SpanProcessor].
func (p *openSpans) Shutdown(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var spans []sdktrace.ReadOnlySpan
	for _, span := range p.open {
		spans = append(spans, span)
	}
	return p.exporter.ExportSpans(ctx, spans)
}

// ForceFlush implements [sdktrace.SpanProcessor].
func (p *openSpans) ForceFlush(context.Context) error { return nil }
