// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// maxRuptures is how many places are explained at which a flow broke.
const maxRuptures = 10

// reason says how a span broke a flow.
type reason int

// The reasons.
const (
	newTrace      reason = iota + 1 // The span has no parent, and no link to another piece.
	unknownParent                   // The parent was in another process and was not recorded.
	unknownLink                     // The span links only to spans that were not recorded.
	lostParent                      // The parent was in this process and was not recorded.
	otherTrace                      // The parent was recorded under another trace id.
	ownParent                       // The span names itself as parent.
	ownAncestor                     // The span is its own ancestor.
	sharedID                        // Another span has the same id.
)

// mark is what the tree says of a span that broke the flow.
func (r reason) mark() string {
	return [...]string{
		newTrace:      "✗ starts a new trace",
		unknownParent: "✗ remote parent not recorded",
		unknownLink:   "✗ link target not recorded",
		lostParent:    "✗ local parent not recorded",
		otherTrace:    "✗ parent has another trace id",
		ownParent:     "✗ is its own parent",
		ownAncestor:   "✗ is its own ancestor",
		sharedID:      "✗ shares its id",
	}[r]
}

// explanation says what the reason means.
func (r reason) explanation() string {
	return [...]string{
		newTrace:      "starts a new trace: it has no parent, and no link to the rest.",
		unknownParent: "has a parent in another process that was not recorded here.",
		unknownLink:   "links only to spans that were not recorded here.",
		lostParent:    "has a parent in its own process that was not recorded: it never ended, was not sampled, or was never exported.",
		otherTrace:    "has a parent that was recorded under another trace id: the trace id was changed on the way.",
		ownParent:     "names itself as its parent.",
		ownAncestor:   "is its own ancestor: the parents form a cycle.",
		sharedID:      "has the id of another span: two processes make the same ids.",
	}[r]
}

// rupture is a place where a flow broke.
type rupture struct {
	span     int // The span that does not belong to the flow.
	reason   reason
	count    int // How many spans of this label broke for this reason.
	from, to int // The spans between which it broke, or none if nobody can tell.
}

// ruptures returns where the flow broke, in order of start. Suspects of one
// label and reason are one rupture.
func (g *Graph) ruptures(h *hops, suspects map[int]reason) []rupture {
	type key struct {
		label  string
		reason reason
	}
	spans := g.Select(g.order, func(i int) bool { return suspects[i] != 0 })
	var ruptures []rupture
	for n, alike := range partition(spans, func(i int) key { return key{g.spans[i].Label(), suspects[i]} }) {
		r := rupture{span: alike[0], reason: suspects[alike[0]], count: len(alike), from: none, to: none}
		if r.reason == newTrace && n < maxRuptures {
			r.from, r.to = h.around(r.span)
		}
		ruptures = append(ruptures, r)
	}
	return ruptures
}

// suspects returns the spans that broke a flow: those at fault, and one for each piece
// of a flow other than the one that the flow starts in. flows lists the pieces of each.
func (g *Graph) suspects(h *hops, flows [][]int) map[int]reason {
	suspects := make(map[int]reason, len(g.faults))
	for i, fault := range g.faults {
		if fault == lostParent && h.known(g.spans[i].Parent) {
			fault = otherTrace
		}
		suspects[i] = fault
	}
	for _, pieces := range flows {
		start := g.start(pieces)
		for _, n := range pieces {
			if n == start {
				continue
			}
			if i, why := g.suspect(n, h); i != none {
				suspects[i] = why
			}
		}
	}
	return suspects
}

// oneFlow lists all pieces, as those of one flow.
func (g *Graph) oneFlow() [][]int {
	pieces := make([]int, len(g.pieces))
	for n := range pieces {
		pieces[n] = n
	}
	return [][]int{pieces}
}

// start returns the piece in which a flow of some pieces starts: the first whose root
// is not a consumer, as a consumer goes on with what another span began.
func (g *Graph) start(pieces []int) int {
	for _, n := range pieces {
		root := g.first(g.pieces[n], func(i int) bool { return g.spans[i].Parent == ID{} })
		if root != none && g.spans[root].Kind != trace.SpanKindConsumer {
			return n
		}
	}
	if len(pieces) == 0 {
		return none
	}
	return pieces[0]
}

// suspect returns the span by which piece n should have been joined to the
// others, or none if a span of the piece is at fault already.
func (g *Graph) suspect(n int, h *hops) (int, reason) {
	piece := g.pieces[n]
	for _, i := range piece {
		if g.faults[i] != 0 {
			return none, 0
		}
	}
	for _, i := range piece {
		s := &g.spans[i]
		switch {
		case g.parents[i] != none || len(g.links[i]) > 0:
		case s.Parent != ID{} && h.known(s.Parent):
			return i, otherTrace
		case s.Parent != ID{}:
			return i, unknownParent
		case len(s.Links) > 0:
			return i, unknownLink
		default:
			return i, newTrace
		}
	}
	return piece[0], newTrace
}

// Explain says in words where the flow broke, and is empty for a whole flow.
func (g *Graph) Explain() string {
	var b strings.Builder
	h := newHops(g)
	ruptures := g.ruptures(h, g.suspects(h, g.oneFlow()))
	told := make(map[string]bool)
	for _, r := range ruptures[:min(len(ruptures), maxRuptures)] {
		fmt.Fprintf(&b, "✗ %q%s %s\n", g.spans[r.span].Label(), times(r.count), r.reason.explanation())
		if where := g.where(r); !told[where] {
			told[where] = true
			b.WriteString(where)
		}
	}
	if left := len(ruptures) - maxRuptures; left > 0 {
		fmt.Fprintf(&b, "… and %s more\n", Count(left))
	}
	return b.String()
}

// where names the hop at which the flow broke, and what to look for.
func (g *Graph) where(r rupture) string {
	if r.from == none {
		return ""
	}
	from, to := &g.spans[r.from], &g.spans[r.to]
	switch channel := to.Channel(); {
	case channel != "" && channel == from.Channel():
		return fmt.Sprintf("  It broke on %s, between %q and %q.\n"+
			"  Look for an inject missing from the first, an extract missing from the second,\n"+
			"  or a span that was not started from the extracted context.\n", channel, from.Label(), to.Label())
	case from.Service == to.Service:
		return fmt.Sprintf("  It probably broke inside %q, where %q was active.\n"+
			"  Look for a context that was not passed on.\n", from.Service, from.Label())
	default:
		return fmt.Sprintf("  It probably broke after %q, the last to send something before.\n"+
			"  Look for a carrier that took no context along.\n", from.Label())
	}
}

// marks returns what the tree says of each span that broke one of flows, or before
// which it broke.
func (g *Graph) marks(flows [][]int) map[int]string {
	marks := make(map[int]string)
	h := newHops(g)
	suspects := g.suspects(h, flows)
	for _, r := range g.ruptures(h, suspects) {
		if r.from != none {
			marks[r.from] = "✗ the flow is lost after this"
		}
	}
	for i, why := range suspects {
		marks[i] = why.mark()
	}
	return marks
}
