// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// Language is what a process is written in, as its SDK says. The zero Language is Go, which
// stands for all that are not known, too.
type Language uint8

// The languages that findings give advice in.
const (
	Go Language = iota
	Java
	JavaScript
	Python
)

// languageKey is the attribute of a resource with the language of its SDK.
// https://opentelemetry.io/docs/specs/semconv/resource/#telemetry-sdk
const languageKey = "telemetry.sdk.language"

// languageOf returns the language that an SDK says.
func languageOf(sdk string) Language {
	switch sdk {
	case "java":
		return Java
	case "nodejs", "webjs":
		return JavaScript
	case "python":
		return Python
	default:
		return Go
	}
}

// sdk returns what an SDK of l says. It is empty for Go, which may be any other language.
func (l Language) sdk() string { return [...]string{"", "java", "nodejs", "python"}[l] }

// String returns the name of l.
func (l Language) String() string { return [...]string{"Go", "Java", "JavaScript", "Python"}[l] }

// in returns "in" and the name of l.
func (l Language) in() string { return "in " + l.String() }

// after returns in and a comma if l is another language than the one that was named before.
func (l Language) after(named Language) string {
	if l == named {
		return ""
	}
	return l.in() + ", "
}

// verbs are the calls that write a context to what carries data, and read it again.
type verbs struct{ inject, extract string }

// calls are the calls by the system that messages are of. Those of Go are of this module.
var calls = [...]map[string]verbs{
	Go: {
		"":        {"propagation.Inject(ctx, carrier, setter)", "propagation.Extract(ctx, carrier, getter)"},
		"kafka":   {"kafkacarrier.Inject(ctx, &msg)", "kafkacarrier.Extract(ctx, msg)"},
		"mongodb": {"mongocarrier.InjectD(ctx, doc)", "mongocarrier.ExtractD(ctx, doc)"},
	},
	Java: {
		"": {"propagator.inject(Context.current(), carrier, setter)", "propagator.extract(Context.current(), carrier, getter)"},
	},
	JavaScript: {
		"":        {"propagation.inject(context.active(), carrier)", "propagation.extract(context.active(), carrier)"},
		"kafka":   {"propagation.inject(context.active(), message.headers)", "propagation.extract(context.active(), message.headers, getter)"},
		"mongodb": {"propagation.inject(context.active(), doc.context = {})", "propagation.extract(context.active(), doc.context)"},
	},
	Python: {
		"":        {"propagate.inject(carrier)", "propagate.extract(carrier)"},
		"kafka":   {"propagate.inject(headers, setter=setter)", "propagate.extract(headers, getter=getter)"},
		"mongodb": {`doc["context"] = waybill_receiver.inject()`, `waybill_receiver.extract(doc["context"])`},
	},
}

// verbsFor returns the calls of l for messages of a system.
func (l Language) verbsFor(system string) verbs {
	if c, ok := calls[l][system]; ok {
		return c
	}
	return calls[l][""]
}

// idiom is the advice of findings in the words of a language.
type idiom struct {
	assign   string // Before a call that extracts.
	eachOf   string // The same, in a loop of messages.
	replaces string // After a call that injects, where there is an older context.
	end      string // Ends a span on every path.
	exit     string // Exports all spans before the process ends.
	pass     string // Passes the context on in a process; after the call that it is passed to.
	batch    string // Links each message of a batch.
	keeper   string // Keeps the context of a message that is over.
	own      string // After the advice to send each message in a span of its own.
	link     string // Links a message instead of continuing its trace.
	root     string // Starts a root that links.

	automatic  string // Does the work of both sides; a sentence.
	propagator string // Sets the propagator,
	baggage    string // with baggage,
	both       string // with that for another format beside it; before the name of that.
	sampler    string // Follows the decision of the parent.
	createJob  string // Puts the context into the environment of a Kubernetes Job,
	startJob   string // which extracts it.
}

// What the SDKs read of their environment, but for that of Go, which reads the sampler
// only.
const (
	propagatorVariable = "OTEL_PROPAGATORS=tracecontext,baggage"
	samplerVariable    = "OTEL_TRACES_SAMPLER=parentbased_always_on"
)

