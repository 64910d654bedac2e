// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"
	"strings"
)

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

// broken lists the pieces of the flows that consist of several.
func (d *Diagnosis) broken(g *Graph) [][]int {
	var flows [][]int
	for _, f := range d.Flows {
		seen := make(map[int]bool)
		var pieces []int
		for _, i := range f.Spans {
			if n := g.piece[i]; !seen[n] {
				seen[n] = true
				pieces = append(pieces, n)
			}
		}
		if len(pieces) > 1 {
			flows = append(flows, pieces)
		}
	}
	return flows
}

// Verdict returns what the flows of the recording form.
func (d *Diagnosis) Verdict() Verdict {
	switch {
	case slices.ContainsFunc(d.Flows, func(f Flow) bool { return f.Verdict == Broken }):
		return Broken
	case len(d.Flows) == 1:
		return d.Flows[0].Verdict
	default:
		return Unknown
	}
}

// Summary says in one line what the recording holds, and where it broke.
func (d *Diagnosis) Summary(g *Graph) string {
	size := Plural(len(g.spans), "span") + ", " + Plural(g.Services(), "service") + ", " + Plural(g.Traces(), "trace")
	switch verdict := d.Verdict(); {
	case len(d.Flows) == 0:
		return "UNKNOWN: no spans were recorded"
	case verdict == Broken:
		return d.brokenAt(g) + d.count() + "; " + size
	case verdict == Unknown:
		return "UNKNOWN: " + d.count() + "; nothing says whether they belong together; " + size
	default:
		return g.Summary()
	}
}

// brokenAt names the services between which the worst break is.
func (d *Diagnosis) brokenAt(g *Graph) string {
	for _, f := range d.Findings {
		if f.Level != Violation || f.From == none || f.To == none {
			continue
		}
		from, to := Clip(g.spans[f.From].Service, maxText), Clip(g.spans[f.To].Service, maxText)
		if from != "" && to != "" && from != to {
			return "BROKEN between " + from + " and " + to + ": "
		}
	}
	return "BROKEN: "
}

// count says how many flows there are, and of which kind.
func (d *Diagnosis) count() string {
	if len(d.Flows) == 1 {
		return "one flow"
	}
	number := make(map[Verdict]int)
	for _, f := range d.Flows {
		number[f.Verdict]++
	}
	var parts []string
	for _, v := range []Verdict{Broken, Linked, Connected} {
		switch n := number[v]; n {
		case 0:
		case len(d.Flows):
			return Count(n) + " flows, each " + string(v)
		default:
			parts = append(parts, Count(n)+" "+string(v))
		}
	}
	return Count(len(d.Flows)) + " flows, " + strings.Join(parts, ", ")
}
