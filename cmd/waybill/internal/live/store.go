// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"cmp"
	"container/list"
	"hash/maphash"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// Limits are the limits of a [Store].
type Limits struct {
	Flows int // The default is 10,000,
	Spans int // 1,000,000,
	Bytes int // 500 MB,
	// SpansOfFlow is how many spans of one flow are kept; the default is 100,000.
	SpansOfFlow int
	// Quiet is how long no span of a flow arrives until it is examined. The default is 6
	// seconds, as SDKs export every 5.
	Quiet time.Duration
}

func (l Limits) withDefaults() Limits {
	l.Flows = cmp.Or(l.Flows, 10_000)
	l.Spans = cmp.Or(l.Spans, 1_000_000)
	l.Bytes = cmp.Or(l.Bytes, 500_000_000)
	l.SpansOfFlow = cmp.Or(l.SpansOfFlow, 100_000)
	l.Quiet = cmp.Or(l.Quiet, 6*time.Second)
	return l
}

// Totals are counts of a [Store].
type Totals struct {
	Flows, Spans int // That are kept.
	Received     int // Spans.
	// GoneFlows and GoneSpans are how many have fallen out.
	GoneFlows, GoneSpans int
}

// Store joins spans into flows, and keeps those into which spans arrived last. It is
// safe for concurrent use.
type Store struct {
	limits Limits
	seed   maphash.Seed

	mu       sync.Mutex
	version  uint64 // Grows with each change.
	numbered uint64
	flows    map[uint64]*Flow // By number; merged ones too.
	recent   *list.List       // Of *Flow, the one that changed last at the front.
	traces   map[trace.TraceID]*Flow
	sent     map[uint64]*Flow      // By the hash of a message.
	received map[uint64]*Flow      // Those that received a message without its context.
	senders  map[string]*recently  // By channel.
	usual    map[string]*durations // By what a flow begins with.
	totals   Totals
	size     int
}

// NewStore returns a store with limits.
func NewStore(limits Limits) *Store {
	s := &Store{limits: limits.withDefaults(), seed: maphash.MakeSeed()}
	s.reset()
	return s
}

func (s *Store) reset() {
	s.flows, s.recent = make(map[uint64]*Flow), list.New()
	s.traces = make(map[trace.TraceID]*Flow)
	s.sent, s.received = make(map[uint64]*Flow), make(map[uint64]*Flow)
	s.senders, s.usual = make(map[string]*recently), make(map[string]*durations)
	s.totals, s.size = Totals{}, 0
	s.version++
}

// Clear forgets all flows.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
}

// AddProtobuf adds the spans of an ExportTraceServiceRequest.
func (s *Store) AddProtobuf(message []byte) error {
	arrivals, err := read(message)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.version++
	for i := range arrivals {
		s.add(&arrivals[i], now)
	}
	return nil
}

// AddJSON adds the spans of an ExportTraceServiceRequest of OTLP/JSON.
func (s *Store) AddJSON(message []byte) error {
	traces, err := recording.Unmarshal(message)
	if err != nil {
		return err
	}
	text, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		return err
	}
	return s.AddProtobuf(text)
}

// indexed is about how much memory an entry of a map takes.
const indexed = 64

func (s *Store) add(a *arrival, now time.Time) {
	s.totals.Received++
	f := s.join(&a.span)
	f.version, f.updated, f.examined = s.version, now, false
	s.recent.MoveToFront(f.place)
	if len(f.spans) >= s.limits.SpansOfFlow {
		f.omitted++
		s.totals.GoneSpans++
	} else {
		f.spans = append(f.spans, a.kept)
		s.grow(f, a.size())
		s.totals.Spans++
	}
	f.note(&a.span)
	for s.totals.Flows > s.limits.Flows || s.totals.Spans > s.limits.Spans || s.size > s.limits.Bytes {
		s.evict()
	}
}

func (s *Store) grow(f *Flow, n int) {
	f.size += n
	s.size += n
}

// join returns the flow that a span belongs to, which may join others.
func (s *Store) join(span *flow.Span) *Flow {
	f := s.traces[span.ID.Trace].root()
	if f == nil {
		f = s.open()
	}
	f = s.joinTrace(f, span.ID.Trace)
	for _, link := range span.Links {
		f = s.joinTrace(f, link.Trace)
	}
	return s.joinMessages(f, span)
}

// open makes a new flow.
func (s *Store) open() *Flow {
	s.numbered++
	f := &Flow{number: s.numbered}
	f.place = s.recent.PushFront(f)
	s.flows[f.number] = f
	s.totals.Flows++
	return f
}

