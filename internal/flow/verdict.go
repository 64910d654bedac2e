// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// Verdict says whether spans form one flow.
type Verdict string

// The verdicts.
const (
	Connected Verdict = "CONNECTED" // One flow, by parents alone.
	Linked    Verdict = "LINKED"    // One flow, held together by links; right for batches.
	Broken    Verdict = "BROKEN"    // No flow, several, or one that lost a span.
	Unknown   Verdict = "UNKNOWN"   // Several flows, and nothing says whether they belong together.
)

// Verdict returns what the spans form, if they are meant to be one flow. It is never
// [Unknown]; [Diagnosis.Verdict] makes no such assumption.
func (g *Graph) Verdict() Verdict {
	switch {
	case len(g.pieces) != 1 || len(g.faults) > 0:
		return Broken
	case g.byParent:
		return Connected
	default:
		return Linked
	}
}

// Summary says in one line what the spans form.
func (g *Graph) Summary() string {
	spans := Plural(len(g.spans), "span")
	whole := "one flow of " + spans + ", " + Plural(g.Services(), "service") + ", " + Plural(g.Traces(), "trace")
	switch verdict := g.Verdict(); {
	case len(g.spans) == 0:
		return "BROKEN: no spans were recorded"
	case len(g.pieces) > 1:
		return "BROKEN: " + spans + " in " + Count(len(g.pieces)) + " pieces, want one flow"
	case verdict == Broken:
		return "BROKEN: " + whole + ", damaged"
	case verdict == Linked:
		return "LINKED: " + whole + ", joined by links"
	default:
		return "CONNECTED: " + whole
	}
}

// Plural returns n and what it counts.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Count(n) + " " + what + "s"
}
