// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"cmp"
	"context"
	"errors"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/callsite"
	"github.com/waybill-go/waybill/internal/safe"
)

// The functions of this file note calls. They are called after the work, and only if
// somebody asks for a journal. They look at carriers, spans and contexts of others
// once more, so they stop panics.

// extractKey is the attribute that says how the extraction ended of what a span
// handles, if a journal is asked for.
const extractKey = attribute.Key("waybill.extract")

// What is noted of a call is bounded.
const (
	maxNotedKeys        = 32
	maxNotedExtractions = maxNotes
)

// noted is how many entries were made.
var noted atomic.Uint64

// nextNumber returns the number of an entry, which no other process on this machine
// uses, as several may write to one file. It is exact in any reader of JSON.
func nextNumber() uint64 {
	const pidShift = 30
	return uint64(os.Getpid())<<pidShift + noted.Add(1) //nolint:gosec // it is not negative.
}

// newNote returns a note of a call that ends now.
func newNote(action JournalAction) *note {
	site := callsite.Find()
	n := new(note)
	n.entry = JournalEntry{
		Number: nextNumber(), Time: time.Now(), Action: action, Outcome: JournalOK,
		Call: site.Call, Function: site.Function, File: site.File, Line: site.Line, Carrier: site.Carrier,
	}
	return n
}

// setCarrier names the carrier by its type if it is not that of a carrier package.
func (e *JournalEntry) setCarrier(carrier any) {
	t := reflect.TypeOf(carrier)
	switch {
	case e.Carrier != "" || t == nil:
	case t == reflect.TypeFor[propagation.MapCarrier](): // [InjectTextMap] takes it for the map that it is.
		e.Carrier = reflect.TypeFor[map[string]string]().String()
	default:
		e.Carrier = t.String()
	}
}

// setCodec notes what the propagator is.
func (e *JournalEntry) setCodec(c *codec) {
	e.Propagator, e.DefaultPropagator = slices.Clip(c.fields), c.isFallback
}

// noteInject notes that f was encoded for ctx, and written to carrier if that is known.
// If kept, the carrier was left as it was.
func noteInject(ctx context.Context, f *Fields, cfg *config, carrier any, kept bool) { //nolint:revive // kept is a fact of the carrier.
	defer safe.Contain()
	if !cfg.isAskedFor(ctx) {
		return
	}
	n := newNote(JournalInject)
	e := &n.entry
	e.Parent = spanContext(ctx)
	e.setCarrier(carrier)
	e.setCodec(cfg.codec)
	e.LeftBaggage = !cfg.codec.writesBaggage() && cfg.baggage.filter(baggage.FromContext(ctx)).Len() > 0
	switch {
	case kept:
		e.Outcome, e.Detail = JournalKept, "the carrier holds a trace context"
	case f.traceContext:
		e.SpanContext = e.Parent
	case !e.Parent.IsValid():
		e.Outcome, e.Detail = JournalAbsent, "ctx has no span"
	case f.reduced:
		e.Outcome, e.Detail = JournalAbsent, "it is too long for the carrier"
	case len(e.Propagator) == 0:
		e.Outcome, e.Detail = JournalAbsent, "the propagator writes no keys"
	default:
		e.Outcome, e.Detail = JournalAbsent, "the propagator wrote no trace context"
	}
	if !kept {
		for i := range min(f.Len(), maxNotedKeys) {
			e.Keys = append(e.Keys, safe.Text(f.Key(i), safe.MaxName))
		}
	}
	n.keep(cmp.Or(cfg.journal, journalOf(ctx)))
}

// writesBaggage reports whether the propagator writes baggage in a known format.
func (c *codec) writesBaggage() bool {
	return c.baggagePrefix != "" || slices.ContainsFunc(c.fields, func(key string) bool { return kindOf(key) == kindBaggage })
}

// noteRead is noteExtract without a context.
func noteRead[C any](carrier C, getter Getter[C], cfg *config) *note {
	var none context.Context
	return noteExtract(none, carrier, getter, cfg)
}

// noteExtract notes an extraction from carrier to ctx, which is nil for none. It
// returns the note, or nil.
func noteExtract[C any](ctx context.Context, carrier C, getter Getter[C], cfg *config) *note {
	defer safe.Contain()
	if !cfg.isAskedFor(ctx) {
		return nil
	}
	n := newNote(JournalExtract)
	e := &n.entry
	e.setCarrier(carrier)
	e.setCodec(cfg.codec)
	if ctx != nil {
		e.Parent = spanContext(ctx)
	}
	e.Keys = contextKeys(carrier, getter, cfg.codec)
	var r Remote
	read(&r, carrier, getter, cfg)
	e.SpanContext = r.spanContext
	e.IsAmbiguous = r.Conflict() || isRepeated(carrier, getter)
	if !r.spanContext.IsValid() {
		e.setFailure(r.err, cfg.codec, func(key string) string { return getter.Get(carrier, key) })
	}
	n.keep(cmp.Or(cfg.journal, journalOf(ctx)))
	return n
}

