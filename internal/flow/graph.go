// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// none stands for a span that is not in the graph.
const none = -1

// Graph is a set of spans and what joins them. It is read-only once made, so
// it is safe for concurrent use.
//
// A remote parent or a link target that was not recorded is a boundary, such
// as a caller that is not under test: spans that name the same one are joined.
// A local parent that was not recorded is a span that was lost, and joins
// nothing.
type Graph struct {
	spans    []Span
	index    map[ID]int
	parents  []int   // The parent of each span, or none.
	children [][]int // The spans that name each span as parent.
	links    [][]int // The recorded targets of each span's links.
	linkedBy [][]int // The spans that link to each span.
	received []bool  // Reports of each span whether another says that it received what this one sent.
	faults   map[int]fault
	pieces   [][]int // The spans of each connected component, by start.
	piece    []int   // The component of each span.
	order    []int   // All spans, by start.
	byParent []bool  // Reports of each component whether parents alone hold it together.
}

// New builds the graph of spans, which it keeps; they must not be changed. It sets
// Remote where the recording does not say it.
//
// A span that was delivered twice, as an exporter does when it tries again,
// counts once. Spans that share an id otherwise, name themselves as parent, or
// form a cycle are kept, and reported by [Graph.Diagnose].
func New(spans []Span) *Graph {
	g := &Graph{index: make(map[ID]int, len(spans)), faults: make(map[int]fault)}
	g.add(spans)
	g.join()
	g.cutCycles()
	g.children = listsOf(len(g.spans), g.eachChild)
	g.noteReceived()
	g.split()
	return g
}

// add indexes spans and leaves out repeated deliveries. It copies the spans only if
// there are any.
func (g *Graph) add(spans []Span) {
	var repeated []int
	others := make(map[delivery]bool) // Of spans that share the id of an earlier one.
	for n := range spans {
		s := &spans[n]
		first, known := g.index[s.ID]
		switch {
		case !known || s.ID == ID{}:
			g.index[s.ID] = n
		case s.delivery() == spans[first].delivery() || others[s.delivery()]:
			repeated = append(repeated, n)
		default:
			others[s.delivery()] = true
			g.faults[n] = sharedID
		}
	}
	if len(repeated) > 0 {
		clear(g.index)
		clear(g.faults)
		g.add(without(spans, repeated))
		return
	}
	g.spans = spans
	delete(g.index, ID{})
}

// without returns a copy of spans without those at the given indices, in order.
func without(spans []Span, left []int) []Span {
	kept := make([]Span, 0, len(spans)-len(left))
	for n := range spans {
		if len(left) > 0 && left[0] == n {
			left = left[1:]
			continue
		}
		kept = append(kept, spans[n])
	}
	return kept
}

// delivery is what every delivery of one span has in common.
type delivery struct {
	id, parent ID
	name       string
	start      time.Time
}

func (s *Span) delivery() delivery {
	return delivery{id: s.ID, parent: s.Parent, name: s.qualified(), start: s.Start.Round(0).UTC()}
}

// join resolves parents and links.
func (g *Graph) join() {
	g.parents = make([]int, len(g.spans))
	for i := range g.spans {
		s := &g.spans[i]
		g.parents[i] = g.find(s.Parent)
		switch {
		case s.Parent == ID{}:
		case s.Parent == s.ID:
			g.parents[i], g.faults[i] = none, ownParent
		case g.parents[i] == none && !s.Remote && !s.RemoteUnknown:
			g.faults[i] = lostParent
		case g.parents[i] != none && s.RemoteUnknown:
			s.Remote = s.instance() != g.spans[g.parents[i]].instance()
		}
	}
	g.links = listsOf(len(g.spans), g.eachLink)
	g.linkedBy = listsOf(len(g.spans), func(yield func(at, i int) bool) {
		g.eachLink(func(i, target int) bool { return yield(target, i) })
	})
}

// eachLink yields the spans that link to a recorded span, and their targets.
func (g *Graph) eachLink(yield func(i, target int) bool) {
	for i := range g.spans {
		for _, id := range g.spans[i].Links {
			if target := g.find(id); target != none && target != i && !yield(i, target) {
				return
			}
		}
	}
}

// noteReceived finds the spans whose data was received. Spans have many children, and are
// asked for often.
func (g *Graph) noteReceived() {
	g.received = make([]bool, len(g.spans))
	for i, p := range g.parents {
		g.received[i] = g.received[i] || len(g.linkedBy[i]) > 0
		if p != none && g.spans[i].Remote {
			g.received[p] = true
		}
	}
}

// eachChild yields the spans that have children, and their children.
func (g *Graph) eachChild(yield func(parent, i int) bool) {
	for i, p := range g.parents {
		if p != none && !yield(p, i) {
			return
		}
	}
}

// listsOf returns n lists, of which each holds the values i of the pairs of its index
// at, in their order. The lists share an array, as there may be millions.
func listsOf(n int, pairs iter.Seq2[int, int]) [][]int {
	counts, total := make([]int, n), 0
	for at := range pairs {
		counts[at]++
		total++
	}
	lists, all := make([][]int, n), make([]int, total)
	for at, count := range counts {
		lists[at], all = all[:0:count], all[count:]
	}
	for at, i := range pairs {
		lists[at] = append(lists[at], i)
	}
	return lists
}

