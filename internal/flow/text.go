// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.opentelemetry.io/otel/codes"
)

// Text describes the flow without ids, times or durations, so that the same
// flow always gives the same text and a change of it can be read in a diff.
//
// It has a line a span, indented below its parent: service, name, kind, the
// attributes that keep selects, by key, and ERROR. A line of ⇢ below it is a
// link and the path of its target. Equal siblings fold to ×3; siblings are
// ordered by what their lines say. Levels beyond the 64th are left out.
func (g *Graph) Text(keep func(key string) bool) string {
	t := &texts{g: g, own: make([]text, len(g.spans))}
	for i := range g.spans {
		t.own[i] = t.describe(i, keep)
	}
	t.classes, t.sizes = t.classesOf(), t.sizesOf()
	t.add(g.Select(g.order, func(i int) bool { return g.parents[i] == none }), 0)
	return t.b.String()
}

// class is equal for equal subtrees.
type class [sha256.Size]byte

// classes returns the class of the subtree of each span.
func (t *texts) classesOf() []class {
	classes := make([]class, len(t.g.spans))
	for _, i := range slices.Backward(t.g.topDown()) {
		below := make([]class, len(t.g.children[i]))
		for n, child := range t.g.children[i] {
			below[n] = classes[child]
		}
		slices.SortFunc(below, func(a, b class) int { return bytes.Compare(a[:], b[:]) })
		own := sha256.Sum256([]byte(t.own[i].line + strings.Join(t.own[i].links, "\n")))
		h := sha256.New()
		h.Write(own[:])
		for _, c := range below {
			h.Write(c[:])
		}
		h.Sum(classes[i][:0])
	}
	return classes
}

// sizesOf returns how many spans the subtree of each span has.
func (t *texts) sizesOf() []int {
	sizes := make([]int, len(t.g.spans))
	for _, i := range slices.Backward(t.g.topDown()) {
		sizes[i]++
		if p := t.g.parents[i]; p != none {
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

// text is what is said of one span.
type text struct {
	order []string // What siblings are ordered by.
	line  string
	links []string
}

type texts struct {
	g       *Graph
	own     []text
	classes []class
	sizes   []int // How many spans each subtree has.
	b       strings.Builder
}

func (t *texts) describe(i int, keep func(key string) bool) text {
	s := &t.g.spans[i]
	kind := strings.ToUpper(s.Kind.String())
	words := append([]string{Clip(s.qualified(), maxText), kind}, kept(s, keep)...)
	if s.Status == codes.Error {
		words = append(words, "ERROR")
	}
	switch {
	case t.g.entered(i):
		words = append(words, "(remote parent not recorded)")
	case t.g.faults[i] != 0:
		words = append(words, "(✗ "+t.g.faults[i].String()+")")
	}
	return text{
		order: append([]string{s.Service, kind, s.Name}, words[2:]...),
		line:  strings.Join(words, " "),
		links: t.targets(i),
	}
}

// kept returns the attributes of s that keep selects, in order.
func kept(s *Span, keep func(key string) bool) []string {
	var words []string
	for _, kv := range s.Attributes {
		if key := string(kv.Key); keep(key) {
			words = append(words, key+"="+quote(kv.Value.String()))
		}
	}
	slices.Sort(words)
	return words
}

// quote quotes a value that is not one word.
func quote(value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"'
	}) {
		return strconv.Quote(value)
	}
	return value
}

// targets returns the paths of what span i links to, in order.
func (t *texts) targets(i int) []string {
	number := make(map[string]int)
	for _, id := range t.g.spans[i].Links {
		path := "(not recorded)"
		if target := t.g.find(id); target != none {
			path = t.g.Path(target)
		}
		number[path]++
	}
	var targets []string
	for path, n := range number {
		targets = append(targets, "⇢ "+path+times(n))
	}
	slices.Sort(targets)
	return targets
}

// add appends the lines of siblings and of what is below them.
func (t *texts) add(siblings []int, depth int) {
	indent := strings.Repeat("  ", depth)
	if depth == maxDepth {
		t.b.WriteString(indent + "…\n")
		return
	}
	parts := partition(siblings, func(i int) class { return t.classes[i] })
	slices.SortFunc(parts, func(a, b []int) int { return t.compare(a[0], b[0]) })
	for _, part := range parts {
		own := t.own[part[0]]
		t.b.WriteString(indent + own.line + times(len(part)) + "\n")
		for _, link := range own.links {
			t.b.WriteString(indent + "  " + link + "\n")
		}
		if below := t.g.children[part[0]]; len(below) > 0 {
			t.add(below, depth+1)
		}
	}
}

func (t *texts) compare(a, b int) int {
	return cmp.Or(
		slices.Compare(t.own[a].order, t.own[b].order),
		slices.Compare(t.own[a].links, t.own[b].links),
		cmp.Compare(t.sizes[a], t.sizes[b]),
		bytes.Compare(t.classes[a][:], t.classes[b][:]),
	)
}

// Path names span i and its ancestors, at most 64 of them, from the root.
func (g *Graph) Path(i int) string {
	var labels []string
	for ; i != none && len(labels) < maxDepth; i = g.parents[i] {
		labels = append(labels, Clip(g.spans[i].qualified(), maxText))
	}
	if i != none {
		labels = append(labels, "…")
	}
	slices.Reverse(labels)
	return strings.Join(labels, " › ")
}
