// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "go.opentelemetry.io/otel/trace"

// hop guesses between which spans the flow broke, where the piece of the span
// at stands apart. Each guess looks at each span a few times at most.
func (g *Graph) hop(at int) (from, to int) {
	piece := g.pieces[g.piece[at]]
	if to := g.first(piece, g.awaits); to != none {
		sent := func(i int) bool { return g.sends(i) && g.sameChannel(i, to) }
		from := g.last(to, sent)
		if from == none { // The clocks of two machines differ.
			from = g.first(g.outside(to), sent)
		}
		if from != none {
			return from, to
		}
	}
	if from := g.last(at, func(i int) bool { return g.active(i, at) }); from != none {
		return from, at
	}
	if from := g.first(piece, func(i int) bool { return g.sends(i) && !g.delivered(i) }); from != none {
		if to := g.first(g.outside(at), func(i int) bool { return g.awaits(i) && g.sameChannel(from, i) }); to != none {
			return from, to
		}
	}
	return g.last(at, func(i int) bool { return g.sends(i) && !g.delivered(i) }), at
}

// awaits reports whether span i received data and nothing says from where.
func (g *Graph) awaits(i int) bool {
	s := &g.spans[i]
	return s.Kind == trace.SpanKindConsumer && !s.Remote && len(g.links[i]) == 0
}

// sends reports whether span i sent data somewhere.
func (g *Graph) sends(i int) bool {
	kind := g.spans[i].Kind
	return kind == trace.SpanKindProducer || kind == trace.SpanKindClient
}

// delivered reports whether a span says that it received what span i sent.
func (g *Graph) delivered(i int) bool {
	return len(g.linkedBy[i]) > 0 || g.first(g.children[i], func(c int) bool { return g.spans[c].Remote }) != none
}

func (g *Graph) sameChannel(a, b int) bool {
	channel := g.spans[a].Channel()
	return channel != "" && channel == g.spans[b].Channel()
}

// active reports whether span i may have been meant as the parent of span at:
// it was active in the same service, and at is of a kind that has one.
func (g *Graph) active(i, at int) bool {
	s, started := &g.spans[i], &g.spans[at]
	switch started.Kind {
	case trace.SpanKindServer, trace.SpanKindConsumer:
		return false
	default:
		return !g.sends(i) && s.Service == started.Service && (s.End.IsZero() || !s.End.Before(started.Start))
	}
}

// outside lists the spans of the other pieces than that of the span at.
func (g *Graph) outside(at int) []int {
	var spans []int
	for n, piece := range g.pieces {
		if n != g.piece[at] {
			spans = append(spans, piece...)
		}
	}
	return spans
}

// first returns the first of spans that matches, or none.
func (g *Graph) first(spans []int, match func(i int) bool) int {
	for _, i := range spans {
		if match(i) {
			return i
		}
	}
	return none
}

// last returns the matching span of another piece that started last, but not
// after the span at, or none. A span that was not delivered goes first.
func (g *Graph) last(at int, match func(i int) bool) int {
	best := none
	for _, i := range g.outside(at) {
		if g.spans[i].Start.After(g.spans[at].Start) || !match(i) {
			continue
		}
		if best == none || g.delivered(best) && !g.delivered(i) ||
			g.delivered(best) == g.delivered(i) && !g.spans[i].Start.Before(g.spans[best].Start) {
			best = i
		}
	}
	return best
}
