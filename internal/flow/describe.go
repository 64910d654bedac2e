// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"time"

	"github.com/waybill-go/waybill/propagation"
)

// describe writes the sentences of a finding.
func (s *search) describe(f *Finding) {
	d := description{s: s, f: f, sender: s.name(f.From)}
	if len(f.Spans) > 0 {
		d.span, d.name, d.message = &s.g.spans[f.Spans[0]], s.name(f.Spans[0]), s.messageName(f)
	}
	if !d.writeJournal() {
		d.write()
	}
	switch p := d.places(); {
	case p == "":
	case f.entry.Outcome == propagation.JournalAbsent && f.entry.Action == propagation.JournalExtract:
		f.Why += " " + d.called() + " found no context." // It is the other side that has to change.
	default:
		f.Fix += " See " + p + "."
	}
}

// name names span i, or is empty for none.
func (s *search) name(i int) string {
	if i == none {
		return ""
	}
	return fmt.Sprintf("%q", Clip(s.g.spans[i].Label(), maxText))
}

// messageName names the message of a finding.
func (s *search) messageName(f *Finding) string {
	for _, i := range []int{f.Spans[0], f.To, f.From} {
		if i == none {
			continue
		}
		if m := s.message(i); m != nil && m.destination != "" {
			return Clip(m.String(), maxText)
		}
	}
	return Clip(s.g.spans[f.Spans[0]].Channel(), maxText)
}

// description is the sentences of one finding.
type description struct {
	s            *search
	f            *Finding
	span         *Span
	name, sender string
	message      string
}

func (d *description) say(what, why, fix string) { d.f.What, d.f.Why, d.f.Fix = what, why, fix }

func (d *description) write() {
	id := d.ids(d.f.Spans[0])
	switch d.f.ID {
	case "P01":
		d.root(id)
	case "P02":
		d.say(d.name+" does not continue the flow of its message, "+d.message+".",
			d.sender+" sent this message in trace "+d.trace(d.f.From)+", and it was handled in trace "+d.trace(d.f.To)+", without a link.", d.side())
	case "P03":
		if d.f.key.detail == atEnd {
			d.say("The parent of "+d.orphans()+" is missing, and was in the same process.",
				"Span "+d.span.Parent.Span.String()+", the parent of span "+d.span.ID.Span.String()+", is not in the recording, which ends soon after.",
				"Nothing is wrong if the parent was still open then: spans are exported when they end. Record until the work is done.")
			return
		}
		d.say("The parent of "+d.orphans()+" is missing, and was in the same process.",
			"Span "+d.span.Parent.Span.String()+", the parent of span "+d.span.ID.Span.String()+", was started in this process and never exported.",
			"End every span (defer span.End()), and call Shutdown of the tracer provider before the process exits: os.Exit and log.Fatal run no deferred call. If spans are lost under load, enlarge the queue (OTEL_BSP_MAX_QUEUE_SIZE), which drops them silently.")
	case "P04":
		d.orphan()
	case "P05":
		d.changedTrace()
	case "P11":
		d.say(d.name+" continues an earlier hop than the one that sent its message.", "Its parent is an ancestor of "+d.sender+", which sent to the same destination and has no receiver.", "Replace the context when a message is copied, retried or forwarded: Inject must remove the old headers and not append to them.")
	case "P12":
		m := d.s.message(d.f.Spans[0])
		d.say(d.name+" handles a batch of "+Plural(m.count, "message")+" and shows the context of "+Count(d.s.contexts(d.f.Spans[0]))+".", fmt.Sprintf("It has %s. %s", d.joints(), id), "Add a link for each message: in Go, kafkacarrier.ProcessBatch(ctx, msgs, fn), or trace.WithLinks when the span starts.")
	case "P13":
		d.say("Many messages continue the trace of one span, "+d.name+".", fmt.Sprintf("It has %s children that handle different messages. %s", Count(len(d.s.g.children[d.f.Spans[0]])), id), "Inject the context of each message's own span, or let the receivers link instead.")
	case "P14":
		d.say(d.name+" is joined to another message than the one it handles.", "It handles "+d.message+"; the span that it is joined to, "+d.sender+", sent another message. "+id, "Look for a context variable or a carrier that is used for several messages.")
	case "P16":
		d.say("The baggage of "+d.sender+" does not reach "+d.name+".", "The parent shows baggage as attributes, and its remote child shows none. "+id, "Add W3C Baggage to the propagators of both sides, and allow the keys where carriers store data.")
	default:
		d.writeOthers(id)
	}
}

