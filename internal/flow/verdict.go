// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"
	"strings"
)

// Verdict says what spans form.
type Verdict string

// The verdicts.
const (
	Connected Verdict = "CONNECTED" // One flow, by parents alone.
	Linked    Verdict = "LINKED"    // One flow, held together by links; right for batches.
	Broken    Verdict = "BROKEN"    // A flow in pieces, or one that is damaged otherwise.
	Unknown   Verdict = "UNKNOWN"   // Several flows, and nothing says whether they belong together.
)

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
		return d.brokenAt(g) + d.count(g) + "; " + size
	case verdict == Unknown:
		return "UNKNOWN: " + d.count(g) + "; nothing says whether they belong together; " + size
	case verdict == Linked:
		return "LINKED: one flow of " + size + ", joined by links"
	default:
		return "CONNECTED: one flow of " + size
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
func (d *Diagnosis) count(g *Graph) string {
	if len(d.Flows) == 1 && len(g.pieces) == 1 {
		return "one flow"
	}
	if len(d.Flows) == 1 {
		return "one flow in " + Count(len(g.pieces)) + " pieces"
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