var idioms = [...]idiom{
	Go: {
		assign:     "ctx = ",
		eachOf:     "set a new variable in the loop: msgCtx := ",
		replaces:   " replaces the old one",
		end:        "defer span.End()",
		exit:       "call Shutdown of the tracer provider before the process exits: os.Exit and log.Fatal run no deferred call",
		pass:       ", and not context.Background(). For work that outlives the request, in Go: context.WithoutCancel(ctx)",
		batch:      "kafkacarrier.ProcessBatch(ctx, msgs, fn), or trace.WithLinks when the span starts",
		keeper:     "a pooled goroutine",
		own:        ", as kafkacarrier.Writer does",
		link:       "propagation.AsLink()",
		root:       "trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(ctx))",
		propagator: "otel.SetTextMapPropagator(propagation.Default())",
		baggage:    "propagation.Baggage{}",
		both:       "propagation.Compose(propagation.Default(), p), where p is the propagator",
		sampler:    "sdktrace.ParentBased(sampler), or " + samplerVariable + ". Package flowsampler also follows links",
		createJob:  "k8scarrier.NewJobs(client).Create",
		startJob:   "job.Main(p, fn) or envcarrier.Extract(ctx)",
	},
	Java: {
		assign:     "Context ctx = ",
		eachOf:     "read the context of each message in the loop: Context ctx = ",
		replaces:   " with a setter that replaces the old one",
		end:        "span.end() in a finally block",
		exit:       "close the SDK before the process exits: Runtime.halt runs no shutdown hook",
		pass:       ". For another thread, in Java: Context.current().wrap(task), or Context.taskWrapping(executor)",
		batch:      "spanBuilder.addLink(spanContext) before the span starts",
		keeper:     "a pooled thread",
		link:       "spanBuilder.setNoParent().addLink(spanContext)",
		root:       "spanBuilder.setNoParent().addLink(Span.current().getSpanContext())",
		automatic:  " The Java agent does both for the clients that it knows.",
		propagator: propagatorVariable,
		baggage:    propagatorVariable,
		both:       propagatorVariable + ",NAME, where NAME is the propagator",
		sampler:    samplerVariable,
		createJob:  "a variable TRACEPARENT of the container",
		startJob:   "propagator.extract(Context.current(), System.getenv(), getter), whose getter reads TRACEPARENT",
	},
	JavaScript: {
		assign:     "const ctx = ",
		eachOf:     "read the context of each message in the loop: const ctx = ",
		replaces:   " replaces the old one",
		end:        "span.end() in a finally block",
		exit:       "await sdk.shutdown() before the process exits: process.exit does not wait for an export",
		pass:       ". For a callback that runs later, in JavaScript: context.bind(context.active(), callback)",
		batch:      "the option links of startSpan",
		keeper:     "a callback",
		link:       "the options root and links of startSpan",
		root:       "{root: true, links: [{context: trace.getActiveSpan().spanContext()}]}",
		automatic:  " The packages @opentelemetry/instrumentation-* do both for the clients that they know.",
		propagator: propagatorVariable,
		baggage:    propagatorVariable,
		both:       propagatorVariable + ",NAME, where NAME is the propagator",
		sampler:    samplerVariable,
		createJob:  "a variable TRACEPARENT of the container",
		startJob:   "propagation.extract(context.active(), {traceparent: process.env.TRACEPARENT})",
	},
	Python: {
		assign:     "ctx = ",
		eachOf:     "read the context of each message in the loop: ctx = ",
		replaces:   " with a setter that replaces the old one",
		end:        "start_as_current_span in a with statement",
		exit:       "call shutdown of the tracer provider before the process exits: os._exit runs no exit handler",
		pass:       ". For another thread, in Python: contextvars.copy_context().run(function)",
		batch:      "links=[trace.Link(span_context)] when the span starts",
		keeper:     "a pooled thread",
		link:       "context=Context(), links=[trace.Link(span_context)]",
		root:       "context=Context(), links=[trace.Link(trace.get_current_span().get_span_context())]",
		automatic:  " The command opentelemetry-instrument does both for the clients that it knows.",
		propagator: propagatorVariable,
		baggage:    propagatorVariable,
		both:       propagatorVariable + ",NAME, where NAME is the propagator",
		sampler:    samplerVariable,
		createJob:  "the variables of waybill_receiver.child_environ({})",
		startJob:   "waybill_receiver.start_job(tracer, name)",
	},
}
