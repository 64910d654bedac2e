// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"

	"go.opentelemetry.io/otel/trace"
)

// search looks for findings. Its indexes make each look-up take constant time, or
// at most lookBack steps.
type search struct {
	*hops
	expect       Expectation
	oneFlow      bool
	start        int // The piece in which the flow starts, if it is one.
	boundary     map[string]bool
	maxConsumers int

	messages  []message
	messageOf []int32               // The index in messages of each span's message, or none.
	spansByID map[trace.SpanID]int  // A span of each id, in any trace.
	producers map[identity][]int    // The sending spans of each message; at most lookBack.
	stamps    map[string]bool       // The services whose spans show baggage.
	receivers map[string]int        // How many spans receive from each channel.
	handled   map[identity]int      // The last span that handled each message.
	alone     map[string]bool       // The producers that also send while nothing else is active.
	collapsed map[string]bool       // The channels from which batches show fewer contexts than messages.
	orphans   map[ID][]int          // The children of each parent that is missing.
	shared    map[ID]bool           // The ids that several spans have.
	torn      map[trace.TraceID]int // A span of each trace that has lost one.
	begins    map[trace.TraceID]int // The first span of each trace in which a parent is missing.

	found   []bool // Reports of each span whether there is a finding about it,
	damaged []bool // and whether one of them is a violation.
	// Reports of each span whether a finding says what became of what it sent.
	explained []bool
	borders   *borders // Set when they are asked for.
	journal   *journal
	marks     marks
	joined    *sets // Joins the pieces that belong to one flow.
	hits      []hit
	findings  []*Finding
	byKey     map[findingKey]*Finding
	omitted   int // Different findings beyond the limit.
}

func newSearch(g *Graph, expect Expectation) *search {
	s := &search{
		hops: newHops(g), expect: expect, maxConsumers: cmp.Or(expect.MaxConsumers, defaultMaxConsumers),
		oneFlow: expect.OneFlow, start: g.start(), boundary: make(map[string]bool),
		messageOf: make([]int32, len(g.spans)), spansByID: make(map[trace.SpanID]int, len(g.spans)),
		producers: make(map[identity][]int), receivers: make(map[string]int), stamps: make(map[string]bool),
		handled: make(map[identity]int), alone: make(map[string]bool),
		collapsed: make(map[string]bool), orphans: make(map[ID][]int), shared: make(map[ID]bool), torn: make(map[trace.TraceID]int),
		begins: make(map[trace.TraceID]int),
		found:  make([]bool, len(g.spans)), damaged: make([]bool, len(g.spans)), explained: make([]bool, len(g.spans)), marks: newMarks(),
		joined: newSets(len(g.pieces)), byKey: make(map[findingKey]*Finding),
	}
	for _, service := range expect.Boundary {
		s.boundary[service] = true
	}
	s.journal = newJournal(g, expect.Journal)
	for i, fault := range g.faults {
		if fault == sharedID {
			s.shared[g.spans[i].ID] = true
		}
	}
	for i := range g.spans {
		if span := &g.spans[i]; g.parents[i] == none && span.Parent != (ID{}) {
			s.begins[span.ID.Trace] = none
		}
	}
	for _, i := range g.order {
		s.note(i)
	}
	return s
}

// note notes the ids of span i, and what it says of messages.
func (s *search) note(i int) {
	span := &s.g.spans[i]
	if _, known := s.spansByID[span.ID.Span]; !known {
		s.spansByID[span.ID.Span] = i
	}
	if first, known := s.begins[span.ID.Trace]; known && first == none {
		s.begins[span.ID.Trace] = i
	}
	s.messageOf[i] = none
	if span.shows(baggagePrefix) {
		s.stamps[span.Service] = true
	}
	if m, ok := messageOf(span); ok {
		s.messageOf[i] = int32(len(s.messages)) //nolint:gosec // There are fewer spans.
		s.messages = append(s.messages, m)
		if m.operation == sendOperation {
			for key := range m.identities {
				if known := s.producers[key]; len(known) < lookBack {
					s.producers[key] = append(known, i)
				}
			}
		}
	}
	if !s.g.sends(i) && s.receives(i) {
		s.receivers[span.Channel()]++
	}
}

// message returns what span i says of messages, or nil.
func (s *search) message(i int) *message {
	if n := s.messageOf[i]; n != none {
		return &s.messages[n]
	}
	return nil
}

// receives reports whether span i handles what another span sent.
func (s *search) receives(i int) bool {
	if m := s.message(i); m != nil {
		return m.operation == processOperation || m.operation == receiveOperation && s.g.spans[i].Kind == trace.SpanKindConsumer
	}
	return s.g.spans[i].Kind == trace.SpanKindConsumer
}

// run applies all rules.
func (s *search) run() {
	s.findEntries()
	for _, i := range s.g.order {
		s.findAlone(i)
		s.findAttribute(i)
		s.findPair(i)
		s.findStale(i)
	}
	s.findJobs()
	for _, i := range s.g.order {
		s.findRoot(i)
		s.findCollapsed(i)
	}
	s.findBackground()
	for _, i := range s.g.order {
		s.findParent(i)
		s.findIdentity(i)
		s.findMessages(i)
	}
	s.joinTorn()
	s.findApart()
}

// joinTorn joins the spans of traces in which a service has lost a span.
func (s *search) joinTorn() {
	for _, i := range s.g.order {
		switch first, torn := s.torn[s.g.spans[i].ID.Trace]; {
		case torn && first == none:
			s.torn[s.g.spans[i].ID.Trace] = i
		case torn:
			s.joined.union(s.g.piece[first], s.g.piece[i])
		}
	}
}
