// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// view is what the template shows.
type view struct {
	Title     string
	Policy    string
	Style     template.CSS
	Script    template.JS
	Verdict   string // The word.
	Summary   string // What follows it.
	Nothing   bool   // Nothing is wrong.
	Findings  []finding
	Flows     []*flowView
	MoreFlows string // How many are not drawn; empty for none.
	Stages    []stage
	Hops      []edge
	Tree      string
	Details   map[string]*detail // By the id of a row.
	Rows      []*detail          // The same, in the order of the pictures.
}

// finding is a finding for the template.
type finding struct {
	ID, Level, What, Why, Fix, Sure, Title, Count string
}

// flowView is one flow, or several that look the same, of which one is drawn.
type flowView struct {
	Verdict string
	Heading string
	Time    *picture
	Path    *path
}

// maxFlows is how many different flows are drawn.
const maxFlows = 12

// maxTreeLines is how many lines of the flow as text the page has.
const maxTreeLines = 5000

func newView(r Report) *view {
	g, d := r.Graph, r.Diagnosis
	verdict, summary, _ := strings.Cut(d.Summary(g), ": ")
	v := &view{
		Title: cmp.Or(r.Title, "waybill"), Policy: policy(),
		Style: template.CSS(style), Script: template.JS(script), //nolint:gosec // They are part of the program.
		Verdict: verdict, Summary: summary,
		Nothing: !slices.ContainsFunc(d.Findings, func(f flow.Finding) bool { return f.Level > flow.Info }),
		Stages:  stagesOf(g), Hops: edgesOf(g), Tree: g.Tree(maxTreeLines), Details: map[string]*detail{},
	}
	for i := range d.Findings {
		v.Findings = append(v.Findings, findingOf(&d.Findings[i]))
	}
	v.addFlows(g, d)
	return v
}

func findingOf(f *flow.Finding) finding {
	made := finding{ID: f.ID, Level: f.Level.String(), What: f.What, Why: f.Why, Fix: f.Fix, Sure: f.Sure.String(), Title: flow.Title(f.ID)}
	if f.Count > 1 {
		made.Count = flow.Count(f.Count) + " times"
	}
	return made
}

// addFlows draws the flows of a recording, the broken ones first. Of flows that look
// the same, the longest is drawn.
func (v *view) addFlows(g *flow.Graph, d *flow.Diagnosis) {
	kinds := kindsOf(g, d.Flows)
	for n, kind := range kinds[:min(len(kinds), maxFlows)] {
		spans := make([]flow.Span, 0, len(kind.flow.Spans))
		for _, i := range kind.flow.Spans {
			spans = append(spans, g.Spans()[i])
		}
		sub := g
		if len(d.Flows) > 1 {
			sub = flow.New(spans)
		}
		made := &flowView{Verdict: string(kind.flow.Verdict), Heading: kind.heading(g)}
		made.Time = newPicture(sub, "f"+letters(n), v.Details)
		made.Path = newPath(sub)
		for _, b := range made.Time.Bars {
			v.Rows = append(v.Rows, v.Details[b.ID])
		}
		v.Flows = append(v.Flows, made)
	}
	if left := len(kinds) - maxFlows; left > 0 {
		v.MoreFlows = flow.Count(left) + " more kinds of flows are not drawn."
	}
}

// kind is flows that look the same.
type kind struct {
	flow  *flow.Flow // The longest of them.
	count int
}

// heading says what flow it is.
func (k *kind) heading(g *flow.Graph) string {
	first := &g.Spans()[k.flow.Spans[0]]
	text := first.Label() + ", " + flow.Plural(len(k.flow.Spans), "span")
	if k.count > 1 {
		text += "; the longest of " + flow.Count(k.count) + " that look the same"
	}
	return text
}

// kindsOf returns the kinds of flows, the broken ones first, then the largest.
func kindsOf(g *flow.Graph, flows []flow.Flow) []*kind {
	byLook := make(map[string]*kind)
	var kinds []*kind
	for i := range flows {
		f := &flows[i]
		look := lookOf(g, f)
		k, ok := byLook[look]
		if !ok {
			k = &kind{flow: f}
			byLook[look] = k
			kinds = append(kinds, k)
		}
		k.count++
		if lengthOf(g, f) > lengthOf(g, k.flow) {
			k.flow = f
		}
	}
	slices.SortStableFunc(kinds, func(a, b *kind) int {
		return cmp.Or(cmp.Compare(rank(a.flow.Verdict), rank(b.flow.Verdict)), cmp.Compare(len(b.flow.Spans), len(a.flow.Spans)))
	})
	return kinds
}

func rank(v flow.Verdict) int {
	if v == flow.Broken {
		return 0
	}
	return 1
}

// lookOf is equal for flows of the same spans, however many of each.
func lookOf(g *flow.Graph, f *flow.Flow) string {
	seen := map[string]bool{}
	for _, i := range f.Spans {
		seen[g.Spans()[i].Label()] = true
	}
	labels := make([]string, 0, len(seen)+1)
	for label := range seen {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return string(f.Verdict) + "\x00" + strings.Join(labels, "\x00")
}

func lengthOf(g *flow.Graph, f *flow.Flow) int64 {
	from, to := extent(g, f.Spans)
	return to.Sub(from).Nanoseconds()
}
