// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/codes"
)

// Longest texts of a column, in characters.
const (
	maxService = 24
	maxName    = 72
	maxNote    = 100
	maxText    = 200 // Of a label outside of the tree.
)

// Tree draws the flows of g for a terminal: a line a span with its service, kind,
// duration, channel, and error, and what is wrong with it.
//
// Siblings that look the same fold to one line with their number, such as ×1,613, above
// all that is below them, and so do many whose names differ only in numbers and ids, for
// which # stands; a folded line shows the shortest and the longest duration. Siblings
// follow each other by start. A span whose line begins with ⇢ links to the span it is
// drawn under. One whose line begins with ┄ does not, but a span below it does, and ends
// with ⇢ and the name of its target. Flows in several pieces are drawn as numbered trees.
//
// The tree ends after the given number of lines, and after 64 levels. A number of
// 0 or less means no limit.
func (d *Diagnosis) Tree(g *Graph, lines int) string { return d.table(g, fullWidth).render(lines) }

// TreeIn draws the flows of g as [Diagnosis.Tree] does, in lines of at most width
// columns. If there is not enough room, it leaves out the kinds and all durations but
// the longest, and cuts what is still too wide.
func (d *Diagnosis) TreeIn(g *Graph, width int) string {
	tree := d.Tree(g, 0)
	if widest(tree) > width {
		tree = cut(d.table(g, narrow).render(0), width)
	}
	return tree
}

// breadth says how much room a tree has.
type breadth bool

const (
	fullWidth breadth = false
	narrow    breadth = true // Without kinds and shortest durations.
)

// table lays out the tree of g.
func (d *Diagnosis) table(g *Graph, b breadth) *table {
	t := &table{g: g, marks: d.marks, narrow: b == narrow}
	for n, b := range g.fold(func(i int) string { return g.look(i) + "\x00" + d.marks.of(i) }) {
		mark := ""
		if len(g.pieces) > 1 {
			mark = "[" + strconv.Itoa(n+1) + "]"
		}
		for _, root := range b {
			t.add(root, mark, "", "")
			mark = ""
		}
	}
	return t
}

// look is what two spans must have in common to be drawn as one.
func (g *Graph) look(i int) string {
	s := &g.spans[i]
	return strings.Join([]string{
		s.Service, s.Name, s.Kind.String(), s.Channel(), s.ending(),
		strconv.Itoa(int(g.faults[i])), strconv.FormatBool(s.End.IsZero()), strconv.FormatBool(g.entered(i)),
	}, "\x00")
}

// entered reports whether span i goes on with a flow that began in a process
// that was not recorded.
func (g *Graph) entered(i int) bool {
	return g.spans[i].Parent != ID{} && g.parents[i] == none && g.faults[i] == 0
}

// Failure names what went wrong with the span, or is empty. A span with an error.type
// and no status of an error has not failed, such as one that was canceled.
func (s *Span) Failure() string {
	if s.Status != codes.Error {
		return ""
	}
	return strings.TrimSpace("ERROR " + s.attribute("error.type"))
}

// ending is the failure of the span, or its error.type if that is none.
func (s *Span) ending() string {
	return cmp.Or(s.Failure(), s.attribute("error.type"))
}

type row struct{ mark, service, name, kind, took, note string }

// table lays the lines of a tree out in columns.
type table struct {
	g      *Graph
	marks  marks
	narrow bool // Without kinds and shortest durations.
	rows   []row
}

// add appends the lines of a group. branch leads to its own line; prefix is
// what the lines below it begin with.
func (t *table) add(gr *Group, mark, branch, prefix string) {
	first := &t.g.spans[gr.Spans[0]]
	t.rows = append(t.rows, row{
		mark:    mark,
		service: Clip(first.Service, maxService),
		name:    branch + Clip(gr.Name, maxName) + times(len(gr.Spans)),
		kind:    t.kind(first),
		took:    t.took(gr.Spans),
		note:    t.note(gr),
	})
	if gr.Cut > 0 {
		t.rows = append(t.rows, row{name: prefix + "└─ … " + Count(gr.Cut) + " more below"})
	}
	for n, below := range gr.Below {
		fork, line := "├", "│  "
		if n == len(gr.Below)-1 {
			fork, line = "└", "   "
		}
		t.add(below, "", prefix+fork+below.Bond.branch(), prefix+line)
	}
}

