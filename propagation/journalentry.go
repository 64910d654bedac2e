// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// JournalAction is what a call did that a [Journal] has noted.
type JournalAction string

// The actions.
const (
	JournalInject  JournalAction = "inject"  // [Inject], [Encode], and what is built on them.
	JournalExtract JournalAction = "extract" // [Extract], [Read], and what is built on them.
	JournalStart   JournalAction = "start"   // [Start], and what is built on it.
)

// JournalOutcome is how a call ended that a [Journal] has noted.
type JournalOutcome string

// The outcomes.
const (
	// JournalOK is the outcome if a trace context was written, or read, or a span was
	// started.
	JournalOK JournalOutcome = "ok"
	// JournalAbsent is the outcome if there was no trace context to write, or to read.
	JournalAbsent JournalOutcome = "absent"
	// JournalMalformed is the outcome of an extraction that found a trace context that
	// is not valid. The detail is the key and the reason.
	JournalMalformed JournalOutcome = "malformed"
	// JournalForeign is the outcome of an extraction that found no trace context in
	// the formats of its propagator, but one in another format, which is the detail.
	JournalForeign JournalOutcome = "foreign"
	// JournalKept is the outcome of an injection that left the trace context that
	// the carrier held: see [Policy].
	JournalKept JournalOutcome = "kept"
)

// JournalEntry is what a [Journal] has noted of one call.
type JournalEntry struct {
	Number  uint64 // Identifies the entry among those of this machine.
	Time    time.Time
	Action  JournalAction
	Outcome JournalOutcome
	Detail  string // Why, for a person; may be empty. It never holds a value of the carrier.

	// Call is the function of this module that was called, such as
	// "kafkacarrier.Inject", and Function, File and Line are where. They are empty if
	// no caller outside of this module is on the stack.
	Call     string
	Function string
	File     string
	Line     int

	// Carrier is the kind of carrier, such as "kafka", or else its type, such as
	// "map[string]string". It is empty for a start, and for a user's call of [Encode].
	Carrier string
	// Keys are the keys that were written, or that hold a part of a context and were
	// seen, as far as the carrier can list them.
	Keys []string
	// Propagator holds the keys that the propagator names.
	Propagator []string
	// DefaultPropagator reports that [Default] was used because the global propagator
	// was never set.
	DefaultPropagator bool

	// SpanContext is what was written or read, or the span that was started. It is
	// not valid if there is none.
	SpanContext trace.SpanContext
	// Parent is the parent of a span that was started, or the span in the context that
	// an injection or an extraction was called with. [Read] has no context.
	Parent trace.SpanContext
	// Extractions are the numbers of the entries of what a started span handles.
	Extractions []uint64

	// LeftBaggage reports an injection of a context whose baggage the options allow
	// and the propagator does not write.
	LeftBaggage bool
	// IsAmbiguous reports an extraction from a carrier that held several different
	// trace contexts.
	IsAmbiguous bool
	// Stray reports that the call named no journal, by an option or by its context, so
	// that the entry may belong to other work in the process.
	Stray bool
}

// IsSampled reports whether the span context is that of a sampled span.
func (e JournalEntry) IsSampled() bool { return e.SpanContext.IsSampled() }

// String returns the entry in one line, such as
// "kafkacarrier.Inject at orders.go:41: inject absent: ctx has no span".
func (e JournalEntry) String() string {
	var b strings.Builder
	b.WriteString(e.Call)
	if e.File != "" {
		fmt.Fprintf(&b, " at %s:%d", e.File[strings.LastIndexByte(e.File, '/')+1:], e.Line)
	}
	fmt.Fprintf(&b, ": %s %s", e.Action, e.Outcome)
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	return b.String()
}

