// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// tolerance is how far apart two times must be to differ: clocks and the order in
// which a process reads its clock explain less.
const tolerance = time.Millisecond

// coarseTolerance is the tolerance for spans whose start is a whole millisecond. The SDK
// for JavaScript reads the time in milliseconds when a span starts, and then another
// clock, by which it reckons the end. The process may have paused between the two.
const coarseTolerance = 20 * time.Millisecond

// The attributes by which a program marks its spans. The values of extractKey are
// those of the journal of package propagation.
const (
	startKey     = "flow.start"      // True on the first span of a flow that has no caller.
	extractKey   = "waybill.extract" // How the extraction ended that the span was started with.
	linkCountKey = "waybill.link_count"
)

// findPair applies the rules on the two spans of one message: P02 and P14.
func (s *search) findPair(i int) {
	m := s.message(i)
	if m == nil || !s.receives(i) || s.found[i] {
		return
	}
	sender, level, sure := none, Violation, Certain
	for key := range m.identities {
		senders := s.producers[key]
		for _, p := range senders {
			if s.g.piece[p] == s.g.piece[i] {
				return
			}
		}
		switch n := len(senders); {
		case n == 0 || n == lookBack: // An id that so many messages have says nothing.
		case n > 1 || s.joinsOutside(i): // The id was used again, or in another system too.
			sender, sure = senders[n-1], Likely
		default:
			sender = senders[0]
		}
	}
	if s.linksOutside(i) { // What it links may link the sender, as a poll that was not sampled does.
		level, sure = Info, Guess
	}
	switch foreign := s.foreign(i, m); {
	case foreign != none:
		s.add(hit{id: "P14", span: i, from: foreign, to: i, level: Violation, sure: Certain})
		if sender != none {
			s.mark(hit{id: "P14", span: i, from: sender, to: i, level: Violation})
		}
	case sender != none:
		s.add(hit{id: "P02", span: i, from: sender, to: i, level: level, sure: sure, detail: s.extracted(i), entry: s.journal.absent[i]})
	}
}

// joinsOutside reports whether the parent of span i or what it links was not recorded.
func (s *search) joinsOutside(i int) bool {
	span := &s.g.spans[i]
	return span.Parent != (ID{}) && s.g.parents[i] == none || s.linksOutside(i)
}

// linksOutside reports whether span i links one that was not recorded.
func (s *search) linksOutside(i int) bool { return len(s.g.spans[i].Links) > len(s.g.links[i]) }

// foreign returns the parent or the link of span i that sent another message of the
// same destination, or none.
func (s *search) foreign(i int, m *message) int {
	if m.id == "" && m.offset == "" || m.count > 1 {
		return none
	}
	for _, p := range append(s.g.links[i : i+1 : i+1][0], s.g.parents[i]) {
		if p == none || !s.g.sends(p) {
			continue
		}
		sent := s.message(p)
		if sent == nil || sent.count > 1 || sent.destination != m.destination || sent.system != m.system {
			continue
		}
		otherID := sent.id != "" && m.id != "" && sent.id != m.id
		otherOffset := sent.offset != "" && m.offset != "" && (sent.offset != m.offset || sent.partition != m.partition)
		if otherID || otherOffset {
			return p
		}
	}
	return none
}

// findRoot applies the rules on spans without a parent: P01 and P19.
func (s *search) findRoot(i int) {
	span := &s.g.spans[i]
	if span.Parent != (ID{}) || len(span.Links) > 0 || s.found[i] || span.attribute(startKey) == "true" {
		return
	}
	switch {
	case s.receives(i):
		if s.isIdle(i) || s.handsOn(i) {
			return // A poll that brought nothing, or what others continue.
		}
		level, sure := Violation, Likely
		sender := s.sender(i)
		if sender == none && !s.apart(i) {
			level = Warning // Nobody is seen to send; the sender may trace nothing.
		}
		s.add(hit{id: "P01", span: i, from: sender, to: i, level: level, sure: sure, detail: s.extracted(i), entry: s.journal.absent[i]})
	case s.g.sends(i) && span.Kind != trace.SpanKindInternal:
		if m := s.message(i); m != nil && m.operation != sendOperation {
			return // A poll or a commit.
		}
		switch parent, only := s.enclosing(i, span.End); {
		case parent == none:
		case s.apart(i):
			s.add(hit{id: "P19", span: i, from: parent, to: i, level: Violation, sure: Guess})
		case only && span.Kind == trace.SpanKindProducer && !s.alone[span.Label()]:
			s.add(hit{id: "P19", span: i, from: parent, to: i, level: Warning, sure: Likely})
		default: // It may be that of a timer, such as the ping of a pool.
			s.add(hit{id: "P19", span: i, from: parent, to: i, level: Info, sure: Guess})
		}
	}
}

