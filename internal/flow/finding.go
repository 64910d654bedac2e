// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/waybill-go/waybill/propagation"
)

// Level is how bad a finding is.
type Level uint8

// The levels, from the least.
const (
	Info      Level = iota // Worth knowing; the flow may be as it should be.
	Warning                // The flow may be broken, or shows less than it could.
	Violation              // The flow is broken.
)

// String returns the name of l.
func (l Level) String() string { return [...]string{"info", "warning", "violation"}[l] }

// Sureness is how sure a finding is.
type Sureness uint8

// The degrees of sureness, from the least.
const (
	Guess   Sureness = iota // Times and names suggest it.
	Likely                  // The spans show it, unless what they omit explains it.
	Certain                 // The spans prove it.
)

// String returns the name of s.
func (s Sureness) String() string { return [...]string{"a guess", "likely", "certain"}[s] }

// Finding is something that is wrong with a flow, or may be.
type Finding struct {
	ID    string // Such as "P02"; see [Rules].
	Level Level
	Sure  Sureness
	// Spans are the spans that the finding is about, by start. Their names are the same
	// but for numbers and ids; see [Mask].
	// At most 100 of them are kept; Count is how many there are. A finding about a call
	// that the journal has noted may have none.
	Spans []int
	Count int
	// From and To are the spans between which the flow broke, or -1.
	From, To int

	What string // What happened, in one sentence.
	Why  string // The evidence.
	Fix  string // What to change.

	// Places are the lines of code to look at, such as "orders/worker.go:41", if a
	// journal has noted them; at most 10.
	Places []string

	key   findingKey
	entry *entry // What the journal has noted, or nil.
}

// Key is equal for findings of one cause, also of different recordings.
func (f *Finding) Key() [sha256.Size]byte {
	k := &f.key
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d %d", k.id, k.detail, k.span, k.from, k.level, k.sure))
}

// maxSentence is the longest sentence of [Finding.String], in characters.
const maxSentence = 1000

// String describes f in some lines, of which the last is the address of its page.
func (f *Finding) String() string {
	count := ""
	if f.Count > 1 {
		count = " (" + Count(f.Count) + " times)"
	}
	return fmt.Sprintf("%s %s  %s%s\n    Why:  %s\n    Fix:  %s\n    This is %s. See %s",
		f.ID, f.Level, Clip(f.What, maxSentence), count, Clip(f.Why, maxSentence), Clip(f.Fix, maxSentence), f.Sure, Page(f.ID))
}

const (
	maxFindings     = 1000 // Different ones of one recording.
	maxFindingSpans = 100  // Of one finding.
	maxPlaces       = 10   // Of one finding.
)

// Expectation is what a search for findings takes to be right.
type Expectation struct {
	// OneFlow reports that all spans are meant to form one flow, as those of a test: a
	// piece that nothing joins to the others has lost its context.
	OneFlow bool
	// Boundary are services whose spans end here: what they call is recorded
	// elsewhere.
	Boundary []string
	// Journal is what package propagation has noted of the calls that made the spans, and
	// perhaps of others in the same process. It makes findings certain that are
	// guessed otherwise.
	Journal []propagation.JournalEntry
	// MaxConsumers is how many messages may continue the trace of one sending span.
	// The default is 50.
	MaxConsumers int
	// Extents returns how much of each flow is recorded. If it is nil, all are whole.
	Extents func(flows []Flow) []Extent
}

// Extent is how much of a flow is recorded.
type Extent uint8

// The extents.
const (
	Whole Extent = iota // All of it.
	Part                // Spans may be missing, and findings that they would refute are left out.
	Open                // Spans are still to come, and all findings are left out.
)

const defaultMaxConsumers = 50

// Diagnosis is what is wrong with a recording, and the flows that it holds.
type Diagnosis struct {
	Findings []Finding // The worst first; findings that differ only in their spans are one.
	Omitted  int       // How many findings there are beyond the limit of 1,000.
	Flows    []Flow    // By start.

	marks marks
}

