// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"cmp"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// entry is what package propagation has noted of one call.
type entry = propagation.JournalEntry

// journal is the entries that concern the spans of a search.
type journal struct {
	entries []*entry          // Those that belong to the flow, by time.
	lost    []*entry          // The injections without a span, by time; also those of which nobody knows where they belong.
	starts  map[ID]*entry     // How each span was started.
	handled map[uint64]*entry // The start of the span that handles what each extraction found.
	used    map[ID]int        // A span that continues or links each span, or none if it was only passed on.
	writers map[call]bool     // The calls that inject. What they read, they only look at.
	readers map[call]bool     // The calls that found a valid context.
	absent  map[int]*entry    // The extraction that found nothing, by the span that handles that.
	starved map[string][]int  // The same spans by the kind of carrier, each by time.
	unset   *entry            // A call that found no global propagator, or nil.
}

// call is a call of this module in the code of a user.
type call struct {
	name, file string
	line       int
}

func callOf(e *entry) call { return call{e.Call, e.File, e.Line} }

// newJournal selects the entries that concern the spans of g: those that certainly
// belong to it, and those of its traces.
func newJournal(g *Graph, entries []entry) *journal {
	j := &journal{
		starts: make(map[ID]*entry), handled: make(map[uint64]*entry), used: make(map[ID]int),
		writers: make(map[call]bool), readers: make(map[call]bool),
		absent: make(map[int]*entry), starved: make(map[string][]int),
	}
	if len(entries) == 0 {
		return j
	}
	traces := make(map[trace.TraceID]bool)
	for i := range g.spans {
		traces[g.spans[i].ID.Trace] = true
		j.used[g.spans[i].Parent] = i
		for _, link := range g.spans[i].Links {
			j.used[link] = i
		}
	}
	for n := range entries {
		e := &entries[n]
		if !e.Stray || traces[e.SpanContext.TraceID()] || traces[e.Parent.TraceID()] {
			j.add(e)
		}
		if isLost(e) {
			j.lost = append(j.lost, e)
		}
	}
	byTime := func(a, b *entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Number, b.Number)) }
	slices.SortStableFunc(j.entries, byTime)
	slices.SortStableFunc(j.lost, byTime)
	return j
}

func (j *journal) add(e *entry) {
	j.entries = append(j.entries, e)
	if e.DefaultPropagator {
		j.unset = e
	}
	switch e.Action {
	case propagation.JournalInject:
		j.writers[callOf(e)] = true
		if e.Parent.IsRemote() {
			j.use(IDOf(e.Parent)) // It is passed on without a span.
		}
	case propagation.JournalExtract:
		if e.Outcome == propagation.JournalOK {
			j.readers[callOf(e)] = true
		}
	case propagation.JournalStart:
		if id := IDOf(e.SpanContext); j.starts[id] == nil { // A batch without a span has that around it.
			j.starts[id] = e
		}
		j.use(IDOf(e.Parent))
		for _, number := range e.Extractions {
			j.handled[number] = e
		}
	}
}

func (j *journal) use(id ID) {
	if _, known := j.used[id]; !known {
		j.used[id] = none
	}
}

// isLost reports whether e is an injection that wrote nothing because it was called
// without a span. A waybill or baggage that is written without one is no accident.
func isLost(e *entry) bool {
	return e.Action == propagation.JournalInject && e.Outcome == propagation.JournalAbsent && !e.Parent.IsValid() && len(e.Keys) == 0
}

// findEntries applies the rules on the journal: P06 to P11 and P15.
func (s *search) findEntries() {
	for _, e := range s.journal.entries {
		switch e.Action {
		case propagation.JournalInject:
			s.findInjection(e)
		case propagation.JournalExtract:
			s.findExtraction(e)
		case propagation.JournalStart:
			s.findDropped(e)
		}
	}
	for _, e := range s.journal.lost {
		s.findLost(e)
	}
	s.findUnset()
}

