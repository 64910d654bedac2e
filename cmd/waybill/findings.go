// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// finding is what is wrong in one place or in many, and the spans that it names, which
// may be forgotten otherwise.
type finding struct {
	ID             string
	Level          flow.Level
	Sure           flow.Sureness
	Count          int
	What, Why, Fix string
	Places         []string   // Lines of code.
	Spans          []spanName // At most 100.
	From, To       *spanName  // Nil if there is none.
}

// spanName names a span.
type spanName struct {
	Service string `json:"service"`
	Name    string `json:"name"`
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

// label returns the service and the name.
func (s *spanName) label() string { return strings.TrimSpace(s.Service + " " + s.Name) }

// The lengths to which the texts of findings are cut, in characters. Names may be of any
// length, and there may be many findings.
const (
	maxSentence = 2000
	maxSpanName = 500
)

func nameOf(g *flow.Graph, i int) *spanName {
	if i < 0 {
		return nil
	}
	s := &g.Spans()[i]
	return &spanName{flow.Clip(s.Service, maxSpanName), flow.Clip(s.Name, maxSpanName), s.ID.Trace.String(), s.ID.Span.String()}
}

func findingOf(g *flow.Graph, f *flow.Finding) *finding {
	made := &finding{
		ID: f.ID, Level: f.Level, Sure: f.Sure, Count: f.Count, From: nameOf(g, f.From), To: nameOf(g, f.To),
		Places: f.Places, Spans: []spanName{},
		What: flow.Clip(f.What, maxSentence), Why: flow.Clip(f.Why, maxSentence), Fix: flow.Clip(f.Fix, maxSentence),
	}
	for _, i := range f.Spans {
		made.Spans = append(made.Spans, *nameOf(g, i))
	}
	return made
}

// findings are the findings of one recording, or of many parts of a stream.
type findings struct {
	allow   []string // Those that are left out.
	list    []*finding
	known   map[[sha256.Size]byte]*finding
	omitted int // Different findings beyond the limit.
}

// maxDifferent is how many different findings are kept.
const maxDifferent = 1000

// add folds f into a finding of the same cause, if there is one. It returns the finding
// and how often it was found before, or nil if it is left out.
func (fs *findings) add(g *flow.Graph, f *flow.Finding) (found *finding, before int) {
	if slices.Contains(fs.allow, f.ID) {
		return nil, 0
	}
	key := f.Key()
	if found = fs.known[key]; found != nil {
		found.Count += f.Count
		return found, found.Count - f.Count
	}
	if len(fs.list) == maxDifferent {
		fs.omitted++
		return nil, 0
	}
	if fs.known == nil {
		fs.known = make(map[[sha256.Size]byte]*finding)
	}
	found = findingOf(g, f)
	fs.known[key] = found
	fs.list = append(fs.list, found)
	return found, 0
}

// sorted returns the findings, the worst first.
func (fs *findings) sorted() []*finding {
	slices.SortStableFunc(fs.list, func(a, b *finding) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(b.Sure, a.Sure))
	})
	return fs.list
}
