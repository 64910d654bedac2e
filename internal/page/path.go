// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"math"
	"slices"

	"github.com/waybill-go/waybill/internal/flow"
)

// The measures of the picture of a path.
const (
	boxWidth    = 150.0
	boxHeight   = 40.0
	columnWidth = 210.0
	boxGap      = 26.0
)

// path is a flow without time: services and what is between them.
type path struct {
	Width, Height float64
	Boxes         []box
	Lines         []line
}

type box struct {
	X, Y    float64
	Name    string
	Carrier bool // Reports whether it is what carries data, and not a service.
}

// short returns the name as far as there is room for it.
func (b box) short() string { return flow.Clip(b.Name, 20) }

type line struct {
	Path  string
	Width float64
	X, Y  float64 // Of the count.
	Count string
	Link  bool
	// Broken reports that the flow should lead there and does not.
	Broken bool
}

// maxBoxes is how many boxes a picture has at most.
const maxBoxes = 60

func newPath(g *flow.Graph, gaps []broken) *path {
	b := &pathBuilder{index: map[pathNode]int{}}
	edges := g.Edges(nil)
	for _, gap := range gaps {
		edges = append(edges, gap.edge(g))
	}
	for n := range edges {
		b.add(&edges[n])
		if len(b.nodes) > maxBoxes {
			return nil
		}
	}
	if len(b.nodes) == 0 {
		return nil
	}
	return b.draw()
}

type pathNode struct {
	name    string
	carrier bool
	column  int
	x, y    float64
}

type pathEdge struct {
	from, to int
	count    int
	link     bool
	broken   bool
	back     bool // Reports whether it leads to where the flow has been.
}

type pathBuilder struct {
	nodes []pathNode
	edges []pathEdge
	index map[pathNode]int
}

// node returns the number of a node, which is new or known.
func (b *pathBuilder) node(n pathNode) int {
	number, ok := b.index[n]
	if !ok {
		number = len(b.nodes)
		b.index[n] = number
		b.nodes = append(b.nodes, n)
	}
	return number
}

func (b *pathBuilder) add(e *flow.Edge) {
	from, to := b.node(pathNode{name: flow.Clip(e.From, maxName)}), b.node(pathNode{name: flow.Clip(e.To, maxName)})
	if e.Destination == "" {
		b.join(from, to, e)
		return
	}
	over := b.node(pathNode{name: flow.Clip(e.Over(), maxName), carrier: true})
	b.join(from, over, e)
	b.join(over, to, e)
}

func (b *pathBuilder) join(from, to int, e *flow.Edge) {
	for i := range b.edges {
		if b.edges[i].from == from && b.edges[i].to == to {
			b.edges[i].count += e.Count + e.Broken
			b.edges[i].broken = b.edges[i].broken || e.Broken > 0
			return
		}
	}
	b.edges = append(b.edges, pathEdge{from: from, to: to, count: e.Count + e.Broken, link: e.Linked > 0, broken: e.Broken > 0})
}

// columns puts each node to the right of those that lead to it, except by an edge that
// leads back.
func (b *pathBuilder) columns() int {
	state := make([]visit, len(b.nodes))
	for n := range b.nodes {
		b.findBack(n, state)
	}
	most := 0
	for range b.nodes {
		changed := false
		for _, e := range b.edges {
			if from, to := &b.nodes[e.from], &b.nodes[e.to]; !e.back && to.column <= from.column {
				to.column = from.column + 1
				most = max(most, to.column)
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	return most + 1
}

// visit is the state of a node in a depth-first search.
type visit uint8

const (
	entered visit = iota + 1
	left
)

// findBack marks the edges from n, and from where they lead, that close a circle.
func (b *pathBuilder) findBack(n int, state []visit) {
	if state[n] != 0 {
		return
	}
	state[n] = entered
	for i := range b.edges {
		e := &b.edges[i]
		switch {
		case e.from != n:
		case state[e.to] == entered:
			e.back = true
		default:
			b.findBack(e.to, state)
		}
	}
	state[n] = left
}

func (b *pathBuilder) draw() *path {
	columns := b.columns()
	heights := make([]int, columns)
	p := &path{Width: float64(columns)*columnWidth - (columnWidth - boxWidth) + 4}
	for i := range b.nodes {
		n := &b.nodes[i]
		n.x = 2 + float64(n.column)*columnWidth
		n.y = 2 + float64(heights[n.column])*(boxHeight+boxGap)
		heights[n.column]++
		p.Boxes = append(p.Boxes, box{X: n.x, Y: n.y, Name: n.name, Carrier: n.carrier})
		p.Height = max(p.Height, n.y+boxHeight+4)
	}
	for _, e := range b.edges {
		p.Lines = append(p.Lines, b.line(e))
	}
	if slices.ContainsFunc(b.edges, func(e pathEdge) bool { return e.back }) {
		p.Height += backHeight
	}
	return p
}

// backHeight is how far a line back goes below the boxes.
const backHeight = 30.0

func (b *pathBuilder) line(e pathEdge) line {
	from, to := &b.nodes[e.from], &b.nodes[e.to]
	made := line{Width: 1 + math.Log10(float64(max(e.count, 1)))*1.5, Count: flow.Count(e.count), Link: e.link, Broken: e.broken}
	if e.back {
		x1, y1, x2, y2 := from.x+boxWidth/2, from.y+boxHeight, to.x+boxWidth/2, to.y+boxHeight
		if e.from == e.to {
			x1, x2 = x1+30, x2-30
		}
		low := max(y1, y2) + backHeight
		made.Path = fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1, low, x2, low, x2, y2)
		made.X, made.Y = (x1+x2)/2, low-12
		return made
	}
	x1, y1, x2, y2 := from.x+boxWidth, from.y+boxHeight/2, to.x, to.y+boxHeight/2
	made.Path, made.X, made.Y = curve(x1, y1, x2, y2), (x1+x2)/2, (y1+y2)/2-6
	return made
}
