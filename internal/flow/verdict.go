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
)

// Verdict returns what the spans form.
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

// Reason says how a span broke a flow.
type Reason int

// The reasons.
const (
	Detached   Reason = iota + 1 // Neither a parent nor a link to another span.
	LostParent                   // A parent in the same process that was never recorded.
	OtherTrace                   // A parent that exists under another trace id.
	OwnParent                    // The span names itself as parent.
	Cycle                        // The span is its own ancestor.
	SharedID                     // Another span has the same id.
)

// marks returns what the tree says of the spans that broke the flow.
func (g *Graph) marks() map[int]string { return nil }

// Summary says in one line what the spans form.
func (g *Graph) Summary() string { return string(g.Verdict()) }
