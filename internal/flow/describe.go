// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"fmt"
	"strings"
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
	case p == "" || f.key.detail == notSet: // Which call finds no global propagator is accidental.
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

// sentences are what findings say that spans alone make, by their ID.
var sentences = map[string]func(d *description, id string){
	"P01": (*description).root,
	"P02": (*description).split,
	"P03": (*description).lostParent,
	"P04": (*description).orphan,
	"P05": (*description).changedTrace,
	"P11": (*description).earlierHop,
	"P12": (*description).collapsed,
	"P13": (*description).shared,
	"P14": (*description).foreign,
	"P16": (*description).baggage,
	"P17": (*description).late,
	"P18": (*description).skewed,
	"P19": (*description).inside,
	"P20": (*description).open,
	"P21": (*description).undelivered,
	"P22": (*description).identity,
	"P23": (*description).twice,
	"P24": (*description).borrowed,
}

func (d *description) write() { sentences[d.f.ID](d, d.ids(d.f.Spans[0])) }

// receiver returns the language of the span that the finding is about.
func (d *description) receiver() Language { return d.span.Language }

// senderIn returns the language of the span that sent, or of the receiver if that is not
// known.
func (d *description) senderIn() Language {
	if d.f.From == none {
		return d.receiver()
	}
	return d.s.g.spans[d.f.From].Language
}

// inject names the call that writes the context of the message.
func (d *description) inject() string { return d.senderIn().verbsFor(d.system()).inject }

// extract names the call that reads the context of the message.
func (d *description) extract() string { return d.receiver().verbsFor(d.system()).extract }

// idiom returns the words of the receiver.
func (d *description) idiom() *idiom { return &idioms[d.receiver()] }

func (d *description) system() string {
	system, _ := d.span.medium()
	return system
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
	switch d.f.key.detail {
	case jobDetail:
		d.job(id)
		return
	case apartDetail:
		d.apart(id)
		return
	}
	if d.sender == "" {
		d.say(what, "It has no parent and no link, and nobody is seen to send there. "+id, d.side())
		return
	}
	d.say(what, "It has no parent and no link. "+d.sender+" sent to the same destination before. "+id, d.side())
}

func (d *description) split(string) {
	how := ", without a link."
	if d.f.Sure == Guess {
		how = ". It links a span that was not recorded, which may link the sender."
	}
	d.say(d.name+" does not continue the flow of its message, "+d.message+".",
		d.sender+" sent this message in trace "+d.trace(d.f.From)+", and it was handled in trace "+d.trace(d.f.To)+how, d.side())
}

// apart describes a span that is expected to go on with the flow.
func (d *description) apart(id string) {
	what := d.name + " is apart from the flow that it is expected to be part of."
	if d.span.Parent != (ID{}) {
		d.say(what, "Its parent, span "+d.span.Parent.Span.String()+", was not recorded. "+id,
			"Look whether the process of the parent ends its spans, samples them, and exports them to the same place.")
		return
	}
	why := "It starts a new trace, without a parent or a link. "
	if len(d.span.Links) > 0 {
		why = "It links only to spans that were not recorded. "
	}
	if d.sender != "" {
		why += d.sender + " was the last to send something before that nobody is seen to have received. "
	}
	d.say(what, why+id,
		"Inject the context into what starts this span, such as a message, a document, or the environment of a job, and extract it before the span is started.")
}

// side says what to change on the side of a message that lost the context.
func (d *description) side() string {
	place := "where the message is sent"
	if d.sender != "" {
		place = "in " + d.sender
	}
	detail := d.f.key.detail
	if e := d.f.entry; detail == "" && e != nil && e.Action == propagation.JournalExtract && e.Outcome == propagation.JournalAbsent {
		detail = "absent"
	}
	switch detail {
	case "absent":
		return "The message carried no context. Write it " + place + ": " + d.senderIn().in() + ", " + d.inject() + "."
	case "ok", "unused":
		return "The message carried a context, and it was read. Start the span with the context that this returned: " + d.receiver().in() + ", " + d.idiom().assign + d.extract() + "."
	default:
		return "Look at what the message carries. If there is a context, such as a traceparent, read it before the span is started: " +
			d.receiver().in() + ", " + d.idiom().assign + d.extract() + ". If not, write it " + place + ": " + d.senderIn().after(d.receiver()) + d.inject() + "." + d.automatic() + d.instrumentation()
	}
}

// automatic says what does the work of both sides without a change of their code.
func (d *description) automatic() string {
	if d.senderIn() != d.receiver() {
		return ""
	}
	return d.idiom().automatic
}