// findAlone notes the spans of producers that have no parent, and none that was active:
// what a timer does, such as the relay of an outbox, also meets requests by chance.
func (s *search) findAlone(i int) {
	span := &s.g.spans[i]
	if span.Kind != trace.SpanKindProducer || span.Parent != (ID{}) || s.alone[span.Label()] {
		return
	}
	if parent, _ := s.enclosing(i, span.End); parent == none {
		s.alone[span.Label()] = true
	}
}

// isIdle reports whether a receiving span handled no message. Some instrumentations start
// a span for each poll, and describe the message only if there is one.
func (s *search) isIdle(i int) bool {
	if m := s.message(i); m != nil {
		return m.count == 0 || m.operation == settleOperation
	}
	return len(s.g.children[i]) == 0
}

// handsOn reports whether a child of span i continues what it received: some
// instrumentations link the spans that handle messages, and not the one of the poll.
func (s *search) handsOn(i int) bool {
	children := s.g.children[i]
	return s.g.first(children[:min(len(children), lookBack)], func(c int) bool {
		return s.receives(c) && len(s.g.spans[c].Links) > 0
	}) != none
}

// findParent applies the rules on a span and its parent: P03, P04, P05, P17 and P18.
func (s *search) findParent(i int) {
	span, parent := &s.g.spans[i], s.g.parents[i]
	switch {
	case span.Parent == (ID{}) || span.Parent == span.ID:
	case parent == none:
		s.findOrphan(i)
	case s.shared[span.Parent]: // Which of several spans the parent is cannot be known.
	default:
		s.findTimes(i, parent)
	}
	if s.isPromoted(i) {
		s.findPromoted(i)
	}
	for _, target := range s.g.links[i] {
		if target != parent && s.receives(i) && s.g.spans[target].instance() != span.instance() && s.startsBefore(i, target) {
			s.add(hit{id: "P18", span: i, from: target, to: i, level: Info, sure: Likely})
			break
		}
	}
}

func (s *search) findOrphan(i int) {
	span := &s.g.spans[i]
	local := !span.Remote && !span.RemoteUnknown
	if other, ok := s.spansByID[span.Parent.Span]; ok && s.g.spans[other].ID.Trace != span.ID.Trace {
		s.add(hit{id: "P05", span: i, from: other, to: i, level: Violation, sure: Certain, detail: changed(s.g.spans[other].ID.Trace, span.ID.Trace)})
		return
	}
	siblings := s.orphans[span.Parent]
	s.orphans[span.Parent] = append(siblings, i)
	if len(siblings) > 0 {
		s.found[i] = true // One span is missing, and there is a finding about it.
		if s.damaged[siblings[0]] || !local {
			s.joined.union(s.g.piece[siblings[0]], s.g.piece[i])
		}
		return
	}
	switch {
	case s.isPromoted(i): // The parent was not recorded because it was not sampled.
	case s.found[i] && !local: // It is known who sent its message.
	case s.apart(i) && !local:
		s.add(hit{id: "P04", span: i, from: none, to: i, level: Violation, sure: Likely})
	case span.RemoteUnknown:
		s.add(hit{id: "P04", span: i, from: none, to: i, level: Info, sure: Guess})
	case local && s.border(i) != "":
		s.add(hit{id: "P03", span: i, from: none, to: i, level: Info, sure: Guess, detail: atEnd})
	case local:
		s.torn[span.ID.Trace] = none
		s.add(hit{id: "P03", span: i, from: none, to: i, level: Violation, sure: Likely})
	case span.Kind == trace.SpanKindServer || s.boundary[span.Service] || s.unseen(i):
		s.add(hit{id: "P04", span: i, from: none, to: i, level: Info, sure: Likely})
	case s.border(i) != "":
		s.add(hit{id: "P04", span: i, from: none, to: i, level: Info, sure: Guess, detail: atBegin})
	default:
		s.add(hit{id: "P04", span: i, from: none, to: i, level: Warning, sure: Likely})
	}
}

// unseen reports whether what span i continues seems to be recorded elsewhere: no span
// of the recording sends to its channel. If it has none, no other service has an
// earlier span in its trace.
func (s *search) unseen(i int) bool {
	span := &s.g.spans[i]
	if channel := span.Channel(); channel != "" {
		return len(s.senders[channel]) == 0
	}
	return s.g.spans[s.begins[span.ID.Trace]].Service == span.Service
}

