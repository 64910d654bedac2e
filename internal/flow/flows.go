// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// Flow is spans that belong together: they are joined by parents and links, or it is
// known where the joint is that broke.
type Flow struct {
	Spans   []int // By start.
	Verdict Verdict
}

// flows returns the flows of a recording, by start.
func (s *search) flows() []Flow {
	g := s.g
	var flows []Flow
	number := make(map[int]int)
	for n, piece := range g.pieces {
		root := s.joined.find(n)
		i, known := number[root]
		if !known {
			i = len(flows)
			number[root] = i
			flows = append(flows, Flow{Verdict: Connected})
		}
		f := &flows[i]
		f.Spans = append(f.Spans, piece...)
		switch {
		case known || s.isDamaged(piece):
			f.Verdict = Broken
		case !g.byParent[n]:
			f.Verdict = Linked
		}
	}
	return flows
}

func (s *search) isDamaged(piece []int) bool {
	return s.g.first(piece, func(i int) bool {
		found := s.g.faults[i]
		return s.damaged[i] || found != 0 && found != lostParent // Which is not always wrong.
	}) != none
}
