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
// carriers, or to a carrier that has better means than to be set key by key. The
// waybill is the one of data that is sent now.
//
// If ctx has no valid span, no trace context is written. The waybill of ctx, and
// baggage that the options allow, are written all the same, so that a service
// without an SDK does not end the latency of a flow. If ctx has no waybill
// either, none is made: where data enters a flow in such a service, call
// [ContextWithWaybill]. If there is nothing to write, the result is empty, or
// with [Replace] only clears the carrier.
//
// Encode allocates nothing for the formats of this package, except for the text
// of a tracestate or a baggage. A tracestate of more than 512 bytes is left out.
func Encode(ctx context.Context, opts ...Option) (f Fields) {
	encode(ctx, &f, opts)
	return f
}

// encode is Encode into the zero Fields f, so that Encode is inlined, and its
// result is not copied once more.
func encode(ctx context.Context, f *Fields, opts []Option) {
	cfg := newConfig(opts)
	ctx = orBackground(ctx)
	f.encode(ctx, &cfg)
	if cfg.isAsked() {
		noteInject(ctx, f, &cfg, nil, false)
	}
}

// encode makes the zero Fields f what an injection of ctx writes.
func (f *Fields) encode(ctx context.Context, cfg *config) {
	sc := spanContext(ctx)
	valid := sc.IsValid()
	if cfg.codec.native {
		f.encodeNative(ctx, sc, cfg)
	} else {
		f.encodeFormats(ctx, sc, cfg)
	}
	if cfg.maxBytes > 0 {
		for f.Size() > cfg.maxBytes && f.drop() {
			continue
		}
	}
	if f.Len() > 0 || len(cfg.codec.fields) > 0 && (valid || cfg.policy == Replace) {
		f.codec = cfg.codec
		f.keepsExisting = cfg.policy == KeepExisting || !valid && cfg.policy != Replace
	}
}

// encodeNative encodes the formats of this package.
func (f *Fields) encodeNative(ctx context.Context, sc trace.SpanContext, cfg *config) {
	if cfg.codec.traceContext && sc.IsValid() {
		f.encodeTraceparent(sc)
	}
	if cfg.codec.waybill {
		f.encodeWaybill(ctx, sc.IsValid())
	}
	if f.traceContext {
		f.encodeTracestate(sc)
	}
	if cfg.codec.baggage {
		f.encodeBaggage(ctx, cfg)
	}
}

// encodeFormats encodes formats of which some are foreign, in their order. If
// two of them write one key, the last one wins.
func (f *Fields) encodeFormats(ctx context.Context, sc trace.SpanContext, cfg *config) {
	restricted := cfg.baggage.restrict(ctx)
	var c collector
	f.others = c.room[:0] // What is added was collected further on in it.
	for _, format := range cfg.codec.formats {
		switch format.kind {
		case traceContextFormat:
			if sc.IsValid() {
				f.removeKey(keyTraceparent)
				f.removeKey(keyTracestate)
				f.encodeTraceparent(sc)
				f.encodeTracestate(sc)
			}
		case waybillFormat:
			f.removeKey(keyWaybill)
			f.encodeWaybill(ctx, sc.IsValid())
		case baggageFormat:
			f.removeKey(keyBaggage)
			f.encodeBaggage(ctx, cfg)
		case foreignFormat:
			f.encodeForeign(c.collect(format.foreign, restricted), sc)
		}
	}
	f.traceContext = sc.IsValid() && f.holdsTraceContext()
}

// encodeForeign adds what a foreign propagator wrote, but no trace context if
// there is no span: some write half of one.
func (f *Fields) encodeForeign(pairs []pair, sc trace.SpanContext) {
	for _, p := range pairs {
		kind := kindOf(p.key)
		if (kind == kindTraceContext || kind == kindTracestate) && !sc.IsValid() {
			continue
		}
		if kind == kindTracestate && len(p.value) > maxTracestate {
			f.reduced = true
			continue
		}
		f.removeKey(p.key)
		f.others = append(f.others, p)
	}
}

func (f *Fields) encodeTraceparent(sc trace.SpanContext) {
	appendTraceparent(f.fixed[:0], sc)
	f.traceContext = true
	f.add(partTraceparent)
}

func (f *Fields) encodeTracestate(sc trace.SpanContext) {
	switch text := sc.TraceState().String(); {
	case len(text) > maxTracestate:
		f.reduced = true
	case text != "":
		f.tracestate = text
		f.add(partTracestate)
	}
}

// encodeWaybill takes the waybill of ctx, or makes one for data that enters the
// flow in a span.
func (f *Fields) encodeWaybill(ctx context.Context, inSpan bool) { //nolint:revive // inSpan is a fact of ctx.
	w := WaybillFromContext(ctx)
	if !inSpan && w.IsZero() {
		return
	}
	if _, ok := w.departed(time.Now()).appendText(f.fixed[traceparentLen:traceparentLen]); ok {
		f.add(partWaybill)
	}
}

func (f *Fields) encodeBaggage(ctx context.Context, cfg *config) {
	if f.baggage = baggageText(cfg.baggage.filter(baggage.FromContext(ctx))); f.baggage != "" {
		f.add(partBaggage)
	}
}

// baggageText returns the text of b with its members in order, so that one
// context always gives one text.
func baggageText(b baggage.Baggage) string {
	if b.Len() == 0 {
		return ""
	}
	text := b.String()
	if b.Len() == 1 {
		return text
	}
	var room [16]string
	members := room[:0]
	for member := range strings.SplitSeq(text, ",") { // A comma within a member is escaped.
		members = append(members, member)
	}
	if slices.IsSorted(members) {
		return text
	}
	slices.Sort(members)
	return strings.Join(members, ",")
}

// restrict returns ctx with the baggage that r selects.
func (r baggageRule) restrict(ctx context.Context) context.Context {
	all := baggage.FromContext(ctx)
	if !r.restricted || all.Len() == 0 {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, r.filter(all))
}