// findExtraction applies the rules on an extraction: P07 to P11.
func (s *search) findExtraction(e *entry) {
	j := s.journal
	if j.writers[callOf(e)] {
		return
	}
	start := j.handled[e.Number]
	var span int
	if start != nil {
		span = s.g.find(IDOf(start.SpanContext))
	} else {
		span = s.next(e)
	}
	h := hit{span: span, from: s.origin(span), to: span, level: Violation, sure: Certain, entry: e}
	if s.isJoined(span) {
		h.level = Warning // Others of a batch were read.
	}
	switch e.Outcome {
	case propagation.JournalMalformed:
		h.id, h.detail = "P08", e.Detail
		s.add(h)
	case propagation.JournalForeign:
		h.id, h.detail = "P09", e.Detail
		if len(e.Propagator) == 0 {
			h.id, h.detail = "P07", noKeys
		}
		s.add(h)
	case propagation.JournalAbsent:
		if span != none && !s.isJoined(span) && !s.settles(span) && s.g.spans[span].attribute(startKey) != "true" {
			j.absent[span] = e
			j.starved[e.Carrier] = append(j.starved[e.Carrier], span)
		}
	case propagation.JournalOK:
		s.findValid(e, start, span)
	}
}

// findValid applies the rules on an extraction that found a trace context: P10 and P11.
func (s *search) findValid(e, start *entry, next int) {
	id := IDOf(e.SpanContext)
	user, isUsed := s.journal.used[id]
	switch {
	case e.IsAmbiguous && isUsed:
		s.add(hit{id: "P11", span: user, from: s.g.find(id), to: user, level: Violation, sure: Certain, entry: e})
	case isUsed || start != nil || !e.IsSampled():
		// What handles it is not recorded if it was not sampled.
	case next == none: // It may have been read for another purpose than to start a span.
		s.add(hit{id: "P10", span: s.g.find(id), from: s.g.find(id), to: none, level: Info, sure: Guess, entry: e})
	default:
		s.add(hit{id: "P10", span: next, from: s.g.find(id), to: next, level: Violation, sure: s.sureOf(e, next), entry: e})
	}
}

// sureOf returns how sure it is that span i is the one that should have continued what
// e extracted: certain if the message says so, or if it is the caller's span.
func (s *search) sureOf(e *entry, i int) Sureness {
	if sender := s.identified(i); e.Parent.IsValid() || sender != none && s.g.spans[sender].ID == IDOf(e.SpanContext) {
		return Certain
	}
	return Likely
}

// isJoined reports whether something joins span i to what it handles.
func (s *search) isJoined(i int) bool { return i != none && len(s.g.spans[i].Links) > 0 }

// origin returns the span that sent what span i handles, as far as can be told.
func (s *search) origin(i int) int {
	if i == none {
		return none
	}
	if sender := s.identified(i); sender != none {
		return sender
	}
	return s.sender(i)
}

// identified returns the last span that sent the message that span i handles, by the
// identity of the message, or none.
func (s *search) identified(i int) int {
	if m := s.message(i); m != nil {
		for key := range m.identities {
			if senders := s.producers[key]; len(senders) > 0 {
				return senders[len(senders)-1]
			}
		}
	}
	return none
}

// handover is how long after an extraction its handler may start a span. What starts later
// belongs to something else.
const handover = time.Second

// next guesses which span handles what e extracted: the one in which it was called, or
// else the first one after it that starts a trace and should not.
func (s *search) next(e *entry) int {
	if e.Parent.IsValid() {
		return s.g.find(IDOf(e.Parent))
	}
	from := s.firstAfter(e.Time)
	return s.g.first(s.g.order[from:min(from+lookBack, len(s.g.order))], func(i int) bool {
		span := &s.g.spans[i]
		return span.Start.Sub(e.Time) < handover && span.Parent == ID{} && len(span.Links) == 0 && s.journal.starts[span.ID] == nil && span.attribute(startKey) != "true" &&
			(s.receives(i) || s.apart(i))
	})
}

