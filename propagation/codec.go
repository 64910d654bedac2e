// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"reflect"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel"
)

// codec is a propagator with the properties that were inspected. It is immutable.
type codec struct {
	formats []format // What the propagator is made of, in order.
	fields  []string // The keys that it names.

	// baggagePrefix begins the keys that the propagator writes besides fields.
	baggagePrefix string

	// native reports whether all formats are those of this package, and the
	// other flags which of them there are.
	native       bool
	traceContext bool
	baggage      bool
	waybill      bool

	isFallback bool // Reports that the global propagator was never set.
}

// format is one of the formats of this package, or a foreign propagator.
type format struct {
	kind    formatKind
	foreign TextMapPropagator
}

type formatKind uint8

const (
	foreignFormat formatKind = iota
	traceContextFormat
	baggageFormat
	waybillFormat
)

// newCodec returns the codec of p, which is not nil. A propagator whose Fields
// panics is left out.
func newCodec(p TextMapPropagator) *codec {
	c := &codec{native: true}
	c.add(p)
	return c
}

// add adds what p is made of. OpenTelemetry's composite is a slice of
// propagators of an unexported type.
func (c *codec) add(p TextMapPropagator) {
	switch p.(type) {
	case TraceContext:
		c.traceContext = true
		c.addFormat(format{kind: traceContextFormat}, keyTraceparent, keyTracestate)
		return
	case Baggage:
		c.baggage = true
		c.addFormat(format{kind: baggageFormat}, keyBaggage)
		return
	case WaybillPropagator:
		c.waybill = true
		c.addFormat(format{kind: waybillFormat}, keyWaybill)
		return
	}
	list := reflect.ValueOf(p)
	if list.Kind() == reflect.Slice && list.Type().Elem() == reflect.TypeFor[TextMapPropagator]() {
		for i := range list.Len() {
			if part, ok := reflect.TypeAssert[TextMapPropagator](list.Index(i)); ok && part != nil {
				c.add(part)
			}
		}
		return
	}
	if fields, ok := fieldsOf(p); ok {
		c.native = false
		c.addFormat(format{foreign: p}, fields...)
	}
}

func (c *codec) addFormat(f format, fields ...string) {
	c.formats = append(c.formats, f)
	for _, field := range fields {
		if !slices.Contains(c.fields, field) {
			c.fields = append(c.fields, field)
		}
	}
	if slices.ContainsFunc(fields, func(field string) bool { return sameKey(field, openTracingField) }) {
		c.baggagePrefix = openTracingBaggage
	}
}

// owns reports whether the propagator writes key, in any case.
func (c *codec) owns(key string) bool {
	for _, field := range c.fields {
		if sameKey(field, key) {
			return true
		}
	}
	return c.baggagePrefix != "" && hasPrefixFold(key, c.baggagePrefix)
}

// known is the codec of the global propagator, until another one is set.
var known atomic.Pointer[knownGlobal]

type knownGlobal struct {
	codec
	installed TextMapPropagator // What otel.GetTextMapPropagator returned.
	plain     bool              // Reports whether comparing it is cheap and cannot panic.
}

// globalCodec returns the codec of the global propagator, with the waybill if
// that has none, or of [Default] if it was never set.
func globalCodec() *codec {
	installed := otel.GetTextMapPropagator()
	if k := known.Load(); k != nil && k.isOf(installed) {
		return &k.codec
	}
	fresh := &knownGlobal{installed: installed, plain: isPlain(installed)}
	if installed != nil {
		fresh.codec = *newCodec(installed)
	}
	if len(fresh.fields) == 0 {
		fresh.codec = *newCodec(Default())
		fresh.isFallback = true
	}
	if !fresh.owns(keyWaybill) {
		fresh.add(WaybillPropagator{})
	}
	known.Store(fresh)
	return &fresh.codec
}

// isOf reports whether k was made of p.
func (k *knownGlobal) isOf(p TextMapPropagator) bool {
	if k.plain {
		return k.installed == p
	}
	return same(k.installed, p)
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
