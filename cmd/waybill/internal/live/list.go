// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// Query selects flows. An empty field selects all.
type Query struct {
	Service     string
	Destination string // A channel, such as "kafka orders".
	State       State
	Text        string // In the names of spans, services and channels; or how a trace id begins.
}

// Row is what a list shows of a flow.
type Row struct {
	Number   uint64   `json:"number"`
	State    State    `json:"state"`
	Service  string   `json:"service"` // Of the first span,
	Name     string   `json:"name"`    // and its name.
	Spans    int      `json:"spans"`
	Traces   int      `json:"traces"`
	Services []string `json:"services"`
	Errors   int      `json:"errors"`
	Took     string   `json:"took"`
	Started  string   `json:"started"` // As RFC 3339.
	Finding  string   `json:"finding"` // The worst one; empty for none.
}

// List is what a page shows of a store.
type List struct {
	Rows         []Row         `json:"rows"` // The worst first, then the last.
	Matching     int           `json:"matching"`
	States       map[State]int `json:"states"` // Of all flows that the other fields of the query select.
	Services     []string      `json:"services"`
	Destinations []string      `json:"destinations"`
	Flows        int           `json:"flows"`
	Spans        int           `json:"spans"`
	Received     int           `json:"received"`
	GoneFlows    int           `json:"goneFlows"`
	GoneSpans    int           `json:"goneSpans"`
}

const (
	maxRows    = 200
	maxChoices = 500 // Services and destinations to choose from.
)

// List returns the flows that q selects, and the version of the store.
func (s *Store) List(q Query) (List, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := List{
		States: make(map[State]int), Flows: s.totals.Flows, Spans: s.totals.Spans, Received: s.totals.Received,
		GoneFlows: s.totals.GoneFlows, GoneSpans: s.totals.GoneSpans,
	}
	services, destinations := make(map[string]bool), make(map[string]bool)
	var matching []ranked
	m := newMatcher(q)
	for e := s.recent.Front(); e != nil; e = e.Next() {
		f, ok := e.Value.(*Flow)
		if !ok {
			continue
		}
		collect(services, f.services)
		collect(destinations, f.channels)
		if !m.matches(f) {
			continue
		}
		state := f.state()
		l.States[state]++
		if q.State == "" || q.State == state {
			matching = append(matching, ranked{state.rank(), f})
		}
	}
	slices.SortFunc(matching, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.flow.number, a.flow.number))
	})
	l.Matching = len(matching)
	l.Rows = make([]Row, 0, min(len(matching), maxRows))
	for _, r := range matching[:min(len(matching), maxRows)] {
		l.Rows = append(l.Rows, r.flow.row())
	}
	l.Services, l.Destinations = sorted(services), sorted(destinations)
	return l, s.version
}

// sorted returns the keys of choices in order, and never nil, which is no list in JSON.
func sorted(choices map[string]bool) []string {
	texts := slices.AppendSeq(make([]string, 0, len(choices)), maps.Keys(choices))
	slices.Sort(texts)
	return texts
}

type ranked struct {
	rank int
	flow *Flow
}

func collect(choices map[string]bool, of set) {
	for _, handle := range of {
		if len(choices) < maxChoices {
			choices[handle.Value()] = true
		}
	}
}

func (f *Flow) row() Row {
	services := make([]string, len(f.services))
	for i, service := range f.services {
		services[i] = service.Value()
	}
	return Row{
		Number: f.number, State: f.state(), Service: f.head.service, Name: f.head.name, Spans: len(f.spans) + f.omitted, Traces: len(f.traces),
		Services: services, Errors: f.errors, Took: flow.Duration(f.took()), Started: f.from.UTC().Format(time.RFC3339Nano), Finding: f.finding(),
	}
}

// finding names the worst finding.
func (f *Flow) finding() string {
	if !f.examined || !f.found.any || f.found.level == flow.Info {
		return ""
	}
	return f.found.id + " " + f.found.what
}

// matcher is a query that is ready to be compared.
type matcher struct {
	Query

	traces []byte // The beginning of the id of a trace; empty if the text is none.
}

func newMatcher(q Query) matcher {
	q.Text = strings.ToLower(strings.TrimSpace(q.Text))
	m := matcher{Query: q}
	const shortest = 4 // Digits of an id; less is more likely a word.
	if len(q.Text) >= shortest {
		m.traces, _ = hex.DecodeString(q.Text[:len(q.Text)&^1]) // Nothing if it is none.
	}
	return m
}

func (m *matcher) matches(f *Flow) bool {
	if m.Service != "" && !f.services.has(m.Service) || m.Destination != "" && !f.channels.has(m.Destination) {
		return false
	}
	return m.Text == "" || m.matchesText(f)
}

func (m *matcher) matchesText(f *Flow) bool {
	for _, texts := range []set{f.names, f.services, f.channels} {
		for _, text := range texts {
			if strings.Contains(strings.ToLower(text.Value()), m.Text) {
				return true
			}
		}
	}
	if f.examined && strings.Contains(strings.ToLower(f.found.id), m.Text) {
		return true
	}
	return len(m.traces) > 0 && slices.ContainsFunc(f.traces, func(id trace.TraceID) bool {
		return strings.HasPrefix(id.String(), m.Text)
	})
}