// changed says how two trace ids of one trace differ.
func changed(a, b trace.TraceID) string {
	if [8]byte(a[8:]) == [8]byte(b[8:]) {
		return "half"
	}
	return ""
}

func (s *search) findTimes(i, parent int) {
	span, p := &s.g.spans[i], &s.g.spans[parent]
	elsewhere := span.Remote || span.instance() != p.instance()
	switch {
	case elsewhere && span.instance() != p.instance() && s.startsBefore(i, parent):
		s.add(hit{id: "P18", span: i, from: parent, to: i, level: Info, sure: Likely})
	case !elsewhere && (s.settles(i) || s.hands(parent, i)):
		// A message is settled after it was handled, and handled after it was received.
	case s.borrows(i): // There is a finding about that.
	case !elsewhere && span.startsAfter(p) && !slices.Contains(s.g.links[i], parent):
		s.add(hit{id: "P17", span: i, from: parent, to: i, level: Warning, sure: Likely})
	}
}

// startsAfter reports whether s starts after the end of p, a span of the same process.
func (s *Span) startsAfter(p *Span) bool {
	least := tolerance
	if s.Start.Nanosecond()%int(time.Millisecond) == 0 && p.Start.Nanosecond()%int(time.Millisecond) == 0 {
		least = coarseTolerance
	}
	return !p.End.IsZero() && s.Start.Sub(p.End) > least
}

// settles reports whether span i commits or acknowledges messages.
func (s *search) settles(i int) bool {
	m := s.message(i)
	return m != nil && m.operation == settleOperation
}

// hands reports whether span i handles what the span poll received.
func (s *search) hands(poll, i int) bool {
	received := s.message(poll)
	return received != nil && received.operation == receiveOperation && s.receives(i)
}

func (s *search) startsBefore(i, other int) bool {
	return s.g.spans[other].Start.Sub(s.g.spans[i].Start) > tolerance
}

// findMessages applies the rules on spans of messages: P11 to P13, P16, P21, P23 and P24.
func (s *search) findMessages(i int) {
	s.findLostBaggage(i)
	m := s.message(i)
	if m == nil {
		return
	}
	switch {
	case m.operation == sendOperation:
		s.findUndelivered(i, m)
		s.findShared(i)
	case s.receives(i):
		s.findBorrowed(i)
	}
	s.findTwice(i, m)
}

// findUndelivered finds a message that nobody received in this recording, and one
// whose receiver goes on from an earlier hop.
func (s *search) findUndelivered(i int, m *message) {
	if s.g.delivered(i) || s.found[i] || s.explained[i] || m.destination == "" || len(s.g.links[i]) > 0 || s.hasSent(i) {
		return // A span that sends a batch links the spans of its messages.
	}
	if c := s.staleReceiver(i, m); c != none {
		s.add(hit{id: "P11", span: c, from: i, to: c, level: Violation, sure: Likely})
		return
	}
	channel, detail := s.g.spans[i].Channel(), ""
	if s.collapsed[channel] {
		return // The receiver shows one of its messages only.
	}
	if s.receivers[channel] > 0 {
		detail = "others"
	}
	s.add(hit{id: "P21", span: i, from: i, to: none, level: Info, sure: Guess, detail: detail})
}

// hasSent reports whether a child of span i sent its message, so that two spans stand
// for it.
func (s *search) hasSent(i int) bool {
	children, channel := s.g.children[i], s.g.spans[i].Channel()
	return s.g.first(children[:min(len(children), lookBack)], func(c int) bool {
		m := s.message(c)
		return m != nil && m.operation == sendOperation && s.g.spans[c].Channel() == channel
	}) != none
}

// findShared finds a sending span that many messages go on from.
func (s *search) findShared(i int) {
	children := s.g.children[i]
	if len(children) <= s.maxConsumers {
		return
	}
	ids := make(map[identity]struct{})
	for _, c := range children {
		if m := s.message(c); m != nil && s.receives(c) {
			for key := range m.identities {
				ids[key] = struct{}{}
			}
		}
	}
	if len(ids) > s.maxConsumers {
		s.add(hit{id: "P13", span: i, from: i, to: none, level: Warning, sure: Certain})
	}
}

// maxCountedLinks is the number of links from which on instrumentations leave some out.
const maxCountedLinks = 64

// contexts returns how many contexts of messages span i shows.
func (s *search) contexts(i int) int {
	span := &s.g.spans[i]
	if span.Remote && len(span.Links) == 0 {
		return 1
	}
	return len(span.Links)
}

