// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"container/list"
	"slices"
	"time"
	"unique"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// State is how a flow is, as far as that is known.
type State string

// The states, from the worst.
const (
	Broken  State = "broken"  // A violation was found.
	Failed  State = "errors"  // Spans of it ended with an error.
	Warned  State = "warning" // A warning was found.
	Slow    State = "slow"    // It took much longer than others that begin in the same way.
	Fresh   State = "fresh"   // Spans of it are still arriving.
	Settled State = "done"    // None of these.
)

// States are the states, from the worst.
func States() []State { return []State{Broken, Failed, Warned, Slow, Fresh, Settled} }

func (s State) rank() int { return slices.Index(States(), s) }

// Flow is a flow that is being joined: spans of traces that are the same, or that are
// joined by links or messages. The store guards it.
type Flow struct {
	number  uint64
	version uint64 // The version of the store when it changed last.
	merged  *Flow  // The flow that has taken over its spans, if any.
	gone    bool   // It fell out of the store, or was merged.
	place   *list.Element

	spans    []kept
	size     int // About how much memory it takes.
	omitted  int // How many spans there were beyond the limit.
	traces   []trace.TraceID
	sent     []uint64 // What the store knows it by, beside its traces: hashes of messages that it sent,
	received []uint64 // and that it received without their context.
	numbers  []uint64 // Of the flows that were merged into it.

	updated  time.Time // When the last span arrived.
	from, to time.Time // Of its spans.
	errors   int
	services set
	channels set
	names    set
	sends    set // The channels that it sent to,
	wants    set // and those of what it received without a context.
	head     head
	suspect  bool // A span says that its context was lost.

	examined bool // It was quiet, and examined, and no span has arrived since.
	found    found
}

// head is the span that a flow is named after: the first one, if possible without a
// parent.
type head struct {
	service, name string
	root          bool
	start         time.Time
}

// found is what the examination of a flow found.
type found struct {
	verdict flow.Verdict
	level   flow.Level
	any     bool   // There is a finding.
	id      string // Of the worst finding,
	what    string // and its sentence.
	slow    bool
}

// set is a small set of texts, in the order of their arrival.
type set []unique.Handle[string]

// maxSet is how many texts of one kind a flow is found by.
const maxSet = 64

func (s *set) add(text string) {
	handle := unique.Make(text)
	if len(*s) < maxSet && !slices.Contains(*s, handle) {
		*s = append(*s, handle)
	}
}

func (s *set) addAll(other set) {
	for _, handle := range other {
		if len(*s) < maxSet && !slices.Contains(*s, handle) {
			*s = append(*s, handle)
		}
	}
}

func (s set) has(text string) bool {
	return slices.ContainsFunc(s, func(h unique.Handle[string]) bool { return h.Value() == text })
}

// maxText is how many bytes of a text a flow is found by.
const maxText = 200

func clip(text string) string { return flow.Clip(text, maxText) }

// note adds what is read of a span to what is known of f.
func (f *Flow) note(s *flow.Span) {
	f.services.add(clip(s.Service))
	f.names.add(clip(s.Name))
	if channel := s.Channel(); channel != "" {
		f.channels.add(clip(channel))
	}
	if s.Failure() != "" {
		f.errors++
	}
	if f.from.IsZero() || s.Start.Before(f.from) {
		f.from = s.Start
	}
	for _, at := range []time.Time{s.Start, s.End} {
		if at.After(f.to) {
			f.to = at
		}
	}
	f.head.replace(head{service: clip(s.Service), name: clip(s.Name), root: s.Parent == flow.ID{}, start: s.Start})
}

// replace replaces h if other is the better one.
func (h *head) replace(other head) {
	if h.start.IsZero() || other.root && !h.root || other.root == h.root && other.start.Before(h.start) {
		*h = other
	}
}

// take takes over the spans of other, and what is known of it.
func (f *Flow) take(other *Flow) {
	f.spans = append(f.spans, other.spans...)
	f.size += other.size
	f.omitted += other.omitted
	f.traces = append(f.traces, other.traces...)
	f.sent = append(f.sent, other.sent...)
	f.received = append(f.received, other.received...)
	f.numbers = append(append(f.numbers, other.number), other.numbers...)
	f.errors += other.errors
	f.services.addAll(other.services)
	f.channels.addAll(other.channels)
	f.names.addAll(other.names)
	f.sends.addAll(other.sends)
	f.wants.addAll(other.wants)
	if f.from.IsZero() || !other.from.IsZero() && other.from.Before(f.from) {
		f.from = other.from
	}
	if other.to.After(f.to) {
		f.to = other.to
	}
	f.suspect = f.suspect || other.suspect
	if !other.head.start.IsZero() {
		f.head.replace(other.head)
	}
	*other = Flow{number: other.number, merged: f, gone: true}
}

// state returns how f is.
func (f *Flow) state() State {
	switch {
	case f.suspect && !f.examined, f.examined && (f.found.verdict == flow.Broken || f.found.any && f.found.level == flow.Violation):
		return Broken
	case f.errors > 0:
		return Failed
	case f.examined && f.found.any && f.found.level == flow.Warning:
		return Warned
	case f.examined && f.found.slow:
		return Slow
	case !f.examined:
		return Fresh
	default:
		return Settled
	}
}

// took returns how long f took until now.
func (f *Flow) took() time.Duration { return f.to.Sub(f.from) }