// setFailure notes why nothing was extracted from a carrier with the keys of e, whose
// values get returns.
func (e *JournalEntry) setFailure(err error, c *codec, get func(key string) string) {
	e.Outcome = JournalAbsent
	if malformed, ok := errors.AsType[*MalformedError](err); ok {
		e.Outcome, e.Detail = JournalMalformed, malformed.Key+": "+malformed.Reason
		return
	}
	for _, key := range e.Keys {
		switch format := formatOf(key, get(key)); {
		case format == "":
		case c.owns(key):
			e.Outcome, e.Detail = JournalMalformed, key+": the key is spelled in another case"
			return
		case e.Outcome == JournalAbsent:
			e.Outcome, e.Detail = JournalForeign, format
		}
	}
}

// contextKeys returns the keys under which the carrier holds a part of a context, in
// any known format.
func contextKeys[C any](carrier C, getter Getter[C], c *codec) (keys []string) {
	note := func(key string) {
		if len(keys) < maxNotedKeys && !slices.Contains(keys, key) && getter.Get(carrier, key) != "" {
			keys = append(keys, safe.Text(key, safe.MaxName))
		}
	}
	for _, key := range c.fields {
		note(key)
	}
	for _, key := range carrierKeys(carrier, getter) {
		if IsContextKey(key) || c.owns(key) {
			note(key)
		}
	}
	return keys
}

// carrierKeys returns the keys of the carrier, or the common spellings of known ones if
// it does not list its keys.
func carrierKeys[C any](carrier C, getter Getter[C]) []string {
	if keyer, ok := getter.(Keyer[C]); ok {
		if keys := keyer.Keys(carrier); keys != nil {
			return keys
		}
	}
	return commonKeys[:]
}

// isRepeated reports whether the carrier holds several different traceparents.
func isRepeated[C any](carrier C, getter Getter[C]) bool {
	multi, ok := getter.(ValuesGetter[C])
	if !ok {
		return false
	}
	values := multi.Values(carrier, keyTraceparent)
	return slices.ContainsFunc(values, func(v string) bool { return v != values[0] })
}

// noteStart notes that span was started with a parent to handle remotes.
func noteStart(ctx context.Context, remotes []Remote, parent trace.SpanContext, span trace.Span) {
	defer safe.Contain()
	owner := ownerOf(ctx, remotes)
	if owner == nil && recorders.count.Load() == 0 && journalOfProcess() == nil {
		return
	}
	n := newNote(JournalStart)
	e := &n.entry
	e.Carrier = ""
	e.SpanContext, e.Parent = span.SpanContext(), parent
	e.Outcome, e.Detail = outcomeOf(remotes)
	for i := range remotes {
		r := remotes[i].noted
		if r == nil {
			continue
		}
		owner.adopt(r)
		if len(e.Extractions) < maxNotedExtractions {
			e.Extractions = append(e.Extractions, r.entry.Number)
		}
	}
	n.keep(owner)
}

// ownerOf returns the journal of ctx, or else one in which the reading of remotes was
// noted, or nil.
func ownerOf(ctx context.Context, remotes []Remote) *Journal {
	owner := journalOf(ctx)
	for i := range remotes {
		if n := remotes[i].noted; owner == nil && n != nil {
			owner = n.owner.Load()
		}
	}
	return owner
}

// areNoted reports whether one of remotes was read while someone asked for a journal.
func areNoted(remotes []Remote) bool {
	for i := range remotes {
		if remotes[i].noted != nil {
			return true
		}
	}
	return false
}

// extracted returns the attributes that say how the extraction of remotes ended, if a
// journal is asked for by the process, by ctx, or where they were read. A journal that
// records all does not change spans.
func extracted(ctx context.Context, remotes []Remote) (attributes []attribute.KeyValue) {
	defer safe.Contain()
	if !areNoted(remotes) || journalOfProcess() == nil && ownerOf(ctx, remotes) == nil {
		return nil
	}
	outcome, detail := outcomeOf(remotes)
	text := string(outcome)
	if detail != "" {
		text += " " + detail
	}
	return []attribute.KeyValue{extractKey.String(text)}
}

// outcomeOf returns how the extraction of remotes ended: the worst of them.
func outcomeOf(remotes []Remote) (outcome JournalOutcome, detail string) {
	outcome = JournalOK
	for i := range remotes {
		n := remotes[i].noted
		if n != nil && severity(n.entry.Outcome) > severity(outcome) {
			outcome, detail = n.entry.Outcome, n.entry.Detail
		}
	}
	return outcome, detail
}

// severity orders the outcomes of extractions.
func severity(outcome JournalOutcome) int {
	return slices.Index([]JournalOutcome{JournalOK, JournalAbsent, JournalForeign, JournalMalformed}, outcome)
}
