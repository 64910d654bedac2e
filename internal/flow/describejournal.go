// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "strings"

// writeJournal writes the sentences of a finding that the journal makes, or the
// attributes that it sets on spans, and reports whether it is one. Such a finding may
// have no span, or no entry.
func (d *description) writeJournal() bool {
	id := ""
	if d.span != nil {
		id = " " + d.ids(d.f.Spans[0])
	}
	switch d.f.ID {
	case "P06":
		d.lost(id)
	case "P07":
		d.propagator(id)
	case "P08":
		d.unread("is malformed", id, "Look at what "+or(d.sender, "the sender")+" writes: a value that was cut, changed in case, or stored as another type is ignored by every propagator.")
	case "P09":
		fix := Go.in() + " with " + idioms[Go].both
		if d.span != nil {
			fix = d.receiver().in() + " with " + d.idiom().both
		}
		format := or(Clip(d.f.key.detail, maxText), "another format")
		d.unread("is in "+format+", which is not read", id, "Let the receiver read both, "+fix+" of "+format+". Or let the sender write W3C Trace Context.")
	case "P10":
		d.unused(id)
	case "P11":
		if d.f.entry == nil {
			return false
		}
		d.stale(id)
	case "P15":
		d.decision(id)
	default:
		return false
	}
	return true
}

// lost describes an injection without a span.
func (d *description) lost(id string) {
	what := "A call that injects wrote nothing, because its context has no span."
	if d.name != "" {
		what = d.name + " does not continue a flow, because its message was injected without a span."
	}
	why := d.called() + " was called with a context that has no span, and wrote no trace context." + id
	if d.f.Sure != Certain {
		why += " The call may also belong to other work of the process."
	}
	d.say(what, why, "Pass the ctx that Start returned with the span to the call, and not context.Background() or the ctx of before. For work that outlives the request, in Go: context.WithoutCancel(ctx).")
}

// propagator describes a propagator that is not set, or not complete.
func (d *description) propagator(id string) {
	const set = "otel.SetTextMapPropagator(propagation.Default())"
	subject := or(d.name, "the caller's span")
	switch d.f.key.detail {
	case notSet:
		d.say(d.name+" starts a new trace, and no global propagator is set.", d.sender+" was calling another service at that time, and "+d.called()+" found no global propagator. The propagator of OpenTelemetry's default writes and reads nothing, so instrumentation that uses it passes no context on."+id,
			"Call "+set+" when each service starts.")
	case noBaggage:
		d.say("The baggage of "+subject+" is not written, because the propagator has no baggage.", d.called()+" was called with baggage, and its propagator writes "+d.keys()+"."+id,
			"Add propagation.Baggage{} to the propagator, or call "+set+".")
	case noTraceContext:
		d.say("The context of "+subject+" is not written, because the propagator has no trace context.", d.called()+" was called in a span, and its propagator writes "+d.keys()+"."+id,
			"Add propagation.TraceContext{} to the propagator, or call "+set+".")
	default:
		d.say("The context of "+subject+" is not written or read, because the propagator has no keys.", d.called()+" was called with a propagator that writes and reads nothing."+id,
			"Leave out the option that sets this propagator, or set propagation.Default().")
	}
}

// unread describes a receiver whose message carries a context that could not be read.
func (d *description) unread(how, id, fix string) {
	what := "A context that was read " + how + "."
	switch {
	case d.f.Level == Warning:
		what = "The context of a message that " + d.name + " handles " + how + "."
	case d.name != "":
		what = d.name + " does not continue the flow of its message, because the context of the message " + how + "."
	}
	why := "The extraction recorded: " + d.recorded() + "."
	if d.f.entry != nil {
		why = d.called() + " found: " + d.recorded() + "."
	}
	d.say(what, why+id, fix)
}

// recorded is how an extraction ended.
func (d *description) recorded() string {
	if d.f.key.detail != "" {
		return Clip(d.f.key.detail, maxText)
	}
	return "a context that it did not accept"
}

// unused describes a context that was extracted in vain.
func (d *description) unused(id string) {
	why := "The extraction recorded a valid context, and the span neither continues nor links it."
	if d.f.entry != nil {
		why = d.called() + " read a valid context, and no span continues or links it."
	}
	fix := "Pass the context that Extract returned to the call that starts the span, or the Remote that Read returned to propagation.Start."
	if d.f.To == none {
		d.say("The context of "+or(d.name, "a message")+" was read, and no span uses it.", why+" It may have been read for another purpose."+id, fix)
		return
	}
	d.say(d.name+" does not continue the flow of its message, though the context of the message was extracted.", why+id, fix)
}

// stale describes a carrier that still holds the context of an earlier hop.
func (d *description) stale(id string) {
	what := "A message carries several contexts."
	if d.name != "" {
		what = "The message that " + d.name + " handles carries several contexts."
	}
	d.say(what, d.called()+" found different trace contexts, and took one of them."+id,
		"Replace the context when a message is copied, retried or forwarded: Inject must remove the old headers and not append to them.")
}

// decision describes a span that is not sampled as its parent is.
func (d *description) decision(id string) {
	sampler := idioms[Go].sampler // Of the journal.
	if d.span != nil {
		sampler = d.idiom().sampler
	}
	fix := "Use a sampler that follows the parent: " + sampler + "."
	if d.f.key.detail == "dropped" {
		d.say("The flow is not sampled any more after "+or(d.name, "a span of another process")+".", d.called()+" started a span that is not sampled, below a parent that is."+id, fix)
		return
	}
	why := "The context that it continues says that its parent is not sampled, and the span is."
	if d.f.From == none {
		why += " What came before is therefore missing."
	}
	d.say(d.name+" is sampled, though its parent is not.", why+id, fix)
}

// called names the call that the journal has noted.
func (d *description) called() string {
	e := d.f.entry
	if e == nil {
		return "A call"
	}
	if p := place(e); p != "" {
		return Clip(e.Call, maxText) + " at " + p
	}
	return Clip(or(e.Call, "A call"), maxText)
}

// keys lists the keys that the propagator of the noted call writes.
func (d *description) keys() string {
	keys := d.f.entry.Propagator
	if len(keys) == 0 {
		return "nothing"
	}
	return Clip(strings.Join(keys, ", "), maxText)
}

// places lists the lines of code to look at.
func (d *description) places() string { return Clip(strings.Join(d.f.Places, ", "), maxSentence) }