// journalJSON is an entry in JSON.
type journalJSON struct {
	Number            uint64         `json:"number,omitempty"`
	Time              time.Time      `json:"time"`
	Action            JournalAction  `json:"action"`
	Outcome           JournalOutcome `json:"outcome"`
	Detail            string         `json:"detail,omitempty"`
	Call              string         `json:"call,omitempty"`
	Function          string         `json:"function,omitempty"`
	File              string         `json:"file,omitempty"`
	Line              int            `json:"line,omitempty"`
	Carrier           string         `json:"carrier,omitempty"`
	Keys              []string       `json:"keys,omitempty"`
	Propagator        []string       `json:"propagator,omitempty"`
	DefaultPropagator bool           `json:"default_propagator,omitempty"`
	TraceID           string         `json:"trace_id,omitempty"`
	SpanID            string         `json:"span_id,omitempty"`
	Sampled           bool           `json:"sampled,omitempty"`
	Remote            bool           `json:"remote,omitempty"`
	ParentTraceID     string         `json:"parent_trace_id,omitempty"`
	ParentSpanID      string         `json:"parent_span_id,omitempty"`
	ParentSampled     bool           `json:"parent_sampled,omitempty"`
	ParentRemote      bool           `json:"parent_remote,omitempty"`
	Extractions       []uint64       `json:"extractions,omitempty"`
	LeftBaggage       bool           `json:"left_baggage,omitempty"`
	Ambiguous         bool           `json:"ambiguous,omitempty"`
}

// MarshalJSON returns the entry as an object without the members that are empty, and
// without Stray. Ids are hexadecimal.
func (e JournalEntry) MarshalJSON() ([]byte, error) {
	j := journalJSON{
		Number: e.Number, Time: e.Time, Action: e.Action, Outcome: e.Outcome, Detail: e.Detail,
		Call: e.Call, Function: e.Function, File: e.File, Line: e.Line,
		Carrier: e.Carrier, Keys: e.Keys, Propagator: e.Propagator, DefaultPropagator: e.DefaultPropagator,
		Sampled: e.IsSampled(), Remote: e.SpanContext.IsRemote(), ParentSampled: e.Parent.IsSampled(), ParentRemote: e.Parent.IsRemote(),
		Extractions: e.Extractions, LeftBaggage: e.LeftBaggage, Ambiguous: e.IsAmbiguous,
	}
	j.TraceID, j.SpanID = idTexts(e.SpanContext)
	j.ParentTraceID, j.ParentSpanID = idTexts(e.Parent)
	return json.Marshal(j)
}

// UnmarshalJSON reads what [JournalEntry.MarshalJSON] has returned. A span context whose
// ids are malformed is not valid.
func (e *JournalEntry) UnmarshalJSON(text []byte) error {
	var j journalJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*e = JournalEntry{
		Number: j.Number, Time: j.Time, Action: j.Action, Outcome: j.Outcome, Detail: j.Detail,
		Call: j.Call, Function: j.Function, File: j.File, Line: j.Line,
		Carrier: j.Carrier, Keys: j.Keys, Propagator: j.Propagator, DefaultPropagator: j.DefaultPropagator,
		SpanContext: spanContextOf(j.TraceID, j.SpanID, j.Sampled, j.Remote),
		Parent:      spanContextOf(j.ParentTraceID, j.ParentSpanID, j.ParentSampled, j.ParentRemote),
		Extractions: j.Extractions, LeftBaggage: j.LeftBaggage, IsAmbiguous: j.Ambiguous,
	}
	return nil
}

// idTexts returns the ids of sc, or empty texts if it is not valid.
func idTexts(sc trace.SpanContext) (traceID, spanID string) {
	if !sc.IsValid() {
		return "", ""
	}
	return sc.TraceID().String(), sc.SpanID().String()
}

// spanContextOf returns the span context with the ids, or one that is not valid.
func spanContextOf(traceID, spanID string, isSampled, isRemote bool) trace.SpanContext {
	t, traceErr := trace.TraceIDFromHex(traceID)
	s, spanErr := trace.SpanIDFromHex(spanID)
	if traceErr != nil || spanErr != nil {
		return trace.SpanContext{}
	}
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: t, SpanID: s, TraceFlags: trace.TraceFlags(0).WithSampled(isSampled), Remote: isRemote})
}