// root returns the flow that f is a part of now.
func (f *Flow) root() *Flow {
	if f == nil || f.merged == nil {
		return f
	}
	f.merged = f.merged.root()
	return f.merged
}

// joinTrace makes a trace a part of f, with the flow that it is a part of. It returns
// the flow of both.
func (s *Store) joinTrace(f *Flow, id trace.TraceID) *Flow {
	other := s.traces[id].root()
	if other == nil {
		s.traces[id] = f
		f.traces = append(f.traces, id)
		s.grow(f, indexed)
		return f
	}
	return s.merge(f, other)
}

// joinMessages joins the senders of messages with the receivers that have lost the
// context. A receiver that has one needs no help: two runs of a program may send
// messages to the same place.
func (s *Store) joinMessages(f *Flow, span *flow.Span) *Flow {
	exchange := span.Exchange()
	lost := exchange.Receives && len(span.Links) == 0 && (span.Parent == flow.ID{} || !span.Remote && !span.RemoteUnknown)
	if lost && span.Parent == (flow.ID{}) {
		f.wants.add(clip(span.Channel()))
		f.suspect = f.suspect || !isStart(span)
	}
	if hasLostContext(span) {
		f.suspect = true
	}
	for _, id := range exchange.Messages {
		key := maphash.String(s.seed, id)
		if exchange.Sends {
			if other := s.received[key].root(); other != nil {
				f = s.merge(f, other)
			}
			s.sent[key] = f
			f.sent = append(f.sent, key)
			s.grow(f, indexed)
		}
		if lost {
			if other := s.sent[key].root(); other != nil {
				f = s.merge(f, other)
			}
			s.received[key] = f
			f.received = append(f.received, key)
			s.grow(f, indexed)
		}
	}
	if exchange.Sends || span.Kind == trace.SpanKindProducer {
		s.noteSender(f, clip(span.Channel()))
	}
	s.noteJob(f, span)
	return f
}

// jobKey is the attribute with the name of a Kubernetes Job, of the span that creates it.
const jobKey = "k8s.job.name"

// noteJob notes who creates a Kubernetes Job, and what starts in one without a context.
func (s *Store) noteJob(f *Flow, span *flow.Span) {
	if job, ok := span.Attribute(jobKey); ok && span.Kind == trace.SpanKindProducer {
		s.noteSender(f, clip(jobKey+" "+job.String()))
	}
	if span.Job != "" && span.Parent == (flow.ID{}) && len(span.Links) == 0 {
		f.wants.add(clip(jobKey + " " + span.Job))
	}
}

// isStart reports whether a program marks a span as the first of its flow.
func isStart(span *flow.Span) bool {
	v, ok := span.Attribute("flow.start")
	return ok && v.String() == "true"
}

// hasLostContext reports whether a program says that it has lost the context of a span.
func hasLostContext(span *flow.Span) bool {
	v, ok := span.Attribute("waybill.extract")
	return ok && v.String() != "ok" && v.String() != "absent"
}

// merge makes one flow of two.
func (s *Store) merge(a, b *Flow) *Flow {
	if a == b {
		return a
	}
	if len(a.spans) < len(b.spans) || len(a.spans) == len(b.spans) && a.number > b.number {
		a, b = b, a
	}
	s.recent.Remove(b.place)
	s.totals.Flows--
	a.take(b)
	return a
}

// evict forgets the flow that has been without a new span for the longest time.
func (s *Store) evict() {
	f, ok := s.recent.Remove(s.recent.Back()).(*Flow)
	if !ok {
		return
	}
	s.totals.Flows--
	s.totals.Spans -= len(f.spans)
	s.size -= f.size
	s.totals.GoneFlows++
	s.totals.GoneSpans += len(f.spans)
	for _, id := range f.traces {
		delete(s.traces, id)
	}
	forget(s.sent, f.sent, f)
	forget(s.received, f.received, f)
	delete(s.flows, f.number)
	for _, number := range f.numbers {
		delete(s.flows, number)
	}
	*f = Flow{number: f.number, gone: true}
}

// forget deletes the entries of a map that stand for f.
func forget(m map[uint64]*Flow, keys []uint64, f *Flow) {
	for _, key := range keys {
		if m[key].root() == f {
			delete(m, key)
		}
	}
}

// CurrentVersion returns a number that grows with each change.
func (s *Store) CurrentVersion() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// Totals returns the counts of the store.
func (s *Store) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}