func (g *Graph) find(id ID) int {
	if i, ok := g.index[id]; ok {
		return i
	}
	return none
}

// cutCycles makes the first span of each cycle of parents a root.
func (g *Graph) cutCycles() {
	seen := make([]int, len(g.spans)) // The walk that first met each span, from 1.
	for start := range g.spans {
		for i := start; i != none && seen[i] == 0; {
			seen[i] = start + 1
			next := g.parents[i]
			if next != none && seen[next] == start+1 {
				g.parents[next], g.faults[next] = none, ownAncestor
				break
			}
			i = next
		}
	}
}

// split finds the connected components and orders them by start.
func (g *Graph) split() {
	sets := newSets(len(g.spans))
	ghosts := make(map[ID]int) // What is referred to and was not recorded.
	ghost := func(id ID) int {
		i, ok := ghosts[id]
		if !ok {
			i = sets.grow()
			ghosts[id] = i
		}
		return i
	}
	for i, p := range g.parents {
		switch s := &g.spans[i]; {
		case p != none:
			sets.union(i, p)
		case (s.Remote || s.RemoteUnknown) && s.Parent != ID{} && s.Parent != s.ID && g.find(s.Parent) == none:
			sets.union(i, ghost(s.Parent))
		}
	}
	trees := make([]int, len(g.spans))
	for i := range trees {
		trees[i] = sets.find(i)
	}
	for i := range g.spans {
		for _, target := range g.links[i] {
			sets.union(i, target)
		}
		for _, id := range g.spans[i].Links {
			if (id != ID{}) && g.find(id) == none {
				sets.union(i, ghost(id))
			}
		}
	}
	g.number(sets)
	g.byParent = make([]bool, len(g.pieces))
	for n, piece := range g.pieces {
		g.byParent[n] = g.first(piece, func(i int) bool { return trees[i] != trees[piece[0]] }) == none
	}
}

// number lists the spans of each set, both in order of start.
func (g *Graph) number(sets *sets) {
	g.order = make([]int, len(g.spans))
	for i := range g.order {
		g.order[i] = i
	}
	slices.SortStableFunc(g.order, g.byStart)
	g.piece = make([]int, len(g.spans))
	numbers := make(map[int]int)
	for _, i := range g.order {
		root := sets.find(i)
		n, ok := numbers[root]
		if !ok {
			n = len(numbers)
			numbers[root] = n
		}
		g.piece[i] = n
	}
	g.pieces = listsOf(len(numbers), func(yield func(n, i int) bool) {
		for _, i := range g.order {
			if !yield(g.piece[i], i) {
				return
			}
		}
	})
}

func (g *Graph) byStart(a, b int) int {
	return cmp.Or(g.spans[a].Start.Compare(g.spans[b].Start), cmp.Compare(g.spans[a].qualified(), g.spans[b].qualified()))
}

// Spans returns the spans of the graph, which must not be changed.
func (g *Graph) Spans() []Span { return g.spans }

// Parent returns the index of the recorded parent of span i, or -1.
func (g *Graph) Parent(i int) int { return g.parents[i] }

// Links returns the indices of the recorded spans that span i links to.
func (g *Graph) Links(i int) []int { return g.links[i] }

// Apart reports whether spans a and b are in different pieces.
func (g *Graph) Apart(a, b int) bool { return g.piece[a] != g.piece[b] }

// Pieces returns how many parts the spans fall into. A whole flow is one.
func (g *Graph) Pieces() int { return len(g.pieces) }

// Traces returns how many trace ids the spans have.
func (g *Graph) Traces() int {
	ids := make(map[trace.TraceID]struct{})
	for i := range g.spans {
		ids[g.spans[i].ID.Trace] = struct{}{}
	}
	return len(ids)
}

// Services returns how many services the spans belong to.
func (g *Graph) Services() int {
	names := make(map[string]struct{})
	for i := range g.spans {
		names[g.spans[i].Service] = struct{}{}
	}
	return len(names)
}

// Downstream returns the spans that span of from led to: its children, the
// spans that link to it, and theirs. A span of from is among them only if
// another of from led to it.
func (g *Graph) Downstream(from []int) []int {
	var reached []int
	seen := make([]bool, len(g.spans))
	visit := func(next []int) {
		for _, i := range next {
			if !seen[i] {
				seen[i] = true
				reached = append(reached, i)
			}
		}
	}
	for _, i := range from {
		visit(g.children[i])
		visit(g.linkedBy[i])
	}
	for n := 0; n < len(reached); n++ {
		visit(g.children[reached[n]])
		visit(g.linkedBy[reached[n]])
	}
	return reached
}

// Select returns those of spans that match.
func (g *Graph) Select(spans []int, match func(i int) bool) []int {
	var selected []int
	for _, i := range spans {
		if match(i) {
			selected = append(selected, i)
		}
	}
	return selected
}

// All returns the indices of all spans, in order of start. It must not be changed.
func (g *Graph) All() []int { return g.order }
