// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"
	"strings"
)

const (
	// maxDepth is how many levels of a flow are drawn.
	maxDepth = 64
	// maxNumbered is how many siblings whose names differ only in numbers and ids are
	// drawn one by one.
	maxNumbered = 16
)

// Bond is why a group is drawn under another one.
type Bond int

// The bonds.
const (
	BondParent    Bond = iota // The spans are children.
	BondLink                  // The spans are roots that link to it.
	BondLinkBelow             // The spans are roots, and spans below them link to it.
)

// Group is siblings that look the same, drawn as one, above all that is below them.
type Group struct {
	Name  string // Of the spans; # stands for numbers and ids in which they differ.
	Spans []int
	Below []*Group
	Bond  Bond
	Cut   int // How many spans below are too deep to be drawn.
}

// block is one piece of a flow, or several whose roots look the same.
type block []*Group

// Groups returns the flow as [Diagnosis.Tree] draws it: siblings that look the same are
// one group, below the group that they belong to.
func (g *Graph) Groups() []*Group { return slices.Concat(g.fold(g.look)...) }

// folder arranges a graph as blocks of groups.
type folder struct {
	g      *Graph
	looks  []string // What spans must have in common to be drawn as one.
	linked [][]int  // The roots drawn under each span.
}

// fold arranges the graph for drawing. Siblings of the same look are one group. A root
// is drawn under the first span that it, or a span below it, links to.
func (g *Graph) fold(look func(i int) string) []block {
	f := &folder{g: g, looks: make([]string, len(g.spans)), linked: make([][]int, len(g.spans))}
	for i := range g.spans {
		f.looks[i] = look(i)
	}
	isRoot := f.hang()
	roots := make([][]int, len(g.pieces)) // Of each piece.
	looks := make([]string, len(g.pieces))
	for n, piece := range g.pieces {
		roots[n] = g.Select(piece, func(i int) bool { return isRoot[i] })
		looks[n] = f.lookOf(roots[n])
	}
	var blocks []block
	for _, alike := range fold(looks) {
		var all []int
		for _, n := range alike {
			all = append(all, roots[n]...)
		}
		blocks = append(blocks, f.groups(all, BondParent, 1))
	}
	return blocks
}

// lookOf returns what a piece must have in common with others to be drawn as one: the
// looks of its roots.
func (f *folder) lookOf(roots []int) string {
	looks := make([]string, len(roots))
	for n, i := range roots {
		looks[n] = f.looks[i]
	}
	slices.Sort(looks)
	return strings.Join(slices.Compact(looks), "\x00")
}

// fold returns which of some things look the same, in order of appearance. Those that
// differ only in numbers and ids do if there are too many of them.
func fold(looks []string) [][]int {
	all := make([]int, len(looks))
	for n := range all {
		all[n] = n
	}
	alike := partition(all, func(n int) string { return looks[n] })
	if len(alike) <= maxNumbered {
		return alike
	}
	numbered := make(map[string]int)
	for _, part := range alike {
		numbered[Mask(looks[part[0]])]++
	}
	return partition(all, func(n int) string {
		if masked := Mask(looks[n]); numbered[masked] > maxNumbered {
			return masked
		}
		return looks[n]
	})
}

// partition splits spans into those of equal key, in order of appearance.
func partition[K comparable](spans []int, key func(i int) K) [][]int {
	var parts [][]int
	number := make(map[K]int)
	for _, i := range spans {
		k := key(i)
		n, ok := number[k]
		if !ok {
			n = len(parts)
			number[k] = n
			parts = append(parts, nil)
		}
		parts[n] = append(parts[n], i)
	}
	return parts
}

// hang decides which roots are drawn under a link target, and reports which
// spans are left as roots.
func (f *folder) hang() (root []bool) {
	trees := newSets(len(f.g.spans))
	root = make([]bool, len(f.g.spans))
	var roots []int
	for _, i := range f.g.All() {
		if p := f.g.parents[i]; p != none {
			trees.union(i, p)
			continue
		}
		root[i] = true
		roots = append(roots, i)
	}
	for _, i := range roots {
		if target := f.target(i, trees); target != none {
			trees.union(i, target)
			f.linked[target] = append(f.linked[target], i)
			root[i] = false
		}
	}
	return root
}

// target returns the first span in another tree that the tree of root links to.
func (f *folder) target(root int, trees *sets) int {
	tree := []int{root}
	for n := 0; n < len(tree); n++ {
		for _, target := range f.g.links[tree[n]] {
			if trees.find(target) != trees.find(root) {
				return target
			}
		}
		tree = append(tree, f.g.children[tree[n]]...)
	}
	return none
}

// groups folds siblings at a depth.
func (f *folder) groups(spans []int, how Bond, depth int) []*Group {
	slices.SortStableFunc(spans, f.g.byStart)
	looks := make([]string, len(spans))
	for n, i := range spans {
		looks[n] = f.looks[i]
	}
	var groups []*Group
	for _, alike := range fold(looks) {
		for n := range alike {
			alike[n] = spans[alike[n]]
		}
		groups = append(groups, f.group(alike, how, depth))
	}
	return groups
}

func (f *folder) group(spans []int, how Bond, depth int) *Group {
	made := &Group{Name: f.g.nameOf(spans), Spans: spans, Bond: how}
	if depth == maxDepth {
		made.Cut = f.below(spans)
		return made
	}
	var below [BondLinkBelow + 1][]int
	for _, i := range spans {
		below[BondParent] = append(below[BondParent], f.g.children[i]...)
		for _, root := range f.linked[i] {
			how := BondLinkBelow
			if slices.Contains(f.g.links[root], i) {
				how = BondLink
			}
			below[how] = append(below[how], root)
		}
	}
	for how, spans := range below {
		made.Below = append(made.Below, f.groups(spans, Bond(how), depth+1)...)
	}
	return made
}

// nameOf returns the name of spans, in which # stands for numbers and ids that differ.
func (g *Graph) nameOf(spans []int) string {
	name := g.spans[spans[0]].Name
	if slices.ContainsFunc(spans, func(i int) bool { return g.spans[i].Name != name }) {
		return Mask(name)
	}
	return name
}

// below counts the spans drawn below spans.
func (f *folder) below(spans []int) int {
	queue := slices.Clone(spans)
	for n := 0; n < len(queue); n++ {
		queue = append(append(queue, f.g.children[queue[n]]...), f.linked[queue[n]]...)
	}
	return len(queue) - len(spans)
}
