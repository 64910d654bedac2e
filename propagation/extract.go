// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"cmp"
	"context"
	"slices"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

func extract[C any](ctx context.Context, carrier C, getter Getter[C], cfg *config) context.Context {
	if cfg.codec.native {
		var r Remote
		readNative(&r, carrier, getter, cfg)
		return r.in(ctx)
	}
	c := newChain(carrier, getter, cfg)
	extracted := c.extract(ctx)
	if c.found || c.malformed() == nil {
		return extracted
	}
	if spanContext(ctx).IsValid() {
		// It may be malformed, or the context that ctx has already.
		var r Remote
		if read(&r, carrier, getter, cfg); r.err == nil {
			return extracted
		}
	}
	return ctx // What belongs to a malformed trace context is not read without it.
}

// read makes the zero Remote r what the carrier holds: a whole context or none,
// so after a malformed trace context nothing else.
func read[C any](r *Remote, carrier C, getter Getter[C], cfg *config) {
	r.maxAge = cfg.maxAge
	if cfg.codec.native {
		readNative(r, carrier, getter, cfg)
		return
	}
	nothing := context.Background() //nolint:forbidigo // what is extracted must not mix with a caller's context.
	c := newChain(carrier, getter, cfg)
	ctx := c.extract(nothing)
	if !c.found {
		if r.err = c.malformed(); r.err != nil {
			return
		}
	}
	if sameContext(ctx, nothing) {
		return
	}
	r.spanContext, r.baggage, r.waybill = spanContext(ctx), baggage.FromContext(ctx), WaybillFromContext(ctx)
	r.extracted = &extraction{ctx, c.conflict}
}

// chain extracts a context by the formats of a codec, one after the other. Of
// several trace contexts the last one is kept, or on a carrier with an order the
// newest.
type chain[C any] struct {
	codec   *codec
	baggage baggageRule
	getter  Getter[C]
	view    *view[C]
	carrier TextMapCarrier // view, with its optional methods.

	found    bool  // Reports whether a trace context was found,
	conflict bool  // and another one that differs.
	err      error // Why a traceparent was not read.
}

func newChain[C any](carrier C, getter Getter[C], cfg *config) chain[C] {
	c := chain[C]{codec: cfg.codec, baggage: cfg.baggage, getter: getter}
	c.view, c.carrier = newView(carrier, getter)
	return c
}

// extract returns ctx with what the carrier holds.
func (c *chain[C]) extract(ctx context.Context) context.Context {
	base := ctx
	if c.baggage.restricted && baggage.FromContext(ctx).Len() > 0 {
		ctx = baggage.ContextWithoutBaggage(ctx)
	}
	extracted, older := c.run(ctx, 0)
	if older != 0 {
		extracted, _ = c.run(ctx, older)
	}
	if sameContext(extracted, ctx) {
		return base
	}
	if !c.baggage.restricted {
		return extracted
	}
	if selected := c.baggage.filter(baggage.FromContext(extracted)); selected.Len() > 0 {
		return baggage.ContextWithBaggage(extracted, selected)
	}
	return baggage.ContextWithBaggage(extracted, baggage.FromContext(base))
}

// formatSet is a set of the first 64 formats of a codec.
type formatSet uint64

// found is a trace context that some formats found.
type found struct {
	span     spanKey
	formats  formatSet
	position int // The highest one of it, or -1 if the carrier has no order.
}

// run extracts by all formats but those to skip. If the carrier has an order, it
// returns the formats that found another trace context than the newest.
func (c *chain[C]) run(ctx context.Context, skip formatSet) (extracted context.Context, older formatSet) {
	var room [4]found
	all := room[:0]
	for i, f := range c.codec.formats {
		this := formatSet(1) << i
		if skip&this != 0 {
			continue
		}
		c.view.newest = -1
		next := c.step(ctx, f)
		after := spanContext(next)
		if after.IsValid() && (!sameSpan(spanContext(ctx), after) || len(all) > 0 && !sameContext(ctx, next)) {
			all = appendFound(all, found{keyOf(after), this, c.view.newest})
		}
		ctx = next //nolint:fatcontext // as deep as there are formats.
	}
	c.found = c.found || len(all) > 0
	c.conflict = c.conflict || len(all) > 1
	if c.view.indexer == nil || len(all) < 2 {
		return ctx, 0
	}
	newest := slices.MaxFunc(all, func(a, b found) int { return cmp.Compare(a.position, b.position) })
	for _, f := range all {
		if f.span != newest.span {
			older |= f.formats
		}
	}
	return ctx, older
}