// Diagnose looks for what is wrong with the recorded spans. It takes linear time.
func (g *Graph) Diagnose(expect Expectation) *Diagnosis {
	s := newSearch(g, expect)
	s.run()
	flows := s.flows()
	s.foldHits(flows)
	slices.SortStableFunc(s.findings, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.Sure, a.Sure), g.byStartOf(a, b))
	})
	d := &Diagnosis{Findings: make([]Finding, len(s.findings)), Omitted: s.omitted, Flows: flows, marks: s.marks}
	for i, f := range s.findings {
		s.describe(f)
		d.Findings[i] = *f
	}
	return d
}

// byStartOf compares findings by the first of their spans. One without spans is last.
func (g *Graph) byStartOf(a, b *Finding) int {
	if len(a.Spans) == 0 || len(b.Spans) == 0 {
		return cmp.Compare(len(b.Spans), len(a.Spans))
	}
	return g.byStart(a.Spans[0], b.Spans[0])
}

// hit is one place where a rule of a search matches.
type hit struct {
	id       string
	span     int // The span that the finding is about, or none if it is a call,
	from, to int // and those between which the flow broke, or none.
	level    Level
	sure     Sureness
	detail   string // Tells findings of one rule apart; of a small set.
	group    string // Tells them apart in place of the name of the span, if it is set.
	entry    *entry // What the journal has noted, or nil.
}

// add notes h.
func (s *search) add(h hit) {
	if h.span != none {
		s.addTo(h)
	}
	if s.expect.Extents == nil {
		s.foldHit(&h)
	} else { // The flows are not known yet.
		s.hits = append(s.hits, h)
	}
}

// refutable are the findings that say that a span is missing, which may be so because
// the recording is not whole.
var refutable = []string{"P03", "P04", "P11", "P21"}

// foldHits makes findings of what was noted, as far as the flows are recorded.
func (s *search) foldHits(flows []Flow) {
	if s.expect.Extents == nil {
		return
	}
	extents := make([]Extent, len(s.g.spans))
	for n, extent := range s.expect.Extents(flows) {
		for _, i := range flows[n].Spans {
			extents[i] = extent
		}
	}
	for n := range s.hits {
		h := &s.hits[n]
		extent := Whole
		if h.span != none {
			extent = extents[h.span]
		}
		if extent == Whole || extent == Part && !slices.Contains(refutable, h.id) {
			s.foldHit(h)
		}
	}
}

// foldHit adds h to the finding of its kind.
func (s *search) foldHit(h *hit) {
	key := findingKey{id: h.id, level: h.level, sure: h.sure, detail: h.detail, span: h.group}
	switch {
	case h.span == none:
		key.span = place(h.entry)
	case h.group == "":
		key.span = Mask(s.g.spans[h.span].Label())
	}
	if h.from != none {
		key.from = Mask(s.g.spans[h.from].Label())
	}
	f, ok := s.byKey[key]
	if !ok {
		if len(s.findings) == maxFindings {
			s.omitted++
			return
		}
		f = &Finding{ID: h.id, Level: h.level, Sure: h.sure, From: h.from, To: h.to, key: key, entry: h.entry}
		s.byKey[key] = f
		s.findings = append(s.findings, f)
	}
	f.Count++
	if n := len(f.Spans); h.span != none && n < maxFindingSpans && (n == 0 || f.Spans[n-1] != h.span) {
		f.Spans = append(f.Spans, h.span)
	}
	if p := place(h.entry); p != "" && len(f.Places) < maxPlaces && !slices.Contains(f.Places, p) {
		f.Places = append(f.Places, p)
	}
}

// addTo notes h at the span that it is about.
func (s *search) addTo(h hit) {
	s.found[h.span] = true
	if h.level == Violation {
		s.damaged[h.span] = true
	}
	if h.level > Info {
		s.mark(h)
	}
}

// mark notes where h is shown, and which pieces it says are one flow.
func (s *search) mark(h hit) {
	s.marks.add(h)
	if h.from == none || h.to == none {
		return
	}
	s.explained[h.from] = true
	if s.g.Apart(h.from, h.to) || h.level == Violation && !h.misjoined() {
		s.marks.addBreak(h)
	}
	s.joined.union(s.g.piece[h.from], s.g.piece[h.to])
}

// misjoined reports whether h is about a span that is joined to the span from, and
// should not be.
func (h *hit) misjoined() bool { return h.id == "P14" || h.id == "P24" }

// findingKey is equal for hits that are one finding.
type findingKey struct {
	id, detail, span, from string
	level                  Level
	sure                   Sureness
}
