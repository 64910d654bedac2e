// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"context"
	"slices"
	"time"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// Examination is a flow at one time, and what is wrong with it.
type Examination struct {
	Number    uint64 // Of the flow.
	Version   uint64
	Graph     *flow.Graph
	Diagnosis *flow.Diagnosis
	Omitted   int // Spans of the flow that are not kept.
}

// snapshot is the spans of a flow at one time.
type snapshot struct {
	number, version uint64
	spans           []kept
	related         []kept // Of other flows.
	omitted         int
}

// snapshot returns the spans of f, which are not changed any more.
func (s *Store) snapshot(f *Flow) snapshot {
	return snapshot{number: f.number, version: f.version, spans: slices.Clip(f.spans), related: s.related(f), omitted: f.omitted}
}

// Examine looks for what is wrong with a flow. It reports false if the flow has fallen
// out of the store.
func (s *Store) Examine(number uint64, expect flow.Expectation) (*Examination, bool) {
	s.mu.Lock()
	f := s.flows[number].root()
	if f == nil || f.gone {
		s.mu.Unlock()
		return nil, false
	}
	snap := s.snapshot(f)
	s.mu.Unlock()
	e := snap.examine(expect)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(f, e)
	return e, true
}

// Version returns the number of a flow, which changes if it is merged, and the version
// of its last change.
func (s *Store) Version(number uint64) (now, version uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[number].root()
	if f == nil || f.gone {
		return 0, 0, false
	}
	return f.number, f.version, true
}

// examine looks for what is wrong with the flow, and with those of the related spans
// that a finding joins with it.
func (snap *snapshot) examine(expect flow.Expectation) *Examination {
	e := &Examination{Number: snap.number, Version: snap.version, Omitted: snap.omitted}
	own := decode(snap.spans)
	e.Graph = flow.New(slices.Concat(own, decode(snap.related)))
	e.Diagnosis = e.Graph.Diagnose(expect)
	if len(snap.related) == 0 {
		return e
	}
	isOwn := make(map[flow.ID]bool, len(own))
	for i := range own {
		isOwn[own[i].ID] = true
	}
	var spans []flow.Span
	for _, f := range e.Diagnosis.Flows {
		if slices.ContainsFunc(f.Spans, func(i int) bool { return isOwn[e.Graph.Spans()[i].ID] }) {
			for _, i := range f.Spans {
				spans = append(spans, e.Graph.Spans()[i])
			}
		}
	}
	e.Graph = flow.New(spans)
	e.Diagnosis = e.Graph.Diagnose(expect)
	return e
}

// decode returns spans in full. Those that cannot be decoded are left out, one by one.
func decode(spans []kept) []flow.Span {
	if len(spans) == 0 {
		return nil
	}
	decoded, err := recording.DecodeProtobuf(message(spans))
	if err == nil {
		return decoded
	}
	if len(spans) == 1 {
		return nil
	}
	half := len(spans) / 2
	return append(decode(spans[:half]), decode(spans[half:])...)
}

// settle notes what was found, unless spans of f have arrived meanwhile.
func (s *Store) settle(f *Flow, e *Examination) {
	if f.gone || f.version != e.Version || f.examined || time.Since(f.updated) < s.limits.Quiet {
		return
	}
	if s.joinExamined(f, e) {
		return // The flow of all of them is examined when it is quiet.
	}
	f.examined = true
	f.found = found{verdict: e.Diagnosis.Verdict(), slow: s.isSlow(f)}
	if len(e.Diagnosis.Findings) > 0 {
		worst := &e.Diagnosis.Findings[0]
		f.found.any, f.found.level, f.found.id, f.found.what = true, worst.Level, worst.ID, clip(worst.What)
	}
	s.version++
}

// joinExamined joins f with the flows of the related spans that a finding joins with it,
// so that a flow that broke is listed once. It reports whether there are any.
func (s *Store) joinExamined(f *Flow, e *Examination) (joined bool) {
	for i := range e.Graph.Spans() {
		if other := s.traces[e.Graph.Spans()[i].ID.Trace].root(); other != nil && other != f {
			f, joined = s.merge(f, other), true
		}
	}
	if joined {
		s.version++
		f.version, f.examined = s.version, false
		f.suspect = f.suspect || e.Diagnosis.Verdict() == flow.Broken
	}
	return joined
}

// examineEvery is how often the store looks for quiet flows.
const examineEvery = 500 * time.Millisecond

// ExamineQuiet examines flows that have become quiet, until ctx is done. A flow into
// which a late span arrives is examined again.
func (s *Store) ExamineQuiet(ctx context.Context, expect flow.Expectation) {
	tick := time.NewTicker(examineEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, number := range s.quiet(now) {
				if ctx.Err() != nil {
					return
				}
				s.Examine(number, expect)
			}
		}
	}
}

// quiet returns the flows that are to be examined, the last ones first.
func (s *Store) quiet(now time.Time) []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var numbers []uint64
	for e := s.recent.Front(); e != nil; e = e.Next() {
		if f, ok := e.Value.(*Flow); ok && !f.examined && now.Sub(f.updated) >= s.limits.Quiet {
			numbers = append(numbers, f.number)
		}
	}
	return numbers
}
