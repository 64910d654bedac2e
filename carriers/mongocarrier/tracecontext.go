// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/waybill-go/waybill/propagation"
)

// TraceContext is a context as a field of a struct of the user's own, with both
// drivers:
//
//	type Order struct {
//		ID    string                    `bson:"_id"`
//		Trace mongocarrier.TraceContext `bson:"_otel,omitempty"`
//	}
//
// It has no methods for BSON or JSON, so a struct that embeds it is still
// encoded whole. Decoding fails when the field holds something else than
// strings; [LenientField] is for those who cannot be sure of that.
//
// The zero TraceContext holds nothing. It is a value; the map in Extra is
// shared by copies and not written to by this package.
type TraceContext struct {
	Traceparent string `bson:"traceparent,omitempty" json:"traceparent,omitempty"`
	Tracestate  string `bson:"tracestate,omitempty"  json:"tracestate,omitempty"`
	Baggage     string `bson:"baggage,omitempty"     json:"baggage,omitempty"`
	Waybill     string `bson:"waybill,omitempty"     json:"waybill,omitempty"`

	// Extra holds the keys of other propagators, such as "b3", escaped as the
	// keys of a document must be.
	Extra map[string]string `bson:",inline" json:"-"`
}

// Capture returns the context of ctx for the field of a struct. It is zero when
// ctx has no valid span. A value that is not UTF-8, which only a binary format
// has, does not fit in a string of BSON and is left out.
//
// It allocates once.
func Capture(ctx context.Context, opts ...Option) TraceContext {
	cfg := newConfig(opts)
	s := newSlip()
	defer s.release()
	s.fill(ctx, &cfg)
	return s.unpacked().withoutBinary()
}

// IsZero reports whether c holds nothing. Both drivers ask it for omitempty.
func (c TraceContext) IsZero() bool {
	return c.Traceparent == "" && c.Tracestate == "" && c.Baggage == "" && c.Waybill == "" && len(c.Extra) == 0
}

// Remote returns the context that c holds, to be used as a parent or a link, or
// to be looked at.
func (c TraceContext) Remote(opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return propagation.Read(c, propagation.Getter[TraceContext](fieldGetter{}), cfg.forward[:]...)
}

// Context returns ctx with the context that c holds, or ctx itself.
func (c TraceContext) Context(ctx context.Context, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return propagation.Extract(ctx, c, propagation.Getter[TraceContext](fieldGetter{}), cfg.forward[:]...)
}

// filtered returns a copy of c with the baggage that the options let pass.
func (c TraceContext) filtered(cfg *config) *TraceContext {
	remote := propagation.Read(c, propagation.Getter[TraceContext](fieldGetter{}), cfg.forward[:]...)
	members := strings.Split(remote.Baggage().String(), ",")
	slices.Sort(members) // one context always is one text.
	c.Baggage = strings.Join(members, ",")
	return &c
}

// get returns the value under key, which is not escaped.
func (c *TraceContext) get(key string) string {
	switch key {
	case keyTraceparent:
		return c.Traceparent
	case keyTracestate:
		return c.Tracestate
	case keyBaggage:
		return c.Baggage
	case keyWaybill:
		return c.Waybill
	}
	if c.Extra == nil {
		return ""
	}
	return c.Extra[escapeKey(key)]
}

// set sets the value under key, or removes it if it is "". It must own the map
// of Extra.
func (c *TraceContext) set(key, value string) {
	switch key {
	case keyTraceparent:
		c.Traceparent = value
	case keyTracestate:
		c.Tracestate = value
	case keyBaggage:
		c.Baggage = value
	case keyWaybill:
		c.Waybill = value
	default:
		if value == "" {
			delete(c.Extra, escapeKey(key))
			return
		}
		if c.Extra == nil {
			c.Extra = make(map[string]string, 1)
		}
		c.Extra[escapeKey(key)] = value
	}
}

// value returns c as the value of a field. A pointer to the struct is the form
// of a sub-document that costs nothing more than the struct.
func (c *TraceContext) value(form Form) any {
	switch {
	case form == Properties:
		return c.properties()
	case !c.hasBinary():
		return c
	}
	sub := make(map[string]any, len(c.Extra))
	for _, f := range c.fields() {
		sub[f.Key] = f.Value
	}
	return sub
}

// withoutBinary returns c without the values that are not UTF-8.
func (c TraceContext) withoutBinary() TraceContext {
	if !c.hasBinary() {
		return c
	}
	c.Extra = maps.Clone(c.Extra) // it may be that of WithCaptured.
	maps.DeleteFunc(c.Extra, func(_, value string) bool { return !utf8.ValidString(value) })
	return c
}

// hasBinary reports whether c has a value that no string of BSON can hold.
func (c *TraceContext) hasBinary() bool {
	for _, value := range c.Extra {
		if !utf8.ValidString(value) {
			return true
		}
	}
	return !utf8.ValidString(c.Traceparent) || !utf8.ValidString(c.Tracestate) ||
		!utf8.ValidString(c.Baggage) || !utf8.ValidString(c.Waybill)
}

// fields returns the keys and values of c in order: those of its own, then the
// others sorted, escaped as they are stored.
func (c *TraceContext) fields() []elem {
	var all []elem
	for _, key := range []string{keyTraceparent, keyTracestate, keyBaggage, keyWaybill} {
		if value := c.get(key); value != "" {
			all = append(all, elem{key, text(value)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		if value := c.Extra[name]; value != "" {
			all = append(all, elem{name, text(value)})
		}
	}
	return all
}

// text returns value as BSON can hold it: bytes if it is not UTF-8.
func text(value string) any {
	if utf8.ValidString(value) {
		return value
	}
	return []byte(value)
}

// fieldGetter reads a TraceContext, as a value because a pointer to one would
// be an allocation.
type fieldGetter struct{}

func (fieldGetter) Get(c TraceContext, key string) string { return c.get(key) }
func (fieldGetter) Keys(c TraceContext) []string          { return c.keys() }

func (c *TraceContext) keys() []string {
	var keys []string
	for _, f := range c.fields() {
		keys = append(keys, unescapeKey(f.Key))
	}
	return keys
}
