// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/sheet"
)

// inject applies the policy, clears the carrier and writes.
func inject[C any](ctx context.Context, carrier C, setter Setter[C], cfg config) {
	sc := spanContext(ctx)
	if !sc.IsValid() {
		if cfg.policy == Replace {
			clearFields(carrier, setter, cfg.codec)
		}
		return
	}
	if cfg.policy == KeepExisting && holdsContext(carrier, setter, cfg) {
		return
	}
	if setter, ok := setter.(sheet.Setter[C]); ok && cfg.codec.native {
		fill(ctx, sc, setter.Sheet(carrier), cfg)
		return
	}
	clearFields(carrier, setter, cfg.codec)
	switch {
	case cfg.codec.native:
		writeNative(ctx, sc, carrier, setter, cfg)
	case cfg.maxBytes > 0:
		writeWithin(cfg.maxBytes, foreign(ctx, cfg), carrier, setter)
	default:
		writeForeign(ctx, carrier, setter, cfg)
	}
}

// holdsContext reports whether the carrier holds a valid trace context.
func holdsContext[C any](carrier C, setter Setter[C], cfg config) bool {
	getter, ok := setter.(Getter[C])
	if !ok {
		return false
	}
	var r Remote
	read(&r, carrier, getter, &cfg)
	return r.spanContext.IsValid()
}

// clearFields removes every field of the propagator, by the best means the
// setter has. OpenTelemetry's propagators do not, and so mix two contexts on a
// carrier that is injected twice.
func clearFields[C any](carrier C, setter Setter[C], c *codec) {
	for _, key := range c.fields {
		clearKey(carrier, setter, key)
	}
	if c.baggagePrefix == "" {
		return
	}
	if keyer, ok := setter.(Keyer[C]); ok {
		for _, key := range keyer.Keys(carrier) {
			if strings.HasPrefix(strings.ToLower(key), c.baggagePrefix) {
				clearKey(carrier, setter, key)
			}
		}
	}
}

func clearKey[C any](carrier C, setter Setter[C], key string) {
	if deleter, ok := setter.(Deleter[C]); ok {
		deleter.Delete(carrier, key)
		return
	}
	if getter, ok := setter.(Getter[C]); ok && getter.Get(carrier, key) != "" {
		setter.Set(carrier, key, "")
	}
}

// parcel is what one inject writes in the formats of this package.
type parcel struct {
	traceparent bool
	tracestate  string
	baggage     string
	waybill     Waybill
}

// pack takes from ctx what the codec carries, within the budget.
func (p *parcel) pack(ctx context.Context, sc trace.SpanContext, cfg config) {
	if cfg.codec.traceContext {
		p.traceparent = true
		p.tracestate = sc.TraceState().String()
	}
	if cfg.codec.baggage {
		p.baggage = baggageText(cfg.baggage.filter(baggage.FromContext(ctx)))
	}
	if cfg.codec.waybill {
		p.waybill = WaybillFromContext(ctx).departed(time.Now())
		if p.waybill.Origin.UnixMicro() <= 0 || p.waybill.Origin.UnixMicro() > maxMicros {
			p.waybill = Waybill{}
		}
	}
	if cfg.maxBytes > 0 {
		p.shrink(cfg.maxBytes)
	}
}

// size is the bytes of the keys and values of p.
func (p *parcel) size() int {
	n := 0
	if p.traceparent {
		n += len(keyTraceparent) + traceparentLen
	}
	if p.tracestate != "" {
		n += len(keyTracestate) + len(p.tracestate)
	}
	if p.baggage != "" {
		n += len(keyBaggage) + len(p.baggage)
	}
	if !p.waybill.IsZero() {
		n += len(keyWaybill) + waybillLen
	}
	return n
}

// shrink leaves out whole values until p fits: what others can best do without
// goes first.
func (p *parcel) shrink(maxBytes int) {
	if p.size() > maxBytes {
		p.baggage = ""
	}
	if p.size() > maxBytes {
		p.tracestate = ""
	}
	if p.size() > maxBytes {
		p.waybill = Waybill{}
	}
	if p.size() > maxBytes {
		p.traceparent = false
	}
}

// scratch holds the fixed-width texts of one inject into a BytesSetter.
type scratch [traceparentLen + waybillLen]byte

var scratches = sync.Pool{New: func() any { return new(scratch) }} //nolint:gochecknoglobals // a pool is one by nature.

