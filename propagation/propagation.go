// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Inject writes the trace context of ctx to carrier: what the propagator has
// of span context, baggage and waybill, and nothing else of its fields.
//
// Without a valid span in ctx nothing is written. It allocates the text of a
// traceparent and a waybill together once, or not at all with a [BytesSetter].
func Inject[C any](ctx context.Context, carrier C, setter Setter[C], opts ...Option) {
	if setter == nil {
		return
	}
	inject(orBackground(ctx), carrier, setter, newConfig(opts))
}

// Extract returns ctx with the trace context that carrier holds, as
// [Remote.Context] does, or ctx itself. A valid span in ctx is replaced by a
// valid remote one only.
func Extract[C any](ctx context.Context, carrier C, getter Getter[C], opts ...Option) context.Context {
	ctx = orBackground(ctx)
	if getter == nil {
		return ctx
	}
	cfg := newConfig(opts)
	return extract(ctx, carrier, getter, &cfg)
}

// Read returns the trace context that carrier holds, to be used as a parent or
// a link, or to be looked at.
func Read[C any](carrier C, getter Getter[C], opts ...Option) (r Remote) {
	if getter != nil {
		cfg := newConfig(opts)
		read(&r, carrier, getter, &cfg)
	}
	return r
}

// Map returns what [Inject] writes, as a new map: a ready carrier for anything
// that takes one. It is empty, and not nil, when ctx has no valid span.
func Map(ctx context.Context, opts ...Option) map[string]string {
	carrier := make(mapCarrier, 3) // traceparent, waybill, and one of tracestate and baggage.
	Inject(ctx, carrier, Setter[mapCarrier](mapAccessor{}), opts...)
	return carrier
}

// spanContext returns the span context of ctx, which may be nil.
func spanContext(ctx context.Context) trace.SpanContext {
	return trace.SpanContextFromContext(ctx)
}

// orBackground returns ctx, or the empty context in the place of nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background() //nolint:forbidigo // a nil ctx is documented to mean this.
	}
	return ctx
}

type mapCarrier = map[string]string

// mapAccessor reads and writes a map.
type mapAccessor struct{}

func (mapAccessor) Get(carrier mapCarrier, key string) string { return carrier[key] }
func (mapAccessor) Set(carrier mapCarrier, key, value string) { carrier[key] = value }
func (mapAccessor) Delete(carrier mapCarrier, key string)     { delete(carrier, key) }
