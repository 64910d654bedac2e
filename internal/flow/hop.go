// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"
	"sort"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// hops guesses from times which span a span was meant to go on from. Its indexes make
// each guess look at a limited number of spans.
type hops struct {
	g       *Graph
	sent    timeline              // All sending spans,
	senders map[string]timeline   // and those of each channel.
	active  map[instance]timeline // The spans of each process that may be parents.
}

// lookBack is how many spans are looked at for one guess.
const lookBack = 64

// instance is one process, as far as its resource says so.
type instance struct{ service, id string }

func (s *Span) instance() instance { return instance{s.Service, s.Instance} }

// timeline is spans by start.
type timeline []int

// before returns the spans of t that had started at a time, the last one first, and
// at most lookBack of them.
func (t timeline) before(g *Graph, at time.Time) []int {
	end := sort.Search(len(t), func(n int) bool { return g.spans[t[n]].Start.After(at) })
	last := slices.Clone(t[max(0, end-lookBack):end])
	slices.Reverse(last)
	return last
}

func newHops(g *Graph) *hops {
	h := &hops{g: g, senders: make(map[string]timeline), active: make(map[instance]timeline)}
	for _, i := range g.order {
		span := &g.spans[i]
		switch {
		case !g.sends(i):
			h.active[span.instance()] = append(h.active[span.instance()], i)
		case !span.fetches():
			h.sent = append(h.sent, i)
			if channel := span.Channel(); channel != "" {
				h.senders[channel] = append(h.senders[channel], i)
			}
		}
	}
	return h
}

// sender guesses which span sent what span i received: the last one on the channel
// that nobody is seen to have received, or else the last one.
func (h *hops) sender(i int) int {
	all := h.senders[h.g.spans[i].Channel()]
	if sender := h.last(all, i, h.undelivered); sender != none {
		return sender
	}
	if sender := h.last(all, i, func(int) bool { return true }); sender != none {
		return sender
	}
	// The clocks of two machines differ.
	return h.g.first(all[:min(len(all), lookBack)], func(s int) bool { return h.g.Apart(s, i) })
}

// lastSender guesses which span led to span i, if nothing but the time says so: the
// last one that sent something which nobody is seen to have received.
func (h *hops) lastSender(i int) int { return h.last(h.sent, i, h.undelivered) }

func (h *hops) undelivered(i int) bool { return !h.g.delivered(i) }

// last returns the last span of t before span i that is apart from it and matches.
func (h *hops) last(t timeline, i int, match func(int) bool) int {
	return h.g.first(t.before(h.g, h.g.spans[i].Start), func(s int) bool { return h.g.Apart(s, i) && match(s) })
}

// enclosing guesses which span was meant as the parent of span i: the last one that
// started in the same process before it and was active until a time, in another
// piece. It reports whether no span of a third trace was active too.
func (h *hops) enclosing(i int, until time.Time) (parent int, only bool) {
	span := &h.g.spans[i]
	parent, only = none, true
	for _, other := range h.active[span.instance()].before(h.g, span.Start) {
		o := &h.g.spans[other]
		switch {
		case !h.g.Apart(i, other) || !o.End.IsZero() && o.End.Before(until):
		case parent == none:
			parent = other
		case o.ID.Trace != h.g.spans[parent].ID.Trace:
			only = false
		}
	}
	return parent, only
}

// sends reports whether span i sent data somewhere.
func (g *Graph) sends(i int) bool {
	kind := g.spans[i].Kind
	return kind == trace.SpanKindProducer || kind == trace.SpanKindClient
}

// delivered reports whether a span says that it received what span i sent.
func (g *Graph) delivered(i int) bool { return g.received[i] }

// first returns the first of spans that matches, or none.
func (g *Graph) first(spans []int, match func(i int) bool) int {
	for _, i := range spans {
		if match(i) {
			return i
		}
	}
	return none
}