// appendFound adds f to all, of which each is another span.
func appendFound(all []found, f found) []found {
	for i := range all {
		if all[i].span == f.span {
			all[i].formats |= f.formats
			all[i].position = max(all[i].position, f.position)
			return all
		}
	}
	return append(all, f)
}

// sameContext reports whether a and b are one context. One of a type that cannot
// be compared is never the same.
func sameContext(a, b context.Context) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a == b
}

// sameSpan reports whether a and b are equal. It does not look at the members of
// their tracestates, which their method Equal compares as text.
func sameSpan(a, b trace.SpanContext) bool {
	return a.SpanID() == b.SpanID() && a.TraceID() == b.TraceID() && a.TraceFlags() == b.TraceFlags() &&
		a.IsRemote() == b.IsRemote() && a.TraceState().Len() == b.TraceState().Len()
}

// step returns ctx with what the carrier holds in one format.
func (c *chain[C]) step(ctx context.Context, f format) context.Context {
	carrier := c.view.carrier
	bytes, multi := optionals(c.getter)
	switch f.kind {
	case traceContextFormat:
		var sc trace.SpanContext
		if malformed := readTraceContext(&sc, carrier, c.getter, bytes, multi); malformed != "" {
			c.err = &MalformedError{Key: keyTraceparent, Reason: malformed}
		}
		if sc.IsValid() {
			if c.view.indexer != nil {
				c.view.newest = c.view.indexer.Index(carrier, keyTraceparent)
			}
			return trace.ContextWithRemoteSpanContext(ctx, sc)
		}
	case baggageFormat:
		if c.baggage.isNone() {
			return ctx
		}
		if b := readBaggage(carrier, c.getter, bytes, multi); b.Len() > 0 {
			return baggage.ContextWithBaggage(ctx, b)
		}
	case waybillFormat:
		if w := readWaybill(carrier, c.getter, bytes); !w.IsZero() {
			return ContextWithWaybill(ctx, w)
		}
	case foreignFormat:
		return extractBy(f.foreign, ctx, c.carrier)
	}
	return ctx
}

// malformed returns why no propagator accepted the trace context that is there.
// It is nil if there is none. A field of an unknown format is not looked at,
// because it may hold anything.
func (c *chain[C]) malformed() error {
	if c.err != nil {
		return c.err
	}
	for _, key := range c.codec.fields {
		if !holdsSpanID(key) {
			continue
		}
		value := c.getter.Get(c.view.carrier, key)
		if len(value) <= 1 { // B3 has a sampling decision alone: 0, 1 or d.
			continue
		}
		if key == keyTraceparent {
			if malformed := parseTraceparent(&trace.SpanContextConfig{}, value); malformed != "" {
				return &MalformedError{Key: key, Reason: malformed}
			}
		}
		return &MalformedError{Key: key, Reason: "the propagator did not accept it"}
	}
	return nil
}

// readNative is read for the formats of this package.
func readNative[C any](r *Remote, carrier C, getter Getter[C], cfg *config) {
	bytes, multi := optionals(getter)
	if cfg.codec.traceContext {
		if malformed := readTraceContext(&r.spanContext, carrier, getter, bytes, multi); malformed != "" {
			r.err = &MalformedError{Key: keyTraceparent, Reason: malformed}
			return
		}
	}
	if cfg.codec.baggage && !cfg.baggage.isNone() {
		r.baggage = cfg.baggage.filter(readBaggage(carrier, getter, bytes, multi))
	}
	if cfg.codec.waybill {
		r.waybill = readWaybill(carrier, getter, bytes)
	}
}