func (d *description) writeOthers(id string) {
	switch d.f.ID {
	case "P17":
		late := d.span.Start.Sub(d.s.g.spans[d.f.From].End)
		d.say(d.name+" starts after its parent has ended.", "It starts "+Duration(late)+" after the end of "+d.sender+". "+id, "Keep the span of the parent open while work is done under it, or start the work with a link.")
	case "P18":
		skew := d.s.g.spans[d.f.From].Start.Sub(d.span.Start)
		d.say("The clocks of "+d.processes()+" differ by at least "+Duration(skew.Round(100*time.Microsecond))+".", d.name+" starts before "+d.sender+", which it continues. "+id, "Nothing is wrong with the flow. Durations between these processes cannot be trusted.")
	case "P19":
		d.say(d.name+" starts a new trace inside of a process that was working on another one.", d.sender+" was active in the same process at that time. "+id, "Pass the context of "+d.sender+" to the call that makes this span.")
	case "P20":
		d.say(d.name+" never ended.", "The recording has its start and no end. "+id, "End the span on every path, best with defer.")
	case "P21":
		why := "No span of this recording continues or links it, and none receives from this destination. "
		if d.f.key.detail != "" {
			why = "No span of this recording continues or links it, though others that were sent there were received. "
		}
		d.say("Nobody is seen to receive what "+d.name+" sent.", why+id, "If its receiver traces, record it too; it may still be in the queue.")
	case "P22":
		d.identity(id)
	case "P23":
		d.say("One operation has two spans, "+d.sender+" and "+d.name+".", fmt.Sprintf("They come from the scopes %q and %q. %s", d.s.g.spans[d.f.From].Scope, d.span.Scope, id), "Switch one of the two instrumentations off.")
	case "P24":
		d.say(d.name+" is a child of the span of another message.", "Its parent, "+d.sender+", handles another message in the same process. "+id, "Start the span of each message from the context of that message, and not from one that a pooled goroutine or a loop keeps.")
	}
}

// joints says what joins a span to what it received.
func (d *description) joints() string {
	if len(d.span.Links) == 0 {
		return "a remote parent and no link"
	}
	return Plural(len(d.span.Links), "link")
}

// root describes a receiver without a context.
func (d *description) root(id string) {
	what := d.name + " starts a new trace: no context was extracted from " + or(d.message, "its message") + "."
	fix := "Extract the context of the message before the span is started, and inject it where the message is sent."
	switch d.f.key.detail {
	case "absent":
		fix = "The message carried no context: inject it where the message is sent."
	case "ok":
		fix = "The message carried a context: start the span with the context that Extract returned."
	case jobDetail:
		d.job(id)
		return
	case apartDetail:
		d.apart(id)
		return
	}
	if d.sender == "" {
		d.say(what, "It has no parent and no link, and nobody is seen to send there. "+id, fix)
		return
	}
	d.say(what, "It has no parent and no link. "+d.sender+" sent to the same destination before. "+id, fix)
}

// apart describes a span that is expected to go on with the flow.
func (d *description) apart(id string) {
	why := "It has no parent and no link. "
	if len(d.span.Links) > 0 {
		why = "It links only to spans that were not recorded. "
	}
	if d.sender != "" {
		why += d.sender + " was the last to send something before that nobody is seen to have received. "
	}
	d.say(d.name+" starts a new trace, apart from the flow that it is expected to be part of.", why+id,
		"Inject the context into what starts this span, such as a message, a document, or the environment of a job, and extract it before the span is started.")
}

// side says which side of a message lost the context.
func (d *description) side() string {
	switch d.f.key.detail {
	case "absent":
		return "The message carried no context: inject it in " + d.sender + "."
	case "ok", "unused":
		return "The message carried a context: start " + d.name + " with the context that Extract returned."
	default:
		return "Look at the headers of the message. If they hold a context, extract it before " + d.name + " is started; otherwise inject it in " + d.sender + "."
	}
}

// processes names the processes of the two spans of a finding.
func (d *description) processes() string {
	from, to := Clip(d.s.g.spans[d.f.From].Service, maxText), Clip(d.span.Service, maxText)
	if from == to || from == "" || to == "" {
		return "two processes of " + or(to, "one service")
	}
	return from + " and " + to
}

// orphans names the spans that have lost one parent.
func (d *description) orphans() string {
	if others := len(d.s.orphans[d.span.Parent]) - 1; others > 0 {
		return d.name + " and " + Plural(others, "other span")
	}
	return d.name
}

func (d *description) orphan() {
	if d.f.key.detail == atBegin {
		d.say("The parent of "+d.orphans()+" is in another process and was not recorded here.",
			"Span "+d.span.Parent.Span.String()+", the parent of span "+d.span.ID.Span.String()+", is not in the recording, which begins shortly before.",
			"Nothing is wrong if the parent had ended by then. Record from before the work starts.")
		return
	}
	d.say("The parent of "+d.orphans()+" is in another process and was not recorded here.",
		"Span "+d.span.Parent.Span.String()+", the parent of span "+d.span.ID.Span.String()+", is not in the recording.",
		"If the caller should be here, look whether it exports to the same place, was sampled, and its exporter works. If not, it is a boundary.")
}

func (d *description) changedTrace() {
	fix := "Look for something between the two that writes trace ids of its own."
	if d.f.key.detail == "half" {
		fix = "The last 64 bits are the same: something between the two keeps only half of a trace id. Let it pass on all 128 bits."
	}
	d.say("The trace id was changed between "+d.sender+" and "+d.name+".", "The parent of "+d.name+" has the trace id "+d.trace(d.f.From)+", and the span itself has "+d.trace(d.f.To)+".", fix)
}

func (d *description) identity(id string) {
	if d.f.key.detail == "service" {
		d.say(d.name+" belongs to a service without a name.", "The resource has no service.name. "+id, "Set OTEL_SERVICE_NAME, or service.name in the resource.")
		return
	}
	d.say(d.name+" has an id that cannot be right: "+d.f.key.detail+".", id, "Look for two processes with one seed of their id generator, or for a recording that was put together twice.")
}

// ids names span i by its ids.
func (d *description) ids(i int) string {
	id := d.s.g.spans[i].ID
	return "Span " + id.Span.String() + " of trace " + id.Trace.String() + "."
}

func (d *description) trace(i int) string { return d.s.g.spans[i].ID.Trace.String() }

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