// firstAfter returns where in the order of spans those are that start at a time or later.
func (s *search) firstAfter(at time.Time) int {
	return sort.Search(len(s.g.order), func(n int) bool { return !s.g.spans[s.g.order[n]].Start.Before(at) })
}

// The details of P07.
const (
	noKeys         = "no keys"
	noTraceContext = "no trace context"
	noBaggage      = "no baggage"
	notSet         = "not set"
)

// findInjection applies the rules on an injection in a span: P07.
func (s *search) findInjection(e *entry) {
	caller := s.g.find(IDOf(e.Parent))
	h := hit{id: "P07", span: caller, from: caller, to: none, level: Violation, sure: Certain, entry: e}
	switch {
	case e.Outcome == propagation.JournalAbsent && e.Parent.IsValid() && len(e.Propagator) == 0:
		h.detail = noKeys
		s.add(h)
	case e.Outcome == propagation.JournalAbsent && e.Parent.IsValid() && !writesTraceContext(e.Propagator):
		h.detail = noTraceContext
		s.add(h)
	case e.LeftBaggage:
		h.level, h.detail = Warning, noBaggage
		s.add(h)
	}
}

// writesTraceContext reports whether a propagator with these keys may write a trace
// context, also in a format that nobody here knows.
func writesTraceContext(keys []string) bool {
	return slices.ContainsFunc(keys, func(key string) bool {
		switch strings.ToLower(key) {
		case "baggage", "tracestate", "waybill":
			return false
		default:
			return true
		}
	})
}

// findLost finds the receiver that found nothing because e wrote nothing: P06. An
// injection that nobody is seen to have received is a finding by itself, unless it may
// belong to other work of the process.
func (s *search) findLost(e *entry) {
	if s.journal.readers[callOf(e)] {
		return // It found a trace context on the carrier, and left it there.
	}
	receiver := s.takeStarved(e.Carrier, e.Time)
	h := hit{id: "P06", level: Violation, sure: Certain, entry: e}
	switch {
	case !e.Stray && receiver == none:
		receiver = s.takeAnyStarved(e.Time)
	case !e.Stray:
	case receiver == none || s.g.spans[receiver].Parent != (ID{}):
		return
	default:
		h.sure = Likely
	}
	h.span, h.from, h.to = receiver, s.origin(receiver), receiver
	if e.Stray && h.from == none && !s.apart(receiver) {
		h.level = Warning // As P01, which this explains.
	}
	s.add(h)
}

// takeStarved returns the first span that found nothing on a carrier of a kind after a
// time, or none. It is not returned again, nor are those before it.
func (s *search) takeStarved(carrier string, after time.Time) int {
	for {
		receiver := s.firstStarved(carrier, after)
		if receiver == none {
			return none
		}
		s.journal.starved[carrier] = s.journal.starved[carrier][1:]
		if !s.found[receiver] {
			return receiver
		}
	}
}

// takeAnyStarved is takeStarved for carriers of all kinds.
func (s *search) takeAnyStarved(after time.Time) int {
	receiver, kind := none, ""
	for carrier := range s.journal.starved {
		if i := s.firstStarved(carrier, after); i != none && (receiver == none || cmp.Or(s.g.byStart(i, receiver), cmp.Compare(i, receiver)) < 0) {
			receiver, kind = i, carrier
		}
	}
	if receiver == none {
		return none
	}
	return s.takeStarved(kind, after)
}

// firstStarved drops the spans that found nothing before a time, and returns the first
// of the others, or none. The injections are asked for in the order of time.
func (s *search) firstStarved(carrier string, after time.Time) int {
	starved := s.journal.starved[carrier]
	for len(starved) > 0 && s.journal.absent[starved[0]].Time.Before(after) {
		starved = starved[1:]
	}
	if s.journal.starved[carrier] = starved; len(starved) == 0 {
		delete(s.journal.starved, carrier)
		return none
	}
	return starved[0]
}

