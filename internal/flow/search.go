// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// search looks for findings. Its indexes make each look-up take constant time, or
// at most lookBack steps.
type search struct {
	g            *Graph
	boundary     map[string]bool
	maxConsumers int

	messages  []message
	messageOf []int32               // The index in messages of each span's message, or none.
	spansByID map[trace.SpanID]int  // A span of each id, in any trace.
	producers map[string][]int      // The sending spans of each message, by its identities.
	senders   map[string]timeline   // The sending spans of each channel.
	receivers map[string]int        // How many spans receive from each channel.
	active    map[instance]timeline // The spans of each process that may be parents.

	found   []bool // Reports of each span whether there is a finding about it,
	damaged []bool // and whether one of them is a violation.
	// Reports of each span whether a finding says that the flow broke after it.
	explained []bool
	joined    *sets // Joins the pieces that belong to one flow.
	findings  []*Finding
	byKey     map[findingKey]*Finding
	omitted   int // Different findings beyond the limit.
}

// lookBack is how many spans are looked at to guess between which spans a flow broke.
const lookBack = 64

// instance is one process, as far as its resource says so.
type instance struct{ service, id string }

// timeline is spans by start.
type timeline []int

func newSearch(g *Graph, expect Expectation) *search {
	s := &search{
		g: g, maxConsumers: cmp.Or(expect.MaxConsumers, defaultMaxConsumers),
		boundary:  make(map[string]bool),
		messageOf: make([]int32, len(g.spans)),
		spansByID: make(map[trace.SpanID]int, len(g.spans)),
		producers: make(map[string][]int), senders: make(map[string]timeline), receivers: make(map[string]int),
		active: make(map[instance]timeline),
		found:  make([]bool, len(g.spans)), damaged: make([]bool, len(g.spans)), explained: make([]bool, len(g.spans)), joined: newSets(len(g.pieces)), byKey: make(map[findingKey]*Finding),
	}
	for _, service := range expect.Boundary {
		s.boundary[service] = true
	}
	for _, i := range g.order {
		s.index(i)
	}
	return s
}

// index adds span i, which starts after those that were added before.
func (s *search) index(i int) {
	span := &s.g.spans[i]
	if _, ok := s.spansByID[span.ID.Span]; !ok {
		s.spansByID[span.ID.Span] = i
	}
	s.messageOf[i] = none
	channel := span.Channel()
	if m, ok := messageOf(span); ok {
		s.messageOf[i] = int32(len(s.messages)) //nolint:gosec // There are fewer spans.
		s.messages = append(s.messages, m)
		if m.operation == sendOperation {
			for _, key := range m.identities() {
				s.producers[key] = append(s.producers[key], i)
			}
		}
	}
	switch {
	case s.g.sends(i):
		if channel != "" {
			s.senders[channel] = append(s.senders[channel], i)
		}
	case s.receives(i):
		s.receivers[channel]++
		fallthrough
	default:
		of := span.instance()
		s.active[of] = append(s.active[of], i)
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

func (s *Span) instance() instance { return instance{s.Service, s.Instance} }

// before returns the spans of t that had started at a time, the last one first, and
// at most lookBack of them.
func (t timeline) before(g *Graph, at time.Time) []int {
	end := sort.Search(len(t), func(n int) bool { return g.spans[t[n]].Start.After(at) })
	last := slices.Clone(t[max(0, end-lookBack):end])
	slices.Reverse(last)
	return last
}

// run applies all rules.
func (s *search) run() {
	for _, i := range s.g.order {
		s.findPair(i)
	}
	for _, i := range s.g.order {
		s.findJournal(i)
		s.findRoot(i)
	}
	for _, i := range s.g.order {
		s.findParent(i)
		s.findMessages(i)
		s.findIdentity(i)
	}
}

// sender guesses which span sent what span i received: the last one on the channel
// that nobody is seen to have received, or else the last one.
func (s *search) sender(i int) int {
	all := s.senders[s.g.spans[i].Channel()]
	if len(all) == 0 || s.g.spans[i].Channel() == "" {
		return none
	}
	before := all.before(s.g, s.g.spans[i].Start)
	for _, sender := range before {
		if !s.g.delivered(sender) {
			return sender
		}
	}
	if len(before) > 0 {
		return before[0]
	}
	return all[0] // The clocks of two machines differ.
}

// enclosing guesses which span was meant as the parent of span i: the last one that
// started in the same process and was active all the time, in another trace. It
// reports whether no span of a third trace was active too.
func (s *search) enclosing(i int) (parent int, only bool) {
	span := &s.g.spans[i]
	parent, only = none, true
	for _, other := range s.active[span.instance()].before(s.g, span.Start) {
		o := &s.g.spans[other]
		switch {
		case o.ID.Trace == span.ID.Trace || !o.End.IsZero() && o.End.Before(span.End):
		case parent == none:
			parent = other
		case o.ID.Trace != s.g.spans[parent].ID.Trace:
			only = false
		}
	}
	return parent, only
}

// isOutside reports whether a service is beyond the boundary.
func (s *search) isOutside(i int) bool { return s.boundary[s.g.spans[i].Service] }