// branch is drawn between a fork and a name.
func (b Bond) branch() string {
	return [...]string{BondParent: "─ ", BondLink: "⇢ ", BondLinkBelow: "┄ "}[b]
}

func (t *table) kind(s *Span) string {
	if t.narrow {
		return ""
	}
	return strings.ToUpper(s.Kind.String())
}

// took returns the duration of spans, or the shortest and the longest.
func (t *table) took(spans []int) string {
	var least, most time.Duration
	for n, i := range spans {
		s := &t.g.spans[i]
		if s.End.IsZero() {
			return "open"
		}
		d := s.End.Sub(s.Start)
		if n == 0 {
			least = d
		}
		least, most = min(least, d), max(most, d)
	}
	if short, long := Duration(least), Duration(most); short != long && !t.narrow {
		return short + "–" + long
	}
	return Duration(most)
}

func (t *table) note(gr *Group) string {
	first := &t.g.spans[gr.Spans[0]]
	channel := Clip(first.Channel(), maxNote)
	notes := []string{channel, t.ending(gr.Spans), t.targets(gr), t.mark(gr.Spans)}
	if t.narrow {
		notes = append(notes[1:], channel) // What is cut first comes last.
	}
	notes = slices.DeleteFunc(notes, func(note string) bool { return note == "" })
	return strings.Join(notes, "  ")
}

// ending says how spans ended if not well, described if it is the same for all.
func (t *table) ending(spans []int) string {
	first := &t.g.spans[spans[0]]
	text := first.ending()
	if text == "" || first.Message == "" || slices.ContainsFunc(spans, func(i int) bool {
		return t.g.spans[i].Message != first.Message
	}) {
		return Clip(text, maxNote)
	}
	if text != "ERROR" {
		text += ":"
	}
	return Clip(text+" "+first.Message, maxNote)
}

// targets names what the spans of a group link to, unless the tree shows it.
func (t *table) targets(gr *Group) string {
	var targets []int
	for _, i := range gr.Spans {
		for _, target := range t.g.links[i] {
			if target != t.g.parents[i] {
				targets = append(targets, target)
			}
		}
	}
	parts := partition(targets, func(i int) string { return t.g.spans[i].Label() })
	if len(parts) == 0 || gr.Bond == BondLink && len(parts) == 1 && len(targets) == len(gr.Spans) {
		return ""
	}
	names := make([]string, 0, len(parts))
	for _, part := range parts {
		names = append(names, t.g.spans[part[0]].Label()+times(len(part)))
	}
	return Clip("⇢ "+strings.Join(names, ", "), maxNote)
}

func (t *table) mark(spans []int) string {
	for _, i := range spans {
		if mark := t.marks.of(i); mark != "" {
			return mark
		}
	}
	if t.g.entered(spans[0]) {
		return "remote parent not recorded"
	}
	return ""
}

// render aligns the first lines rows.
func (t *table) render(lines int) string {
	rows, left := t.rows, 0
	if lines > 0 && len(rows) > lines {
		rows, left = rows[:lines], len(rows)-lines
	}
	width := row{}
	for _, r := range rows {
		width.mark = longer(width.mark, r.mark)
		width.service = longer(width.service, r.service)
		width.name = longer(width.name, r.name)
		width.kind = longer(width.kind, r.kind)
		width.took = longer(width.took, r.took)
	}
	var b strings.Builder
	for _, r := range rows {
		line := []string{}
		if width.mark != "" {
			line = append(line, pad(r.mark, width.mark))
		}
		if width.service != "" {
			line = append(line, pad(r.service, width.service)+" ")
		}
		line = append(line, pad(r.name, width.name)+" ")
		if width.kind != "" {
			line = append(line, pad(r.kind, width.kind))
		}
		line = append(line, padLeft(r.took, width.took)+" ", r.note)
		b.WriteString(strings.TrimRightFunc(strings.Join(line, " "), unicode.IsSpace))
		b.WriteByte('\n')
	}
	if left > 0 {
		fmt.Fprintf(&b, "… and %s more lines\n", Count(left))
	}
	return b.String()
}
