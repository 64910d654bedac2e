// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"reflect"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// The names a user's file needs beside ours, so that it imports one package
// called propagation.
type (
	// TextMapPropagator is OpenTelemetry's propagator interface.
	TextMapPropagator = propagation.TextMapPropagator
	// TextMapCarrier is OpenTelemetry's carrier interface.
	TextMapCarrier = propagation.TextMapCarrier
	// TraceContext is OpenTelemetry's W3C Trace Context propagator.
	TraceContext = propagation.TraceContext
	// Baggage is OpenTelemetry's W3C Baggage propagator.
	Baggage = propagation.Baggage
)

// The keys of the formats this package reads and writes itself.
const (
	keyTraceparent = "traceparent" // https://www.w3.org/TR/trace-context-2/#traceparent-header
	keyTracestate  = "tracestate"  // https://www.w3.org/TR/trace-context-2/#tracestate-header
	keyBaggage     = "baggage"     // https://www.w3.org/TR/baggage/#baggage-http-header-format
	keyWaybill     = "waybill"
)

// The format of OpenTracing has a key for each member of its baggage, which
// its propagator does not count among its fields.
const (
	openTracingField   = "ot-tracer-traceid"
	openTracingBaggage = "ot-baggage-"
)

// Default returns the propagator this module uses when none is set: W3C Trace
// Context, W3C Baggage and the [Waybill].
//
// Install it with otel.SetTextMapPropagator to carry the waybill over HTTP and
// every other instrumentation too.
func Default() TextMapPropagator {
	return Compose(TraceContext{}, Baggage{}, WaybillPropagator{})
}

// Compose returns a propagator that applies all of propagators in order; nil
// ones are left out.
func Compose(propagators ...TextMapPropagator) TextMapPropagator {
	var parts []TextMapPropagator
	for _, p := range propagators {
		if p != nil {
			parts = append(parts, p)
		}
	}
	return propagation.NewCompositeTextMapPropagator(parts...)
}

// codec is a propagator with what is known of it. It is immutable.
type codec struct {
	propagator TextMapPropagator
	fields     []string

	// baggagePrefix begins the keys that the propagator writes besides fields.
	baggagePrefix string

	// native reports whether the propagator is made only of the three formats
	// this package handles itself, and then which.
	native       bool
	traceContext bool
	baggage      bool
	waybill      bool
}

func newCodec(p TextMapPropagator) *codec {
	c := &codec{propagator: p, fields: p.Fields(), native: true}
	c.inspect(p)
	if slices.Contains(c.fields, openTracingField) {
		c.baggagePrefix = openTracingBaggage
	}
	return c
}

// inspect notes which formats p is made of. OpenTelemetry's composite is a
// slice of propagators of an unexported type.
func (c *codec) inspect(p TextMapPropagator) {
	switch p.(type) {
	case TraceContext:
		c.traceContext = true
		return
	case Baggage:
		c.baggage = true
		return
	case WaybillPropagator:
		c.waybill = true
		return
	}
	list := reflect.ValueOf(p)
	if list.Kind() != reflect.Slice || list.Type().Elem() != reflect.TypeFor[TextMapPropagator]() {
		c.native = false
		return
	}
	for i := range list.Len() {
		if part, ok := reflect.TypeAssert[TextMapPropagator](list.Index(i)); ok {
			c.inspect(part)
		}
	}
}

// global keeps what is known of the global propagator until another is set.
var global atomic.Pointer[globalCodec] //nolint:gochecknoglobals // a cache of OpenTelemetry's own global.

type globalCodec struct {
	codec
	installed TextMapPropagator // what otel.GetTextMapPropagator returned.
	plain     bool              // Reports whether comparing it is cheap and cannot panic.
}

// currentCodec returns the codec of the global propagator, or of [Default] if
// that is nil or has no fields.
func currentCodec() *codec {
	installed := otel.GetTextMapPropagator()
	if known := global.Load(); known != nil && known.isOf(installed) {
		return &known.codec
	}
	use := installed
	if installed == nil || len(installed.Fields()) == 0 {
		use = Default()
	}
	fresh := &globalCodec{codec: *newCodec(use), installed: installed, plain: isPlain(installed)}
	global.Store(fresh)
	return &fresh.codec
}

// isOf reports whether c is what is known of p.
func (c *globalCodec) isOf(p TextMapPropagator) bool {
	if c.plain {
		return c.installed == p
	}
	return same(c.installed, p)
}

// isPlain reports whether p is a pointer, or a value of no size as the
// propagator of OpenTelemetry is.
func isPlain(p TextMapPropagator) bool {
	t := reflect.TypeOf(p)
	return t != nil && t.Comparable() && (t.Kind() == reflect.Pointer || t.Size() == 0)
}

// same reports whether a and b are one propagator. Composites, which are
// slices, are compared by their memory. Comparing others that cannot be
// compared panics; they are never the same.
func same(a, b TextMapPropagator) (same bool) {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if va.Kind() == reflect.Slice && vb.Kind() == reflect.Slice {
		return va.Type() == vb.Type() && va.Pointer() == vb.Pointer() && va.Len() == vb.Len()
	}
	defer func() { _ = recover() }()
	return a == b
}
