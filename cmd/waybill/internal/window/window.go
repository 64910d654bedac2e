// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package window looks for what is wrong with a stream of spans that has no end. It
// judges a flow when it is quiet, and forgets it.
//
// All spans that are held are judged together, and findings of flows that are not quiet
// yet are left out until they are: the rules compare flows, as when they guess who sent
// a message that has lost its context. So there is nothing to join span by span, as
// package live does for a person who watches.
package window

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// Config is what a Window is made of.
type Config struct {
	// Quiet is how long no span of a flow must have come for it to be judged. It is
	// measured by the times of the spans that come, so that a recording is judged alike
	// however fast it is read, and by [Window.Idle].
	Quiet time.Duration
	// MaxSpans is how many spans are held. If more flows are active, those that have been
	// quiet for the longest time are judged early. The default is 250,000.
	MaxSpans int
	Expect   flow.Expectation
	// Found is called with each finding and its graph, which must not be kept. A finding
	// of a kind that was found before comes again.
	Found func(g *flow.Graph, f *flow.Finding)
}

const (
	defaultMaxSpans = 250_000
	maxForgotten    = 1 << 18 // Traces that are remembered, to know late spans.
	maxServices     = 10_000  // Services that are counted.
)

// Totals is what a Window has judged.
type Totals struct {
	Spans, Traces int
	Services      int
	Flows         map[flow.Verdict]int
	Early         int // Flows that were judged before they were quiet.
	Late          int // Spans of flows that had been judged before, which are ignored.
	Open          int // Flows that were still active at the end, and are not judged.
	Omitted       int // Findings beyond the limit of a diagnosis.
}

// Window judges a stream of spans. It must not be used concurrently.
type Window struct {
	config Config
	totals Totals

	spans []flow.Span
	came  []time.Time // The clock when each span came.
	clock time.Time   // The time of the stream.

	lookAt time.Time // When flows may have become quiet.
	kept   int       // How many spans were left when flows were judged last.
	judged *traces
	names  map[string]struct{}
}

// New returns a Window.
func New(config Config) *Window {
	config.MaxSpans = cmp.Or(config.MaxSpans, defaultMaxSpans)
	return &Window{
		config: config, totals: Totals{Flows: make(map[flow.Verdict]int)},
		judged: newTraces(maxForgotten), names: make(map[string]struct{}),
	}
}

// Add adds spans in the order in which they came.
func (w *Window) Add(spans []flow.Span) {
	for i := range spans {
		s := &spans[i]
		if w.judged.has(s.ID.Trace) {
			w.totals.Late++
			continue
		}
		w.advance(s.Last())
		w.spans = append(w.spans, *s)
		w.came = append(w.came, w.clock)
		// Looking at all spans for a few new ones would take too long.
		if len(w.spans) >= w.config.MaxSpans || len(w.spans)-w.kept > w.kept/fewNew && w.isTime() {
			w.judge(w.choose)
		}
	}
}

// fewNew is the part of the held spans by which there must be more for flows to be
// judged.
const fewNew = 16

// maxAhead is how far in the future a span may be. Time does not pass by one that is
// further: its clock is wrong.
const maxAhead = time.Minute

// advance lets time pass until the end of a span.
func (w *Window) advance(end time.Time) {
	if end.After(w.clock) && time.Until(end) < maxAhead {
		w.clock = end
	}
}

// Idle lets time pass in which no span came.
func (w *Window) Idle(d time.Duration) {
	w.clock = w.clock.Add(d)
	if len(w.spans) > 0 && w.isTime() {
		w.judge(w.choose)
	}
}

// Close judges what is left at the end of the stream, and returns what was judged.
func (w *Window) Close() Totals { return w.end(wholeFlows) }

// Interrupt returns what was judged of a stream that goes on. Flows that are not quiet
// are left out.
func (w *Window) Interrupt() Totals { return w.end(w.choose) }

func (w *Window) end(choose func(g *flow.Graph, flows []flow.Flow, extents []flow.Extent)) Totals {
	if len(w.spans) > 0 {
		w.judge(choose)
	}
	w.totals.Services = len(w.names)
	return w.totals
}

// looks is how often flows are judged while one becomes quiet.
const looks = 4

