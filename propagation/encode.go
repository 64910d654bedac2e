// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// maxTracestate is the length of a tracestate that every receiver must accept. A
// longer one is left out whole.
// https://www.w3.org/TR/trace-context-2/#tracestate-limits
const maxTracestate = 512

// Encode returns what [Inject] writes for ctx, so that it can be written to many
// carriers, or to a carrier that has better ways than to be set key by key. The
// waybill is the one of data that is sent now.
//
// If ctx has no valid span, no trace context is written. The waybill of ctx, and
// baggage that the options allow, are written all the same, so that a service
// without an SDK does not end the latency of a flow. If ctx has no waybill
// either, none is made: where data enters the flow, give it one with
// [ContextWithWaybill]. If then there is nothing to write, the result is empty,
// or by [Replace] only removes what is there.
//
// It allocates nothing for the formats of this package, except for the text of a
// baggage or a tracestate that ctx does not hold as text.
func Encode(ctx context.Context, opts ...Option) Fields {
	var f Fields
	cfg := newConfig(opts)
	f.encode(orBackground(ctx), &cfg)
	return f
}

// encode makes the zero Fields f what an injection of ctx writes.
func (f *Fields) encode(ctx context.Context, cfg *config) {
	sc := spanContext(ctx)
	if cfg.codec.native {
		f.encodeNative(ctx, sc, cfg)
	} else {
		f.encodeForeign(ctx, sc, cfg)
	}
	if cfg.maxBytes > 0 {
		for f.Size() > cfg.maxBytes && f.drop() {
			continue
		}
	}
	valid := sc.IsValid()
	if f.Len() > 0 || len(cfg.codec.fields) > 0 && (valid || cfg.policy == Replace) {
		f.codec = cfg.codec
		f.keepsExisting = cfg.policy == KeepExisting || !valid && cfg.policy != Replace
	}
}

// encodeNative takes from ctx what the codec carries in the formats of this
// package.
func (f *Fields) encodeNative(ctx context.Context, sc trace.SpanContext, cfg *config) {
	valid := sc.IsValid()
	if cfg.codec.traceContext && valid {
		appendTraceparent(f.fixed[:0], sc)
		f.traceContext = true
		f.add(partTraceparent)
	}
	if cfg.codec.waybill {
		f.encodeWaybill(ctx, valid)
	}
	if f.traceContext {
		if f.tracestate = sc.TraceState().String(); len(f.tracestate) > maxTracestate {
			f.reduced = true
		} else if f.tracestate != "" {
			f.add(partTracestate)
		}
	}
	if cfg.codec.baggage {
		if f.baggage = baggageText(cfg.baggage.filter(baggage.FromContext(ctx))); f.baggage != "" {
			f.add(partBaggage)
		}
	}
}

// encodeWaybill takes the waybill of ctx, or makes one for data that enters the
// flow in a span.
func (f *Fields) encodeWaybill(ctx context.Context, inSpan bool) {
	w := WaybillFromContext(ctx)
	if w.IsZero() && !inSpan {
		return
	}
	if _, ok := w.departed(time.Now()).appendText(f.fixed[traceparentLen:traceparentLen]); ok {
		f.add(partWaybill)
	}
}

// encodeForeign takes from ctx what another propagator writes: nothing if it
// panics, and no trace context if ctx has no valid span.
func (f *Fields) encodeForeign(ctx context.Context, sc trace.SpanContext, cfg *config) {
	var c collector
	if !c.collect(cfg.baggage.restrict(ctx), cfg.codec) {
		return
	}
	f.others = slices.DeleteFunc(c.pairs, func(p pair) bool {
		switch kindOf(p.key) {
		case kindTraceContext:
			return !sc.IsValid()
		case kindTracestate:
			f.reduced = f.reduced || len(p.value) > maxTracestate
			return !sc.IsValid() || len(p.value) > maxTracestate
		default:
			return false
		}
	})
	f.traceContext = sc.IsValid() && f.holdsTraceContext()
}

// collector is a carrier that keeps what a propagator sets, in order. An empty
// value is one that is absent.
type collector struct {
	pairs []pair
	room  [8]pair // for what most propagators set.
}

var _ TextMapCarrier = (*collector)(nil)

// collect makes c what the propagator writes for ctx. It reports false if the
// propagator panics.
func (c *collector) collect(ctx context.Context, codec *codec) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	c.pairs = c.room[:0]
	codec.propagator.Inject(ctx, c)
	return true
}

func (c *collector) Get(key string) string {
	for i := range c.pairs {
		if c.pairs[i].key == key {
			return c.pairs[i].value
		}
	}
	return ""
}

func (c *collector) Set(key, value string) {
	for i := range c.pairs {
		switch {
		case c.pairs[i].key != key:
			continue
		case value == "":
			c.pairs = slices.Delete(c.pairs, i, i+1)
		default:
			c.pairs[i].value = value
		}
		return
	}
	if value != "" {
		c.pairs = append(c.pairs, pair{key, value})
	}
}

func (c *collector) Keys() []string {
	keys := make([]string, len(c.pairs))
	for i, p := range c.pairs {
		keys[i] = p.key
	}
	return keys
}

// owns reports whether the propagator of c writes key, in any case.
func (c *codec) owns(key string) bool {
	for _, field := range c.fields {
		if sameKey(field, key) {
			return true
		}
	}
	return c.baggagePrefix != "" && hasPrefixFold(key, strings.ToLower(c.baggagePrefix))
}
