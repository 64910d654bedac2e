// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "go.opentelemetry.io/otel/trace"

// apartDetail marks a finding that only [Expectation.OneFlow] makes.
const apartDetail = "apart"

// start returns the piece in which the flow starts, if all pieces are one: the first
// whose root is not a consumer, as a consumer goes on with what another span began.
func (g *Graph) start() int {
	for n, piece := range g.pieces {
		root := g.first(piece, func(i int) bool { return g.spans[i].Parent == ID{} })
		if root != none && g.spans[root].Kind != trace.SpanKindConsumer {
			return n
		}
	}
	return 0
}

// apart reports whether span i is expected to go on with a flow that starts in another
// piece.
func (s *search) apart(i int) bool { return s.oneFlow && s.g.piece[i] != s.start }

// findApart finds the pieces that are expected to be part of the flow, and that no
// other rule has found to be broken off: P01.
func (s *search) findApart() {
	if !s.oneFlow {
		return
	}
	for n, piece := range s.g.pieces {
		if s.joined.find(n) == s.joined.find(s.start) {
			continue
		}
		head := s.head(piece)
		if !s.isExplained(piece, head) {
			s.add(hit{id: "P01", span: head, from: s.lastSender(head), to: head, level: Violation, sure: Guess, detail: apartDetail})
		}
		s.joined.union(n, s.start)
	}
}

// head returns the span by which a piece should have been joined to the others.
func (s *search) head(piece []int) int {
	head := s.g.first(piece, func(i int) bool { return s.g.parents[i] == none && len(s.g.links[i]) == 0 })
	if head == none {
		return piece[0]
	}
	return head
}

// isExplained reports whether a violation is known that sets a piece apart: one of its
// head, or of the ids of a span.
func (s *search) isExplained(piece []int, head int) bool {
	return s.g.first(piece, func(i int) bool { return s.damaged[i] && (i == head || s.g.faults[i] != 0) }) != none
}