// instrumentation says what to change if the sending span is made by a library, which may
// be meant to write contexts.
func (d *description) instrumentation() string {
	if d.f.From == none {
		return ""
	}
	scope := d.s.g.spans[d.f.From].Scope
	isLibrary := strings.Contains(scope, ".") || strings.HasPrefix(scope, "@") // As in Go, Java and Python, or in JavaScript.
	if !isLibrary || strings.HasPrefix(scope, "github.com/waybill-go/waybill") {
		return ""
	}
	return " If " + d.scope(d.f.From) + " is meant to do that, set its propagator: " + idioms[d.senderIn()].propagator + "."
}

// lostParent describes spans whose parent was not exported.
func (d *description) lostParent(string) {
	what := "The parent of " + d.orphans() + " is missing, and was in the same process."
	why := "Span " + d.span.Parent.Span.String() + ", the parent of span " + d.span.ID.Span.String()
	if d.f.key.detail == atEnd {
		d.say(what, why+", is not in the recording, which ends soon after.",
			"Nothing is wrong if the parent was still open then: spans are exported when they end. Record until the work is done.")
		return
	}
	d.say(what, why+", was started in this process and never exported.",
		"End every span ("+d.idiom().end+"), and "+d.idiom().exit+". "+
			"If spans are lost under load, enlarge the queue (OTEL_BSP_MAX_QUEUE_SIZE), which drops them silently.")
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

func (d *description) orphan(string) {
	what := "The parent of " + d.orphans() + " is in another process and was not recorded here."
	why := "Span " + d.span.Parent.Span.String() + ", the parent of span " + d.span.ID.Span.String() + ", is not in the recording"
	if d.f.key.detail == atBegin {
		d.say(what, why+", which begins shortly before.", "Nothing is wrong if the parent had ended by then. Record from before the work starts.")
		return
	}
	if senders := d.s.senders[d.span.Channel()]; len(senders) > 0 {
		why += ". Others that sent to " + Clip(d.span.Channel(), maxText) + " are, such as " + d.s.name(senders[0])
	}
	d.say(what, why+".", "Look at the process that sent it: whether it exports to the same place (OTEL_EXPORTER_OTLP_ENDPOINT), samples as its callers do, and logs errors of its exporter. "+
		"If it is recorded elsewhere, that is a boundary, and nothing is wrong.")
}

func (d *description) changedTrace(string) {
	fix := "Look for a proxy, a gateway or a library between the two that writes trace ids of its own."
	if d.f.key.detail == "half" {
		fix = "The last 64 bits are the same: a proxy, a gateway or a library between the two keeps only half of a trace id, as B3 with 64 bits does. Let it pass on all 128 bits."
	}
	d.say("The trace id was changed between "+d.sender+" and "+d.name+".", "The parent of "+d.name+" has the trace id "+d.trace(d.f.From)+", and the span itself has "+d.trace(d.f.To)+".", fix)
}

func (d *description) earlierHop(id string) {
	d.say(d.name+" continues an earlier hop than the one that sent its message.", "Its parent is an ancestor of "+d.sender+", which sent to the same destination and has no receiver. "+id,
		"Write the context again where a message is copied, retried or forwarded: "+d.senderIn().in()+", "+d.inject()+idioms[d.senderIn()].replaces+". Headers that are appended leave both.")
}

func (d *description) collapsed(id string) {
	m := d.s.message(d.f.Spans[0])
	d.say(d.name+" handles a batch of "+Plural(m.count, "message")+" and shows the context of "+Count(d.s.contexts(d.f.Spans[0]))+".", "It has "+d.joints()+". "+id,
		"Add a link for each message: "+d.receiver().in()+", "+d.idiom().batch+".")
}

func (d *description) shared(id string) {
	d.say("Many messages continue the trace of one span, "+d.name+".", "It has "+Count(len(d.s.g.children[d.f.Spans[0]]))+" children that handle different messages. "+id,
		"Send each message in a span of its own"+d.idiom().own+", or let the receivers link: "+d.idiom().link+".")
}

func (d *description) foreign(id string) {
	other := Clip(d.s.message(d.f.From).String(), maxText)
	d.say(d.name+" is joined to another message than the one it handles.", "It handles "+d.message+"; the span that it is joined to, "+d.sender+", sent "+other+". "+id,
		"Look for a context variable or headers that are used for several messages. In "+d.receiver().String()+", "+d.idiom().eachOf+d.extract()+".")
}

// withBaggage says how the propagators of both sides get baggage with keys.
func (d *description) withBaggage(keys string) string {
	sender, receiver := d.senderIn(), d.receiver()
	from, to := idioms[sender].baggage, idioms[receiver].baggage
	if sender != Go && receiver != Go {
		return "Add baggage to the propagators of both sides: " + to + "."
	}
	fix := "Add baggage to the propagators of both sides: " + from + " " + sender.in() + ", and " + to + " " + receiver.in() + "."
	if sender == receiver {
		fix = "Add " + to + " to the propagators of both sides."
	}
	// As the carriers of this module do it.
	return fix + " What stores data, such as a topic, gets baggage only if its keys are named: propagation.WithBaggage(\"" + keys + "\")."
}

func (d *description) baggage(id string) {
	var keys []string
	for _, kv := range d.s.g.spans[d.f.From].Attributes {
		if key, ok := strings.CutPrefix(string(kv.Key), baggagePrefix); ok {
			keys = append(keys, key)
		}
	}
	names := Clip(strings.Join(keys, ", "), maxText)
	d.say("The baggage of "+d.sender+" does not reach "+d.name+": "+names+".", "The parent shows it as attributes whose keys begin with "+baggagePrefix+", and its remote child shows none. "+id,
		d.withBaggage(names))
}

func (d *description) late(id string) {
	late := d.span.Start.Sub(d.s.g.spans[d.f.From].End)
	d.say(d.name+" starts after its parent has ended.", "It starts "+Duration(late)+" after the end of "+d.sender+". "+id,
		"End "+d.sender+" when the work under it is done. For work that goes on longer, start a new root with a link: "+d.idiom().root+".")
}

func (d *description) skewed(id string) {
	skew := d.s.g.spans[d.f.From].Start.Sub(d.span.Start)
	d.say("The clocks of "+d.processes()+" differ by at least "+Duration(skew.Round(100*time.Microsecond))+".", d.name+" starts before "+d.sender+", which it continues. "+id,
		"Nothing is wrong with the flow. Synchronize the clocks; until then, durations between these processes cannot be trusted.")
}

func (d *description) inside(id string) {
	d.say(d.name+" starts a new trace inside of a process that was working on another one.", d.sender+" was active in the same process at that time. "+id,
		"Pass the context of "+d.sender+" to the call that makes this span"+d.idiom().pass+".")
}

func (d *description) open(id string) {
	d.say(d.name+" never ended.", "The recording has its start and no end. "+id, "End the span on every path, "+d.receiver().in()+" with "+d.idiom().end+" where it starts.")
}

func (d *description) undelivered(id string) {
	why := "No span of this recording continues or links it, and none receives from this destination. "
	if d.f.key.detail != "" {
		why = "No span of this recording continues or links it, though others that were sent there were received. "
	}
	d.say("Nobody is seen to receive what "+d.name+" sent to "+or(d.message, "its destination")+".", why+id,
		"If its receiver traces, record it too; look whether both use the same destination. The message may also still be in the queue.")
}

func (d *description) identity(id string) {
	if d.f.key.detail == "service" {
		d.say(d.name+" belongs to a service without a name.", "The resource has no service.name. "+id, "Set OTEL_SERVICE_NAME, or service.name in the resource.")
		return
	}
	d.say(d.name+" has an id that cannot be right: "+d.f.key.detail+".", id, "Look for two processes with one seed of their id generator, or for a recording that was put together twice.")
}

func (d *description) twice(id string) {
	outer, inner := d.f.From, d.f.Spans[0]
	// The one that names the message knows more of it.
	remove, keep := outer, inner
	if _, ok := first(d.s.message(outer).identities); ok {
		remove, keep = inner, outer
	}
	d.say("One operation has two spans, "+d.sender+" and "+d.name+".", fmt.Sprintf("They come from the scopes %s and %s. %s", d.scope(outer), d.scope(inner), id),
		"Switch off "+d.scope(remove)+" for this client, and keep "+d.scope(keep)+".")
}

// scope names the instrumentation scope of span i.
func (d *description) scope(i int) string {
	return fmt.Sprintf("%q", Clip(d.s.g.spans[i].Scope, maxText))
}

func (d *description) borrowed(id string) {
	d.say(d.name+" is a child of the span of another message.", "Its parent, "+d.sender+", handles another message in the same process. "+id,
		"Start the span of each message from the context of that message, and not from one that a loop or "+d.idiom().keeper+" keeps. In "+d.receiver().String()+", "+d.idiom().eachOf+d.extract()+".")
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
