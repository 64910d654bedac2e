// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

const (
	traceparentText = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	otherText       = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	waybillText     = "00-0123456789abcd-0123456789abce-0002"
)

// defaults makes a call independent of the global propagator.
var defaults = propagation.WithPropagator(propagation.Default())

// spanContextOf returns what OpenTelemetry reads of a traceparent.
func spanContextOf(t testing.TB, traceparent, tracestate string) trace.SpanContext {
	t.Helper()
	carrier := otelpropagation.MapCarrier{"traceparent": traceparent, "tracestate": tracestate}
	sc := trace.SpanContextFromContext(otelpropagation.TraceContext{}.Extract(t.Context(), carrier))
	if !sc.IsValid() {
		t.Fatalf("%q is not valid", traceparent)
	}
	return sc
}

// contents is what a context of a test holds.
type contents struct{ traceparent, tracestate, baggage string }

// context returns a ctx with c.
func (c contents) context(t testing.TB) context.Context {
	t.Helper()
	ctx := t.Context()
	if c.traceparent != "" {
		ctx = trace.ContextWithSpanContext(ctx, spanContextOf(t, c.traceparent, c.tracestate))
	}
	if c.baggage != "" {
		ctx = baggage.ContextWithBaggage(ctx, baggageOf(t, c.baggage))
	}
	return ctx
}

func baggageOf(t testing.TB, text string) baggage.Baggage {
	t.Helper()
	b, err := baggage.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// full is a context with all that the default propagator carries.
func full(t testing.TB) context.Context {
	t.Helper()
	return contents{traceparentText, "vendor=1", "user=alice"}.context(t)
}

// opaque hides what a propagator is made of, so that it is called through the
// adapter.
type opaque struct{ propagation.TextMapPropagator }

// text is a map with accessors for text, and all that is optional.
type text map[string]string

type textAccessor struct{}

func (textAccessor) Get(c text, key string) string { return c[key] }
func (textAccessor) Set(c text, key, value string) { c[key] = value }
func (textAccessor) Delete(c text, key string)     { delete(c, key) }

func (textAccessor) Keys(c text) []string {
	var keys []string
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

// getSet is a Getter and a Setter and nothing else.
type getSet struct{}

func (getSet) Get(c text, key string) string { return c[key] }
func (getSet) Set(c text, key, value string) { c[key] = value }

// setOnly can do nothing but set.
var setOnly = propagation.SetterFunc[text](func(c text, key, value string) { c[key] = value })

// getOnly can do nothing but get.
var getOnly = propagation.GetterFunc[text](func(c text, key string) string { return c[key] })

// list is a list of headers of bytes that may repeat keys.
type list []header

type header struct {
	key   string
	value []byte
}

// listAccessor has every optional method but Index. Get takes the first value.
type listAccessor struct{}

func (a listAccessor) Get(c *list, key string) string { return string(a.GetBytes(c, key)) }

func (listAccessor) GetBytes(c *list, key string) []byte {
	for i := range *c {
		if (*c)[i].key == key {
			return (*c)[i].value
		}
	}
	return nil
}

func (a listAccessor) Set(c *list, key, value string) {
	a.Delete(c, key)
	*c = append(*c, header{key, []byte(value)})
}

// SetFields reuses the memory of the values that are there.
func (listAccessor) SetFields(c *list, fields propagation.Fields) {
	before, kept := *c, (*c)[:0]
	for _, h := range before {
		if !fields.Clears(h.key) {
			kept = append(kept, h)
		}
	}
	for i := range fields.Len() {
		value := make([]byte, 0, fields.ValueLen(i))
		kept = append(kept, header{fields.Key(i), fields.AppendValue(value, i)})
	}
	*c = kept
}

func (listAccessor) Delete(c *list, key string) {
	kept := (*c)[:0]
	for _, h := range *c {
		if h.key != key {
			kept = append(kept, h)
		}
	}
	*c = kept
}

func (listAccessor) Keys(c *list) []string {
	var keys []string
	for _, h := range *c {
		keys = append(keys, h.key)
	}
	return keys
}

func (listAccessor) Values(c *list, key string) []string {
	var values []string
	for _, h := range *c {
		if h.key == key {
			values = append(values, string(h.value))
		}
	}
	return values
}

// without returns c without the waybill, which holds the time.
func (c text) without(keys ...string) text {
	rest := text{}
	maps.Copy(rest, c)
	for _, key := range keys {
		delete(rest, key)
	}
	return rest
}

// micros is the precision of a waybill.
func micros(at time.Time) time.Time { return at.Truncate(time.Microsecond).UTC() }

// repeated returns n bytes.
func repeated(n int) string { return strings.Repeat("x", n) }
