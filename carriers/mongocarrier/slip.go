// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"strings"
	"sync"
	"unsafe"

	"github.com/waybill-go/waybill/propagation"
)

// The keys that a TraceContext has fields for.
const (
	keyTraceparent = "traceparent"
	keyTracestate  = "tracestate"
	keyBaggage     = "baggage"
	keyWaybill     = "waybill"
)

const (
	// maxTracestate is what everyone must at least carry; a longer one is left
	// out whole. https://www.w3.org/TR/trace-context-2/#tracestate-limits
	maxTracestate = 512
	// maxBaggage keeps what a document stores small.
	maxBaggage = 1024
)

// slip is what an inject writes, before it becomes part of a document: as text,
// or for a document of bytes as elements of BSON.
type slip struct {
	context TraceContext // what came as strings.
	text    []byte       // what came as bytes: a traceparent, and a waybill from cut on.
	cut     int
	bson    []byte
	cleared []string // the names of the fields that the propagator clears.
	touched bool     // whether it cleared or wrote anything.
	change  change
}

var slips = sync.Pool{New: func() any { return new(slip) }} //nolint:gochecknoglobals // a pool is one by nature.

func newSlip() *slip {
	s, _ := slips.Get().(*slip)
	return s
}

// release gives s back. What it handed out stays valid: strings.
func (s *slip) release() {
	clear(s.cleared)
	clear(s.change.set)
	clear(s.change.remove)
	*s = slip{
		text:    s.text[:0],
		bson:    s.bson[:0],
		cleared: s.cleared[:0],
		change:  change{set: s.change.set[:0], remove: s.change.remove[:0]},
	}
	slips.Put(s)
}

// fill takes what the propagator writes for ctx, as text.
func (s *slip) fill(ctx context.Context, cfg *config) {
	if cfg.captured == nil {
		propagation.Inject(ctx, s, propagation.Setter[*slip](textSetter{}), cfg.forward[:]...)
		return
	}
	if cfg.captured.Baggage != "" {
		cfg.captured = cfg.captured.filtered(cfg) //nolint:contextcheck // what is read has none.
	}
	s.context = *cfg.captured
	s.touched = !s.context.IsZero()
	if cfg.keep == propagation.Replace || s.touched && cfg.form == Flat {
		s.clearAll(cfg) //nolint:contextcheck // what is cleared depends on none.
	}
}

// clearAll takes that every field of the propagator is to be cleared.
func (s *slip) clearAll(cfg *config) {
	forward := cfg.forward
	forward[policySlot] = replace
	nothing := context.Background() //nolint:forbidigo // a context without a span, which clears.
	propagation.Inject(nothing, s, propagation.Setter[*slip](textSetter{}), forward[:]...)
}

// fillBytes is fill for a document of bytes.
func (s *slip) fillBytes(ctx context.Context, cfg *config) {
	if cfg.captured != nil || cfg.form == Properties {
		s.fill(ctx, cfg)
		c := s.unpacked()
		s.bson = appendElements(s.bson, &c)
		return
	}
	propagation.Inject(ctx, s, propagation.Setter[*slip](bytesSetter{}), cfg.forward[:]...)
}

// isEmpty reports whether s holds nothing.
func (s *slip) isEmpty() bool { return len(s.text) == 0 && s.context.IsZero() }

// packed is a context with the text of its traceparent and its waybill, so that
// both are one allocation.
type packed struct {
	context TraceContext
	text    [55 + 37]byte // the widths of the two.
}

// content returns what s holds.
func (s *slip) content(cfg *config) *TraceContext {
	if cfg.captured != nil {
		return cfg.captured // shared by all the documents it is written to.
	}
	if len(s.text) == 0 || len(s.text) > len(packed{}.text) {
		c := s.unpacked()
		return &c
	}
	p := &packed{context: s.context}
	n := copy(p.text[:], s.text)
	p.context.setText(unsafe.String(&p.text[0], n), s.cut) // never written to again.
	return &p.context
}

// unpacked returns what s holds, as a value.
func (s *slip) unpacked() TraceContext {
	c := s.context
	if len(s.text) > 0 {
		c.setText(string(s.text), s.cut)
	}
	return c
}

// setText sets the traceparent to the text before cut, and the waybill to the
// rest.
func (c *TraceContext) setText(text string, cut int) {
	c.Traceparent, c.Waybill = text[:cut], text[cut:]
}

// textSetter fills the text of a slip.
type textSetter struct{}

func (textSetter) Set(s *slip, key, value string) {
	if value = limit(key, value); value != "" {
		s.context.set(key, value)
		s.touched = true
	}
}

func (t textSetter) SetFields(s *slip, fields propagation.Fields) {
	s.clearFields(fields)
	for i := range fields.Len() {
		switch key := fields.Key(i); {
		case key == keyTraceparent && len(s.text) == 0: // Before the waybill.
			s.text = fields.AppendValue(s.text, i)
			s.cut = len(s.text)
			s.touched = true
		case key == keyWaybill:
			s.text = fields.AppendValue(s.text, i)
			s.touched = true
		default:
			t.Set(s, key, fields.Value(key))
		}
	}
}

func (textSetter) Delete(s *slip, key string) { s.clear(key) }

// bytesSetter fills the bytes of a slip.
type bytesSetter struct{}

func (bytesSetter) Set(s *slip, key, value string) {
	if value = limit(key, value); value != "" {
		s.bson = appendString(s.bson, escapeKey(key), value)
		s.touched = true
	}
}

func (b bytesSetter) SetFields(s *slip, fields propagation.Fields) {
	s.clearFields(fields)
	for i := range fields.Len() {
		switch key := fields.Key(i); key {
		case keyTraceparent, keyWaybill:
			s.text = fields.AppendValue(s.text[:0], i)
			s.bson = appendText(s.bson, escapeKey(key), s.text)
			s.text = s.text[:0]
			s.touched = true
		default:
			b.Set(s, key, fields.Value(key))
		}
	}
}

func (bytesSetter) Delete(s *slip, key string) { s.clear(key) }

func (s *slip) clearFields(fields propagation.Fields) {
	for _, key := range fields.Cleared() {
		s.clear(key)
	}
}

func (s *slip) clear(key string) {
	s.cleared = append(s.cleared, escapeKey(key))
	s.touched = true
}

// limit returns what of value a document takes: a tracestate whole or not at
// all, and of baggage the members that fit.
func limit(key, value string) string {
	switch {
	case key == keyTracestate && len(value) > maxTracestate:
		return ""
	case key == keyBaggage && len(value) > maxBaggage:
		return fittingMembers(value)
	default:
		return value
	}
}

// fittingMembers returns the first members of a baggage that fit.
func fittingMembers(text string) string {
	var kept []string
	size := 0
	for member := range strings.SplitSeq(text, ",") {
		if size += len(member) + len(","); size > maxBaggage+len(",") {
			break
		}
		kept = append(kept, member)
	}
	return strings.Join(kept, ",")
}
