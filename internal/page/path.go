// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"math"

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

// Short returns the name as far as there is room for it.
func (b box) Short() string { return flow.Clip(b.Name, 20) }

type line struct {
	Path  string
	Width float64
	X, Y  float64 // Of the count.
	Count string
	Link  bool
}

// maxBoxes is how many boxes a picture has at most.
const maxBoxes = 60

func newPath(g *flow.Graph) *path {
	b := &pathBuilder{index: map[pathNode]int{}}
	for _, e := range edgesOf(g) {
		b.add(e)
	}
	if len(b.nodes) == 0 || len(b.nodes) > maxBoxes {
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

func (b *pathBuilder) add(e edge) {
	from, to := b.node(pathNode{name: e.From}), b.node(pathNode{name: e.To})
	if e.Over == "" {
		b.join(from, to, e.count, e.Links)
		return
	}
	over := b.node(pathNode{name: e.Over, carrier: true})
	b.join(from, over, e.count, e.Links)
	b.join(over, to, e.count, e.Links)
}

func (b *pathBuilder) join(from, to, count int, link bool) {
	for i := range b.edges {
		if b.edges[i].from == from && b.edges[i].to == to {
			b.edges[i].count += count
			return
		}
	}
	b.edges = append(b.edges, pathEdge{from, to, count, link})
}

// columns puts each node to the right of those that lead to it. A flow that returns
// to a service where it has been is drawn as a line back.
func (b *pathBuilder) columns() int {
	most := 0
	for range b.nodes {
		changed := false
		for _, e := range b.edges {
			if e.from == e.to || b.leads(e.to, e.from, map[int]bool{}) {
				continue
			}
			if b.nodes[e.to].column <= b.nodes[e.from].column {
				b.nodes[e.to].column = b.nodes[e.from].column + 1
				most = max(most, b.nodes[e.to].column)
				changed = true
			}
		}
		if !changed {
			break
		}
	}
	return most + 1
}

// leads reports whether a way leads from one node to another.
func (b *pathBuilder) leads(from, to int, seen map[int]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for _, e := range b.edges {
		if e.from == from && !seen[e.to] && b.leads(e.to, to, seen) {
			return true
		}
	}
	return false
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
		from, to := &b.nodes[e.from], &b.nodes[e.to]
		x1, y1, x2, y2 := from.x+boxWidth, from.y+boxHeight/2, to.x, to.y+boxHeight/2
		p.Lines = append(p.Lines, line{
			Path: curve(x1, y1, x2, y2), Width: 1 + math.Log10(float64(max(e.count, 1)))*1.5,
			X: (x1 + x2) / 2, Y: (y1+y2)/2 - 6, Count: flow.Count(e.count), Link: e.link,
		})
	}
	return p
}
