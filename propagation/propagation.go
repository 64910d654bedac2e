// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"maps"

	"go.opentelemetry.io/otel/trace"
)

// Inject writes the context of ctx to carrier, replacing any that is there: what
// the propagator has of span context, baggage and waybill. It writes what
// [Encode] returns.
//
// If ctx has no valid span, Inject writes no trace context, but the waybill and
// the baggage of ctx if it has them. They are not written beside a trace context
// that the carrier already holds.
//
// For the formats of this package Inject allocates at most once, for the text of
// traceparent and waybill, and not at all if setter implements [FieldsSetter].
func Inject[C any](ctx context.Context, carrier C, setter Setter[C], opts ...Option) {
	if setter == nil {
		return
	}
	cfg := newConfig(opts)
	var f Fields
	ctx = orBackground(ctx)
	f.encode(ctx, &cfg)
	kept := write(&f, carrier, setter, &cfg)
	if cfg.isAsked() {
		noteInject(ctx, &f, &cfg, carrier, kept)
	}
}

// Extract returns ctx with the context that carrier holds, as [Remote.Context]
// does, or ctx itself. Extract never fails; a malformed context is treated as
// absent. A span already in ctx is replaced only by a valid remote span.
//
// Baggage and a waybill that are already in ctx stay there if carrier holds
// none. In a loop, therefore, extract each message into the ctx from before the
// loop, never into that of the message before.
func Extract[C any](ctx context.Context, carrier C, getter Getter[C], opts ...Option) context.Context {
	ctx = orBackground(ctx)
	if getter == nil {
		return ctx
	}
	cfg := newConfig(opts)
	extracted := extract(ctx, carrier, getter, &cfg)
	if cfg.isAsked() {
		noteExtract(ctx, carrier, getter, &cfg)
	}
	return extracted
}

// Read returns the context that carrier holds, to use it as a parent or a link,
// or to look at it. Read never fails; a malformed context is treated as absent,
// and [Remote.Err] returns the reason.
func Read[C any](carrier C, getter Getter[C], opts ...Option) (r Remote) {
	if getter != nil {
		cfg := newConfig(opts)
		read(&r, carrier, getter, &cfg)
		if cfg.isAsked() {
			r.noted = noteRead(carrier, getter, &cfg)
		}
	}
	return r
}

// Map returns what [Inject] writes, in a new map: a carrier for anything that
// takes one. The map is never nil; it is empty if there is nothing to write.
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

func (mapAccessor) SetFields(carrier mapCarrier, fields Fields) {
	maps.DeleteFunc(carrier, func(key, _ string) bool { return fields.Clears(key) })
	maps.Insert(carrier, fields.All())
}
