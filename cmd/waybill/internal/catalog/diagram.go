// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// diagram is a catalog as boxes and arrows.
type diagram struct {
	nodes   []node
	arrows  []arrow
	number  map[node]int
	omitted int // Edges that are not drawn.
}

// node is a service or a destination.
type node struct {
	name        string
	destination bool
}

type arrow struct {
	from, to int
	label    string // What carries data, if no node says so.
	hops     int
	broken   int
	linked   bool
}

// maxArrows is how many edges a diagram has: Mermaid draws at most 500 arrows, and an
// edge over a destination takes two.
const maxArrows = 250

func (c *Catalog) diagram() *diagram {
	d := &diagram{number: make(map[node]int)}
	edges := c.Edges
	if len(edges) > maxArrows {
		edges = slices.Clone(edges)
		slices.SortStableFunc(edges, func(a, b Edge) int { return cmp.Compare(b.Hops+b.Broken, a.Hops+a.Broken) })
		d.omitted = len(edges) - maxArrows
		edges = edges[:maxArrows]
	} else {
		for _, s := range c.Services[:min(len(c.Services), maxArrows)] {
			d.node(node{name: s.Name})
		}
	}
	for i := range edges {
		d.add(&edges[i])
	}
	return d
}

// node returns the number of a node, which is new or known.
func (d *diagram) node(n node) int {
	number, known := d.number[n]
	if !known {
		number = len(d.nodes)
		d.number[n] = number
		d.nodes = append(d.nodes, n)
	}
	return number
}

func (d *diagram) add(e *Edge) {
	from, to := d.node(node{name: e.From}), d.node(node{name: e.To})
	next := arrow{from: from, to: to, label: e.Carrier, hops: e.Hops, broken: e.Broken, linked: e.Linked > 0}
	if e.Destination == "" {
		d.join(next)
		return
	}
	next.label = ""
	over := d.node(node{name: e.over(), destination: true})
	next.to = over
	d.join(next)
	next.from, next.to = over, to
	d.join(next)
}

// join adds an arrow, or its hops to one that there is.
func (d *diagram) join(next arrow) {
	for i := range d.arrows {
		a := &d.arrows[i]
		if a.from == next.from && a.to == next.to && a.label == next.label {
			a.hops += next.hops
			a.broken += next.broken
			a.linked = a.linked || next.linked
			return
		}
	}
	d.arrows = append(d.arrows, next)
}

// text says what is known of a.
func (a *arrow) text() string {
	var parts []string
	if a.label != "" {
		parts = append(parts, a.label)
	}
	if a.hops > 0 {
		parts = append(parts, "×"+flow.Count(a.hops))
	}
	if a.broken > 0 {
		parts = append(parts, flow.Count(a.broken)+" broken")
	}
	return flow.Clip(strings.Join(parts, ", "), maxLabel)
}

const maxLabel = 100

// text returns the name of n.
func (n node) text() string {
	if n.name == "" {
		return "(no name)"
	}
	return flow.Clip(n.name, maxLabel)
}

// WriteMermaid writes c as a flowchart of Mermaid: https://mermaid.js.org/syntax/flowchart.html
func (c *Catalog) WriteMermaid(w io.Writer) error {
	d := c.diagram()
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for i, n := range d.nodes {
		shape := `["%s"]`
		if n.destination {
			shape = `[("%s")]`
		}
		fmt.Fprintf(&b, "  n%d"+shape+"\n", i, mermaid(n.text()))
	}
	for i := range d.arrows {
		a := &d.arrows[i]
		line := "-->"
		switch {
		case a.broken > 0:
			line = "--x"
		case a.linked:
			line = "-.->"
		}
		fmt.Fprintf(&b, "  n%d %s|\"%s\"| n%d\n", a.from, line, mermaid(a.text()), a.to)
	}
	if d.omitted > 0 {
		fmt.Fprintf(&b, "  %%%% %s with fewer hops are left out.\n", flow.Plural(d.omitted, "edge"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaid returns text for a quoted label: only letters, digits and what is harmless
// are written as they are, the others as the entities of Mermaid.
func mermaid(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 && strings.ContainsRune("\"#&<>`\\|{}[]()%;$*_~", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// WriteDOT writes c in the language of Graphviz: https://graphviz.org/doc/info/lang.html
func (c *Catalog) WriteDOT(w io.Writer) error {
	d := c.diagram()
	var b strings.Builder
	b.WriteString("digraph waybill {\n  rankdir=LR;\n  node [shape=box];\n")
	for i, n := range d.nodes {
		shape := ""
		if n.destination {
			shape = ", shape=cylinder"
		}
		fmt.Fprintf(&b, "  n%d [label=\"%s\"%s];\n", i, dot(n.text()), shape)
	}
	for i := range d.arrows {
		a := &d.arrows[i]
		style := ""
		switch {
		case a.broken > 0:
			style = ", color=red"
		case a.linked:
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  n%d -> n%d [label=\"%s\"%s];\n", a.from, a.to, dot(a.text()), style)
	}
	if d.omitted > 0 {
		fmt.Fprintf(&b, "  // %s with fewer hops are left out.\n", flow.Plural(d.omitted, "edge"))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dot returns text for a quoted string. Entities of HTML are escaped too, which
// Graphviz replaces.
func dot(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`).Replace(text)
}