// findCollapsed finds a batch with fewer contexts than messages.
func (s *search) findCollapsed(i int) {
	span, m, contexts := &s.g.spans[i], s.message(i), s.contexts(i)
	if m == nil || !s.receives(i) || m.count <= 1 || contexts == 0 || contexts >= m.count || contexts >= maxCountedLinks || span.attribute(linkCountKey) != "" {
		return
	}
	s.collapsed[span.Channel()] = true
	level, sure := Warning, Likely
	if contexts > 1 {
		level, sure = Info, Guess // The others may have had no context.
	}
	s.add(hit{id: "P12", span: i, from: none, to: i, level: level, sure: sure})
}

// findBorrowed finds a message whose parent is the span of another message.
func (s *search) findBorrowed(i int) {
	if s.borrows(i) {
		s.add(hit{id: "P24", span: i, from: s.g.parents[i], to: i, level: Violation, sure: Likely})
	}
}

// borrows reports whether span i handles a message under the span of another one.
func (s *search) borrows(i int) bool {
	p, m := s.g.parents[i], s.message(i)
	if p == none || m == nil || s.g.spans[i].Remote || s.g.spans[p].instance() != s.g.spans[i].instance() {
		return false
	}
	other := s.message(p)
	if other == nil || other.operation != processOperation || m.operation != processOperation || other.count > 1 || m.count > 1 || !m.differs(other) {
		return false
	}
	end := s.g.spans[p].End
	return other.destination == m.destination || !end.IsZero() && end.Before(s.g.spans[i].Start)
}

// findTwice finds two spans of one operation, from two instrumentations: one is the
// parent of the other, or both have continued the message.
func (s *search) findTwice(i int, m *message) {
	if m.operation == noOperation || s.g.spans[i].Scope == "" {
		return
	}
	twin := s.g.parents[i]
	if twin == none || s.g.spans[i].Remote || !s.isTwin(i, twin) {
		twin = s.sibling(i, m)
	}
	if twin != none {
		s.add(hit{id: "P23", span: i, from: twin, to: i, level: Warning, sure: Likely})
	}
}

// sibling returns the span before span i that handles the same message, if that is a
// twin of it.
func (s *search) sibling(i int, m *message) int {
	key, ok := first(m.identities)
	if !ok || !s.receives(i) {
		return none
	}
	before, known := s.handled[key]
	s.handled[key] = i
	if !known || !s.isTwin(i, before) {
		return none
	}
	// A message that is delivered again is handled after it was handled.
	if end := s.g.spans[before].End; !end.IsZero() && s.g.spans[i].Start.Sub(end) > tolerance {
		return none
	}
	return before
}

// isTwin reports whether spans i and other are of one operation of a process, and of
// different instrumentations.
func (s *search) isTwin(i, other int) bool {
	m, theirs := s.message(i), s.message(other)
	a, b := &s.g.spans[i], &s.g.spans[other]
	return theirs != nil && theirs.operation == m.operation && theirs.destination == m.destination && !m.differs(theirs) &&
		b.Scope != "" && a.Scope != b.Scope && a.instance() == b.instance()
}

const baggagePrefix = "baggage."

// findLostBaggage finds a remote child without the baggage that its parent shows. That
// is a guess if the child's service never shows any.
func (s *search) findLostBaggage(i int) {
	p := s.g.parents[i]
	if p == none || !s.g.spans[i].Remote || !s.g.spans[p].shows(baggagePrefix) || s.g.spans[i].shows(baggagePrefix) {
		return
	}
	level, sure := Info, Guess
	if s.stamps[s.g.spans[i].Service] {
		level, sure = Warning, Likely
	}
	s.add(hit{id: "P16", span: i, from: p, to: i, level: level, sure: sure})
}

// shows reports whether the span has an attribute whose key has the prefix.
func (s *Span) shows(prefix string) bool {
	for _, kv := range s.Attributes {
		if strings.HasPrefix(string(kv.Key), prefix) {
			return true
		}
	}
	return false
}

// findIdentity applies the rules on ids, names and ends: P20 and P22.
func (s *search) findIdentity(i int) {
	span := &s.g.spans[i]
	switch fault := s.g.faults[i]; fault {
	case sharedID, ownParent, ownAncestor:
		s.add(hit{id: "P22", span: i, from: none, to: none, level: Violation, sure: Certain, detail: fault.String(), group: span.Service})
	default:
	}
	if span.Service == "" || strings.HasPrefix(span.Service, "unknown_service") {
		if span.Parent == (ID{}) {
			s.add(hit{id: "P22", span: i, from: none, to: none, level: Warning, sure: Certain, detail: "service", group: "service"})
		}
	}
	if span.End.IsZero() && !span.Start.IsZero() {
		s.add(hit{id: "P20", span: i, from: none, to: none, level: Violation, sure: Certain})
	}
}