// isTime reports whether flows may have become quiet.
func (w *Window) isTime() bool {
	if w.lookAt.IsZero() || w.lookAt.After(w.clock.Add(w.config.Quiet)) { // At the beginning, or after a wrong clock.
		w.lookAt = w.clock.Add(w.config.Quiet)
	}
	return !w.clock.Before(w.lookAt)
}

// judge judges the flows that choose does not leave open, and forgets them.
func (w *Window) judge(choose func(g *flow.Graph, flows []flow.Flow, extents []flow.Extent)) {
	for i := range w.spans {
		w.spans[i].Source = i
	}
	g := flow.New(w.spans)
	expect := w.config.Expect
	var extents []flow.Extent
	expect.Extents = func(flows []flow.Flow) []flow.Extent {
		extents = make([]flow.Extent, len(flows))
		choose(g, flows, extents)
		return extents
	}
	d := g.Diagnose(expect)
	w.totals.Omitted += d.Omitted
	for i := range d.Findings {
		w.config.Found(g, &d.Findings[i])
	}
	w.forget(g, d.Flows, extents)
	w.lookAt = w.clock.Add(w.config.Quiet / looks)
}

// wholeFlows leaves no flow open: there is no more to come.
func wholeFlows(*flow.Graph, []flow.Flow, []flow.Extent) {}

// choose leaves flows open that are not quiet. If there are too many spans, those that
// have been active last keep half of the room.
func (w *Window) choose(g *flow.Graph, flows []flow.Flow, extents []flow.Extent) {
	last := make([]time.Time, len(flows)) // When a span of each flow came last.
	var open []int
	held := 0
	for n := range flows {
		for _, i := range flows[n].Spans {
			if at := w.came[g.Spans()[i].Source]; at.After(last[n]) {
				last[n] = at
			}
		}
		if w.clock.Sub(last[n]) < w.config.Quiet {
			extents[n] = flow.Open
			open = append(open, n)
			held += len(flows[n].Spans)
		}
	}
	if len(w.spans) < w.config.MaxSpans {
		return
	}
	slices.SortFunc(open, func(a, b int) int { return last[a].Compare(last[b]) })
	for _, n := range open {
		if held <= w.config.MaxSpans/2 {
			break
		}
		extents[n] = flow.Part
		held -= len(flows[n].Spans)
	}
}

// forget keeps the spans of open flows, and counts the others.
func (w *Window) forget(g *flow.Graph, flows []flow.Flow, extents []flow.Extent) {
	var spans []flow.Span
	var came []time.Time
	for n := range flows {
		f := &flows[n]
		if extents[n] == flow.Open {
			for _, i := range f.Spans {
				spans, came = append(spans, g.Spans()[i]), append(came, w.came[g.Spans()[i].Source])
			}
			continue
		}
		w.count(g, f)
		if extents[n] == flow.Part {
			w.totals.Early++
		}
	}
	w.spans, w.came, w.kept = spans, came, len(spans)
	w.totals.Open = 0
	for _, extent := range extents {
		if extent == flow.Open {
			w.totals.Open++
		}
	}
}

// count counts f, which was judged.
func (w *Window) count(g *flow.Graph, f *flow.Flow) {
	w.totals.Flows[f.Verdict]++
	w.totals.Spans += len(f.Spans)
	for _, i := range f.Spans {
		s := &g.Spans()[i]
		if w.judged.add(s.ID.Trace) {
			w.totals.Traces++
		}
		if len(w.names) < maxServices {
			w.names[flow.Clip(s.Service, maxName)] = struct{}{}
		}
	}
}

const maxName = 200

// Judged returns how many flows were judged.
func (t *Totals) Judged() int {
	n := 0
	for v := range maps.Values(t.Flows) {
		n += v
	}
	return n
}

// traces are the last traces that were added.
type traces struct {
	ids  map[trace.TraceID]struct{}
	ring []trace.TraceID
	next int
	most int
}

func newTraces(most int) *traces { return &traces{ids: make(map[trace.TraceID]struct{}), most: most} }

func (t *traces) has(id trace.TraceID) bool {
	_, ok := t.ids[id]
	return ok
}

// add adds id, and reports whether it is new.
func (t *traces) add(id trace.TraceID) bool {
	if t.has(id) {
		return false
	}
	if len(t.ring) < t.most {
		t.ring = append(t.ring, id)
	} else {
		delete(t.ids, t.ring[t.next])
		t.ring[t.next] = id
		t.next = (t.next + 1) % t.most
	}
	t.ids[id] = struct{}{}
	return true
}
