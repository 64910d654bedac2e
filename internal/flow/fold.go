// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

const (
	// maxDepth is how many levels of a flow are drawn.
	maxDepth = 64
	// maxVariants is how many subtrees of equal spans are drawn one by one.
	maxVariants = 4
	// maxNumbered is how many siblings whose names differ only in numbers are drawn
	// one by one.
	maxNumbered = 16
)

// class is equal for equal subtrees.
type class [sha256.Size]byte

// classes returns the class of the subtree of each span, of which key says
// what one span contributes.
func (g *Graph) classes(key func(i int) string) []class {
	classes := make([]class, len(g.spans))
	for _, i := range slices.Backward(g.topDown()) {
		below := make([]class, len(g.children[i]))
		for n, child := range g.children[i] {
			below[n] = classes[child]
		}
		classes[i] = classOf(key(i), below)
	}
	return classes
}

// classOf returns the class of a span with the subtrees below, in any order.
func classOf(key string, below []class) class {
	slices.SortFunc(below, func(a, b class) int { return bytes.Compare(a[:], b[:]) })
	own := sha256.Sum256([]byte(key))
	h := sha256.New()
	h.Write(own[:])
	for _, c := range below {
		h.Write(c[:])
	}
	return class(h.Sum(nil))
}

// sizes returns how many spans the subtree of each span has.
func (g *Graph) sizes() []int {
	sizes := make([]int, len(g.spans))
	for _, i := range slices.Backward(g.topDown()) {
		sizes[i]++
		if p := g.parents[i]; p != none {
			sizes[p] += sizes[i]
		}
	}
	return sizes
}

// topDown lists the spans so that each follows its parent.
func (g *Graph) topDown() []int {
	order := make([]int, 0, len(g.spans))
	for i, p := range g.parents {
		if p == none {
			order = append(order, i)
		}
	}
	for n := 0; n < len(order); n++ {
		order = append(order, g.children[order[n]]...)
	}
	return order
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

// Bond is why a group is drawn under another one.
type Bond int

// The bonds.
const (
	BondParent    Bond = iota // The spans are children.
	BondLink                  // The spans are roots that link to it.
	BondLinkBelow             // The spans are roots, and spans below them link to it.
)

// Group is a set of siblings drawn as one.
type Group struct {
	Name  string // Of the spans; # stands for numbers in which they differ.
	Spans []int
	Below []*Group
	Bond  Bond
	Cut   int // How many spans below are too deep to be drawn.
}

// block is one piece of a flow, or several that look the same.
type block []*Group

// Groups returns the flow as [Graph.Tree] draws it: siblings that look the same are
// one group, below the group that they belong to.
func (g *Graph) Groups() []*Group {
	var all []*Group
	for _, b := range g.fold(g.look) {
		all = append(all, b...)
	}
	return all
}

// folder arranges a graph as blocks of groups.
type folder struct {
	g       *Graph
	labels  []string // What is drawn of one span.
	classes []class
	linked  [][]int // The roots drawn under each span.
}

// fold arranges the graph for drawing. A root is drawn under the first span
// that it, or a span below it, links to.
func (g *Graph) fold(label func(i int) string) []block {
	f := &folder{g: g, labels: make([]string, len(g.spans)), linked: make([][]int, len(g.spans))}
	for i := range g.spans {
		f.labels[i] = label(i)
	}
	f.classes = g.classes(func(i int) string { return f.labels[i] })
	return f.blocks(f.hang())
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

// blocks folds the pieces of the graph that look the same.
func (f *folder) blocks(root []bool) []block {
	looks := f.looks()
	var blocks []block
	number := make(map[class]int)
	members := make(map[int][]int)
	for p, piece := range f.g.pieces {
		n, ok := number[looks[p]]
		if !ok {
			n = len(blocks)
			number[looks[p]] = n
			blocks = append(blocks, nil)
		}
		members[n] = append(members[n], f.g.Select(piece, func(i int) bool { return root[i] })...)
	}
	for n := range blocks {
		blocks[n] = f.groups(members[n], BondParent, 1)
	}
	return blocks
}

// looks returns a class for each piece, which is equal for those that look the same.
// Pieces that differ only in too many numbers do.
func (f *folder) looks() []class {
	looks := f.pieceClasses(f.classes)
	if len(looks) <= maxNumbered {
		return looks
	}
	masked := f.pieceClasses(f.g.classes(func(i int) string { return Mask(f.labels[i]) }))
	variants := make(map[class]map[class]bool)
	for n, look := range looks {
		if variants[masked[n]] == nil {
			variants[masked[n]] = make(map[class]bool)
		}
		if len(variants[masked[n]]) <= maxNumbered {
			variants[masked[n]][look] = true
		}
	}
	for n := range looks {
		if len(variants[masked[n]]) > maxNumbered {
			looks[n] = masked[n]
		}
	}
	return looks
}

// pieceClasses returns the class of the trees of each piece, of which classes holds
// that of each span.
func (f *folder) pieceClasses(classes []class) []class {
	made := make([]class, len(f.g.pieces))
	for n, piece := range f.g.pieces {
		var below []class
		for _, i := range piece {
			if f.g.parents[i] == none {
				below = append(below, classes[i])
			}
		}
		made[n] = classOf("", below)
	}
	return made
}

// groups folds siblings at a depth: those with equal subtrees, those with equal
// labels where their subtrees differ in too many ways, and those whose labels differ
// only in too many numbers.
func (f *folder) groups(spans []int, how Bond, depth int) []*Group {
	slices.SortStableFunc(spans, f.g.byStart)
	numbered := f.numbered(spans)
	variants := make(map[string]int)
	for _, part := range partition(spans, func(i int) class { return f.classes[i] }) {
		variants[f.labels[part[0]]]++
	}
	type key struct {
		label string
		class class
	}
	parts := partition(spans, func(i int) key {
		if masked := Mask(f.labels[i]); numbered[masked] {
			return key{label: masked}
		}
		if variants[f.labels[i]] > maxVariants {
			return key{label: f.labels[i]}
		}
		return key{label: f.labels[i], class: f.classes[i]}
	})
	groups := make([]*Group, len(parts))
	for n, part := range parts {
		groups[n] = f.group(part, how, depth)
	}
	return groups
}

// numbered returns the masked labels that too many labels of spans have.
func (f *folder) numbered(spans []int) map[string]bool {
	if len(spans) <= maxNumbered {
		return nil
	}
	number := make(map[string]int)
	numbered := make(map[string]bool)
	for _, part := range partition(spans, func(i int) string { return f.labels[i] }) {
		masked := Mask(f.labels[part[0]])
		number[masked]++
		if number[masked] > maxNumbered {
			numbered[masked] = true
		}
	}
	return numbered
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

// nameOf returns the name of spans, in which # stands for numbers that differ.
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