// writeNative writes the formats of this package.
func writeNative[C any](ctx context.Context, sc trace.SpanContext, carrier C, setter Setter[C], cfg config) {
	var p parcel
	p.pack(ctx, sc, cfg)
	if bytesSetter, ok := setter.(BytesSetter[C]); ok {
		buf, _ := scratches.Get().(*scratch)
		traceparent, waybill := p.appendTo(buf[:0], sc)
		if len(traceparent) > 0 {
			bytesSetter.SetBytes(carrier, keyTraceparent, traceparent)
		}
		if len(waybill) > 0 {
			bytesSetter.SetBytes(carrier, keyWaybill, waybill)
		}
		scratches.Put(buf)
	} else {
		var buf scratch
		traceparent, waybill := p.appendTo(buf[:0], sc)
		text := string(buf[:len(traceparent)+len(waybill)])
		if len(traceparent) > 0 {
			setter.Set(carrier, keyTraceparent, text[:len(traceparent)])
		}
		if len(waybill) > 0 {
			setter.Set(carrier, keyWaybill, text[len(traceparent):])
		}
	}
	if p.tracestate != "" {
		setter.Set(carrier, keyTracestate, p.tracestate)
	}
	if p.baggage != "" {
		setter.Set(carrier, keyBaggage, p.baggage)
	}
}

// fill writes the formats of this package to a sheet.
func fill(ctx context.Context, sc trace.SpanContext, s *sheet.Sheet, cfg config) {
	var p parcel
	p.pack(ctx, sc, cfg)
	s.Cleared = cfg.codec.fields
	traceparent, waybill := p.appendTo(s.Fixed[:0], sc)
	s.Traceparent, s.Waybill = len(traceparent), len(waybill)
	s.Tracestate, s.Baggage = p.tracestate, p.baggage
}

// appendTo appends the fixed-width texts to buf, which has room for both, and
// returns them.
func (p *parcel) appendTo(buf []byte, sc trace.SpanContext) (traceparent, waybill []byte) {
	if p.traceparent {
		buf = appendTraceparent(buf, sc)
	}
	cut := len(buf)
	if !p.waybill.IsZero() {
		buf, _ = p.waybill.appendText(buf)
	}
	return buf[:cut:cut], buf[cut:]
}

// baggageText returns the text of b with its members in order, so that one
// context always gives one text.
func baggageText(b baggage.Baggage) string {
	switch b.Len() {
	case 0:
		return ""
	case 1:
		return b.String()
	}
	members := make([]string, 0, b.Len())
	for _, m := range b.Members() {
		if text := m.String(); text != "" {
			members = append(members, text)
		}
	}
	slices.Sort(members)
	return strings.Join(members, ",")
}

// restrict returns ctx with the baggage that the rule lets pass.
func (r baggageRule) restrict(ctx context.Context) context.Context {
	all := baggage.FromContext(ctx)
	if !r.restricted || all.Len() == 0 {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, r.filter(all))
}

// writeForeign lets another propagator write to the carrier itself. Of one that
// panics nothing stays.
func writeForeign[C any](ctx context.Context, carrier C, setter Setter[C], cfg config) {
	defer func() {
		if recover() != nil {
			clearFields(carrier, setter, cfg.codec)
		}
	}()
	ctx = cfg.baggage.restrict(ctx)
	getter, _ := setter.(Getter[C])
	cfg.codec.propagator.Inject(ctx, textMapOf(carrier, getter, setter))
}

// foreign returns what another propagator writes.
func foreign(ctx context.Context, cfg config) mapCarrier {
	carrier := mapCarrier{}
	writeForeign(ctx, carrier, Setter[mapCarrier](mapAccessor{}), cfg)
	return carrier
}

// writeWithin writes fields in order of their keys, after leaving out whole
// values until they fit in maxBytes.
func writeWithin[C any](maxBytes int, fields mapCarrier, carrier C, setter Setter[C]) {
	for _, drop := range []func(key string) bool{isBaggage, isTracestate, isWaybill, isAny} {
		if size(fields) > maxBytes {
			for key := range fields {
				if drop(key) {
					delete(fields, key)
				}
			}
		}
	}
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		setter.Set(carrier, key, fields[key])
	}
}

func size(fields mapCarrier) int {
	n := 0
	for key, value := range fields {
		n += len(key) + len(value)
	}
	return n
}

// isBaggage knows the baggage of W3C, Jaeger and OpenTracing by its key.
func isBaggage(key string) bool {
	return key == keyBaggage || strings.HasPrefix(key, "uberctx-") || strings.HasPrefix(key, openTracingBaggage)
}

func isTracestate(key string) bool { return key == keyTracestate }
func isWaybill(key string) bool    { return key == keyWaybill }
func isAny(string) bool            { return true }
