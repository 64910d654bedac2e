// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "strings"

// Flow is spans that belong together: they are joined by parents and links, or it is
// known where the joint is that broke.
type Flow struct {
	Spans   []int // By start.
	Verdict Verdict
}

// flows returns the flows of a recording, by start.
func (s *search) flows() []Flow {
	g := s.g
	byParents := g.joinedByParents()
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
		case !byParents[n]:
			f.Verdict = Linked
		}
	}
	return flows
}

func (s *search) isDamaged(piece []int) bool {
	return s.g.first(piece, func(i int) bool { return s.damaged[i] || s.g.faults[i] != 0 }) != none
}

// joinedByParents reports of each piece whether parents alone hold it together.
func (g *Graph) joinedByParents() []bool {
	roots := make([]int, len(g.pieces))
	for i, p := range g.parents {
		if p == none {
			roots[g.piece[i]]++
		}
	}
	joined := make([]bool, len(g.pieces))
	for n := range joined {
		joined[n] = roots[n] <= 1
	}
	return joined
}

// Summary says in one line what the recording holds.
func (d *Diagnosis) Summary(g *Graph) string {
	if len(d.Flows) <= 1 {
		return g.Summary()
	}
	count := make(map[Verdict]int)
	for _, f := range d.Flows {
		count[f.Verdict]++
	}
	var parts []string
	for _, v := range []Verdict{Broken, Linked, Connected} {
		if n := count[v]; n > 0 {
			parts = append(parts, Count(n)+" "+string(v))
		}
	}
	return Plural(len(d.Flows), "flow") + ": " + strings.Join(parts, ", ") +
		"; " + Plural(len(g.spans), "span") + ", " + Plural(g.Services(), "service") + ", " + Plural(g.Traces(), "trace")
}