// findDropped finds a span that is not sampled though its parent is: P15.
func (s *search) findDropped(e *entry) {
	span, parent := e.SpanContext, e.Parent
	if !span.IsValid() || !parent.IsSampled() || span.IsSampled() || span.SpanID() == parent.SpanID() {
		return // A tracer that records nothing passes on the parent.
	}
	if s.g.find(IDOf(span)) == none { // One that is recorded all the same is meant to be.
		p := s.g.find(IDOf(parent))
		s.add(hit{id: "P15", span: p, from: p, to: none, level: Violation, sure: Certain, detail: "dropped", entry: e})
	}
}

// isPromoted reports whether span i is sampled though its parent is not.
func (s *search) isPromoted(i int) bool {
	span := &s.g.spans[i]
	e := s.journal.starts[span.ID]
	return span.Parent != ID{} && span.ParentUnsampled || e != nil && e.IsSampled() && e.Parent.IsValid() && !e.Parent.IsSampled() && e.Parent.SpanID() == span.Parent.Span
}

// findPromoted finds a sampled span of a parent that was not: P15.
func (s *search) findPromoted(i int) {
	h := hit{id: "P15", span: i, from: s.g.parents[i], to: i, level: Warning, sure: Certain, entry: s.journal.starts[s.g.spans[i].ID]}
	if h.from == none {
		h.level = Violation // The first part of the flow is missing.
	}
	s.add(h)
}

// findUnset finds a server that starts a trace during a call of another service, where
// no global propagator is set: P07.
func (s *search) findUnset() {
	if s.journal.unset == nil {
		return
	}
	for _, i := range s.g.order {
		span := &s.g.spans[i]
		if span.Kind != trace.SpanKindServer || span.Parent != (ID{}) || len(span.Links) > 0 || s.found[i] {
			continue
		}
		client := s.last(s.sent, i, func(c int) bool {
			caller := &s.g.spans[c]
			return caller.Kind == trace.SpanKindClient && caller.Channel() == "" && !caller.End.Before(span.Start) && s.undelivered(c)
		})
		if client != none {
			s.add(hit{id: "P07", span: i, from: client, to: i, level: Violation, sure: Likely, detail: notSet, entry: s.journal.unset})
		}
	}
}

// extracted returns how the extraction of what span i handles ended, if its program or
// the journal records that.
func (s *search) extracted(i int) string {
	if text := s.g.spans[i].attribute(extractKey); text != "" {
		return text
	}
	e := s.journal.starts[s.g.spans[i].ID]
	if e == nil || len(e.Extractions) == 0 {
		return ""
	}
	return strings.TrimSpace(string(e.Outcome) + " " + e.Detail)
}

// findAttribute applies the rules on what a program records of its extractions on
// spans: P08, P09 and P10.
func (s *search) findAttribute(i int) {
	if s.found[i] {
		return
	}
	outcome, detail, _ := strings.Cut(s.g.spans[i].attribute(extractKey), " ")
	h := hit{span: i, from: s.origin(i), to: i, level: Violation, sure: Certain, detail: detail}
	if s.isJoined(i) {
		h.level = Warning // Others of a batch were read.
	}
	switch outcome {
	case "malformed":
		h.id = "P08"
	case "foreign":
		h.id = "P09"
	case "unused":
		h.id, h.detail = "P10", ""
	default:
		return
	}
	s.add(h)
}

// place names the line of code of e, such as "orders/worker.go:41", or is empty.
func place(e *entry) string {
	if e == nil || e.File == "" {
		return ""
	}
	folder, file := path.Split(e.File)
	return Clip(path.Join(path.Base(folder), file), maxText) + ":" + strconv.Itoa(e.Line)
}
