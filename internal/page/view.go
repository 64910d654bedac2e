// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

// view is what the page shows.
type view struct {
	Title        string
	Note         string
	Verdict      string // The word.
	Summary      string // What follows it.
	Nothing      bool   // Nothing is wrong.
	Findings     []finding
	Flows        []*flowView
	MoreFlows    string // How many are not drawn; empty for none.
	MoreFindings string
	Stages       []stage
	Hops         []edge
	Tree         string
	Details      map[string]*detail // By the id of a row.
	Rows         []*detail          // The same, in the order of the pictures.
	Hidden       []finding          // The findings after the first ones.

	room int // How many bytes of attributes and links are left.
}

// finding is a finding as the page shows it.
type finding struct {
	ID, Page, Level, What, Why, Fix, Sure, Count string
}

// flowView is one flow, or several that look the same, of which one is drawn.
type flowView struct {
	Verdict string
	Heading string
	Time    *picture
	Path    *path
}

const (
	maxFlows      = 12   // Different flows that are drawn.
	maxTreeLines  = 2000 // Of the flow as text.
	maxFindings   = 200  // On the page,
	shownFindings = 6    // and at its top.
	maxSentence   = 1000 // Characters of a finding.
	maxHops       = 200  // Lines of the tables.
	maxStages     = 200
)

func newView(r Report) *view {
	g, d := r.Graph, r.Diagnosis
	verdict := d.Verdict()
	v := &view{
		Title: cmp.Or(r.Title, "waybill"), Note: r.Note,
		Verdict: string(verdict), Summary: strings.TrimPrefix(strings.TrimPrefix(d.Summary(g), string(verdict)), ": "),
		Nothing: verdict != flow.Broken && verdict != flow.Unknown && !slices.ContainsFunc(d.Findings, func(f flow.Finding) bool { return f.Level > flow.Info }),
		Stages:  stagesOf(g), Hops: hopsOf(g), Tree: d.Tree(g, maxTreeLines), Details: map[string]*detail{}, room: maxDetails,
	}
	for i := range d.Findings[:min(len(d.Findings), maxFindings)] {
		v.Findings = append(v.Findings, findingOf(&d.Findings[i]))
	}
	if len(v.Findings) > shownFindings {
		v.Findings, v.Hidden = v.Findings[:shownFindings], v.Findings[shownFindings:]
	}
	if left := len(d.Findings) - maxFindings + d.Omitted; left > 0 {
		v.MoreFindings = flow.Plural(left, "more finding") + " not shown; waybill doctor prints them."
	}
	v.addFlows(g, d)
	return v
}

func findingOf(f *flow.Finding) finding {
	made := finding{
		ID: f.ID, Page: strings.TrimPrefix(flow.Page(f.ID), "https://"), // Text, and no link: the page leads nowhere.
		Level: f.Level.String(), Sure: f.Sure.String(),
		What: flow.Clip(f.What, maxSentence), Why: flow.Clip(f.Why, maxSentence), Fix: flow.Clip(f.Fix, maxSentence),
	}
	if f.Count > 1 {
		made.Count = flow.Count(f.Count) + " times"
	}
	return made
}

// addFlows draws the flows of a recording, the broken ones first. Of flows that look
// the same, the longest is drawn.
func (v *view) addFlows(g *flow.Graph, d *flow.Diagnosis) {
	kinds := kindsOf(g, d)
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
		order := kind.flow.Spans
		if sub == g {
			order = all(g)
		}
		made.Time = newPicture(v, sub, order, "f"+letters(n), d.Findings)
		made.Path = newPath(sub, made.Time.broken)
		v.Flows = append(v.Flows, made)
	}
	if left := len(kinds) - maxFlows; left > 0 {
		v.MoreFlows = flow.Count(left) + " more kinds of flows are not drawn."
	}
}

// kind is flows that look the same.
type kind struct {
	flow   *flow.Flow // The one that is drawn.
	count  int
	named  bool // Reports whether a finding names flow.
	length time.Duration
}

// heading says what flow it is.
func (k *kind) heading(g *flow.Graph) string {
	first := &g.Spans()[k.flow.Spans[0]]
	text := flow.Clip(first.Label(), maxName) + ", " + flow.Plural(len(k.flow.Spans), "span")
	if k.count > 1 {
		text += "; one of " + flow.Count(k.count) + " that look the same"
	}
	return text
}

// all returns the numbers of all spans of g.
func all(g *flow.Graph) []int {
	spans := make([]int, len(g.Spans()))
	for i := range spans {
		spans[i] = i
	}
	return spans
}

// kindsOf returns the kinds of flows, the broken ones first, then the largest. A flow
// that a finding names stands for its kind, or else the longest.
func kindsOf(g *flow.Graph, d *flow.Diagnosis) []*kind {
	named := make(map[int]bool)
	for i := range d.Findings {
		named[d.Findings[i].To] = true
	}
	byLook := make(map[string]*kind)
	var kinds []*kind
	for i := range d.Flows {
		f := &d.Flows[i]
		look := lookOf(g, f)
		k, ok := byLook[look]
		if !ok {
			k = &kind{}
			byLook[look] = k
			kinds = append(kinds, k)
		}
		k.count++
		isNamed := slices.ContainsFunc(f.Spans, func(i int) bool { return named[i] })
		if length := lengthOf(g, f); k.flow == nil || isNamed && !k.named || isNamed == k.named && length > k.length {
			k.flow, k.named, k.length = f, isNamed, length
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

// lookOf is equal for flows of the same spans, however many of each, and whatever
// numbers and ids their names hold.
func lookOf(g *flow.Graph, f *flow.Flow) string {
	seen := map[string]bool{}
	for _, i := range f.Spans {
		seen[flow.Mask(g.Spans()[i].Label())] = true
	}
	labels := make([]string, 0, len(seen)+1)
	for label := range seen {
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return string(f.Verdict) + "\x00" + strings.Join(labels, "\x00")
}

// lengthOf returns how long f took.
func lengthOf(g *flow.Graph, f *flow.Flow) time.Duration {
	from, to := extent(g, f.Spans)
	return to.Sub(from)
}
