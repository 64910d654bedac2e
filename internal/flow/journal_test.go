// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/propagation"
)

// program runs code under test: an api that sends to a job, with a journal.
type program struct {
	t        *testing.T
	recorder *tracetest.SpanRecorder
	journal  propagation.Journal
	sampler  sdktrace.Sampler // Of the job.
	carrier  map[string]string
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, recorder: tracetest.NewSpanRecorder(), sampler: sdktrace.ParentBased(sdktrace.AlwaysSample()), carrier: map[string]string{}}
	t.Cleanup(p.journal.RecordAll())
	return p
}

// context returns a context of which the calls belong to the program.
func (p *program) context() context.Context {
	return propagation.ContextWithJournal(p.t.Context(), &p.journal)
}

// start starts a span of a service, on the topic orders.
func (p *program) start(ctx context.Context, service, name string, kind trace.SpanKind) (context.Context, trace.Span) {
	sampler := sdktrace.ParentBased(sdktrace.AlwaysSample())
	if service == "job" {
		sampler = p.sampler
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p.recorder), sdktrace.WithSampler(sampler))
	return provider.Tracer(service).Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(topic...))
}

var topic = []attribute.KeyValue{attribute.String("messaging.system", "kafka"), attribute.String("messaging.destination.name", "orders")}

// send starts and ends the span that sends, and injects its context.
func (p *program) send(opts ...propagation.Option) {
	ctx, span := p.start(p.context(), "api", "send orders", trace.SpanKindProducer)
	propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(p.carrier), append([]propagation.Option{w3c}, opts...)...)
	span.End()
}

// process handles what the carrier holds in a span of propagation.Start.
func (p *program) process(opts ...propagation.StartOption) {
	remote := propagation.ReadTextMap(otelpropagation.MapCarrier(p.carrier), w3c)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(p.recorder), sdktrace.WithSampler(p.sampler))
	opts = append(opts, propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(topic...)))
	_, span := propagation.Start(p.context(), provider.Tracer("job"), "process orders", []propagation.Remote{remote}, opts...)
	span.End()
}

// spans returns what was recorded.
func (p *program) spans() []flow.Span {
	var spans []flow.Span
	for _, s := range p.recorder.Ended() {
		made := flow.Span{
			ID: flow.IDOf(s.SpanContext()), Parent: flow.IDOf(s.Parent()), Remote: s.Parent().IsRemote(),
			ParentUnsampled: s.Parent().IsValid() && !s.Parent().IsSampled() && s.SpanContext().IsSampled(),
			Service:         s.InstrumentationScope().Name, Name: s.Name(), Kind: s.SpanKind(), Start: s.StartTime(), End: s.EndTime(), Attributes: s.Attributes(),
		}
		for _, l := range s.Links() {
			made.Links = append(made.Links, flow.IDOf(l.SpanContext))
		}
		spans = append(spans, made)
	}
	return spans
}

// diagnose returns the findings that are more than info.
func (p *program) diagnose(strays ...bool) (*flow.Graph, []flow.Finding) {
	g := flow.New(p.spans())
	entries := p.journal.Entries()
	if len(strays) == 0 {
		entries = slices.DeleteFunc(entries, func(e propagation.JournalEntry) bool {
			return e.Stray && !strings.Contains(e.Function, "TestDiagnose_Journal")
		})
	}
	d := g.Diagnose(flow.Expectation{Journal: entries})
	return g, slices.DeleteFunc(d.Findings, func(f flow.Finding) bool { return f.Level == flow.Info })
}

// w3c makes a call independent of the global propagator.
var w3c = propagation.WithPropagator(propagation.Default())

// lineNumber is the line of a place.
var lineNumber = regexp.MustCompile(`journal_test.go:\d+`)

// Each fault is planted in real code, and found with its place. Each healthy program
// has no finding.
func TestDiagnose_Journal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		run  func(p *program)
		want []string
	}{
		{name: "all is well", run: func(p *program) { p.send(); p.process() }},
		{name: "all is well: a link", run: func(p *program) { p.send(); p.process(propagation.AsLink()) }},
		{
			name: "all is well: extracted and continued by a span of OpenTelemetry's",
			run: func(p *program) {
				p.send()
				ctx := propagation.ExtractTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
				_, span := p.start(ctx, "job", "process orders", trace.SpanKindConsumer)
				span.End()
			},
		},
		{
			name: "all is well: extracted and passed on without a span",
			run: func(p *program) {
				p.send()
				ctx := propagation.ExtractTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
				propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(p.carrier), w3c)
				p.process()
			},
		},
		{
			name: "all is well: read to look at it",
			run: func(p *program) {
				p.send()
				propagation.ReadTextMap(otelpropagation.MapCarrier(p.carrier), w3c)
			},
		},
		{
			name: "P01: nothing was injected",
			run: func(p *program) {
				_, span := p.start(p.context(), "api", "send orders", trace.SpanKindProducer)
				span.End()
				p.process()
			},
			want: []string{"P01 violation, likely: send orders → process orders"},
		},
		{
			name: "P06: injected with a context that has no span",
			run: func(p *program) {
				_, span := p.start(p.context(), "api", "send orders", trace.SpanKindProducer)
				propagation.InjectTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
				span.End()
				p.process()
			},
			want: []string{"P06 violation, certain: send orders → process orders"},
		},
		{
			name: "P06: nobody receives",
			run: func(p *program) {
				propagation.InjectTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
			},
			want: []string{"P06 violation, certain: no span"},
		},
		{
			name: "P06: injected with context.Background",
			run: func(p *program) {
				_, span := p.start(p.context(), "api", "send orders", trace.SpanKindProducer)
				propagation.InjectTextMap(context.Background(), otelpropagation.MapCarrier(p.carrier), w3c) //nolint:usetesting // the fault.
				span.End()
				p.process()
			},
			want: []string{"P06 violation, likely: send orders → process orders"},
		},
		{
			name: "P06 is silent: a stray call that nobody misses",
			run: func(p *program) {
				propagation.InjectTextMap(context.Background(), otelpropagation.MapCarrier(map[string]string{}), w3c) //nolint:usetesting // the fault.
				p.send()
				p.process()
			},
		},
		{
			name: "P06 is silent: data enters the flow without a span",
			run: func(p *program) {
				ctx := propagation.ContextWithWaybill(p.context(), propagation.Waybill{Origin: time.Now()})
				propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(p.carrier), w3c)
			},
		},
		{
			name: "P06 is silent: the carrier keeps its context",
			run: func(p *program) {
				p.send()
				ctx := propagation.ContextWithWaybill(p.context(), propagation.Waybill{Origin: time.Now()})
				propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(p.carrier), w3c)
				p.process()
			},
		},
		{
			name: "P07: a propagator without keys",
			run:  func(p *program) { p.send(propagation.WithPropagator(propagation.Compose())) },
			want: []string{"P07 violation, certain: send orders"},
		},
		{
			name: "P07: a propagator without trace context",
			run:  func(p *program) { p.send(propagation.WithPropagator(propagation.Baggage{})) },
			want: []string{"P07 violation, certain: send orders"},
		},
		{
			name: "P07: a propagator without baggage",
			run: func(p *program) {
				ctx := otelpropagation.Baggage{}.Extract(p.context(), otelpropagation.MapCarrier{"baggage": "tenant=a"})
				ctx, span := p.start(ctx, "api", "send orders", trace.SpanKindProducer)
				propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(p.carrier), propagation.WithPropagator(propagation.TraceContext{}))
				span.End()
				p.process()
			},
			want: []string{"P07 warning, certain: send orders"},
		},
		{
			name: "P07 is silent: baggage is not wanted",
			run: func(p *program) {
				ctx := otelpropagation.Baggage{}.Extract(p.context(), otelpropagation.MapCarrier{"baggage": "tenant=a"})
				ctx, span := p.start(ctx, "api", "send orders", trace.SpanKindProducer)
				propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(p.carrier), propagation.WithPropagator(propagation.TraceContext{}), propagation.WithoutBaggage())
				span.End()
				p.process()
			},
		},
		{
			name: "P08: a value that was cut",
			run: func(p *program) {
				p.send()
				p.carrier["traceparent"] = p.carrier["traceparent"][:40]
				p.process()
			},
			want: []string{"P08 violation, certain: send orders → process orders"},
		},
		{
			name: "P08: no span handles it",
			run: func(p *program) {
				p.carrier["traceparent"] = "00-"
				propagation.ExtractTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
			},
			want: []string{"P08 violation, certain: no span"},
		},
		{
			name: "P09: the sender speaks B3",
			run: func(p *program) {
				p.carrier["b3"] = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"
				p.process()
			},
			want: []string{"P09 violation, certain: process orders"},
		},
		{
			name: "P09 is silent: both formats",
			run: func(p *program) {
				p.carrier["b3"] = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"
				p.send()
				p.process()
			},
		},
		{
			name: "P10: the context that Extract returned is dropped",
			run: func(p *program) {
				p.send()
				propagation.ExtractTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
				_, span := p.start(p.context(), "job", "process orders", trace.SpanKindConsumer)
				span.End()
			},
			want: []string{"P10 violation, likely: send orders → process orders"},
		},
		{
			name: "P10: dropped within a span",
			run: func(p *program) {
				p.send()
				ctx, span := p.start(p.context(), "job", "poll", trace.SpanKindInternal)
				propagation.ExtractTextMap(ctx, otelpropagation.MapCarrier(p.carrier), w3c)
				span.End()
			},
			want: []string{"P10 violation, certain: send orders → poll"},
		},
		{
			name: "P10 is silent: the sender was not sampled",
			run: func(p *program) {
				p.carrier["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
				ctx := propagation.ExtractTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
				_, span := p.start(ctx, "job", "process orders", trace.SpanKindConsumer)
				span.End()
				_, other := p.start(p.context(), "job", "tick", trace.SpanKindInternal)
				other.End()
			},
		},
		{
			name: "P11: the old context was not replaced",
			run: func(p *program) {
				p.send()
				header := otelpropagation.HeaderCarrier{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", p.carrier["traceparent"]}}
				ctx := propagation.Extract(p.context(), header, lastOf{}, w3c)
				_, span := p.start(ctx, "job", "process orders", trace.SpanKindConsumer)
				span.End()
			},
			want: []string{"P11 violation, certain: send orders → process orders"},
		},
		{
			name: "P15: the receiver's sampler drops what its parent samples",
			run: func(p *program) {
				p.sampler = sdktrace.NeverSample()
				p.send()
				p.process()
			},
			want: []string{"P15 violation, certain: send orders"},
		},
		{
			name: "P15: the receiver's sampler samples what its parent does not",
			run: func(p *program) {
				p.sampler = sdktrace.AlwaysSample()
				p.carrier["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
				p.process()
			},
			want: []string{"P15 violation, certain: process orders"},
		},
		{
			name: "P15 is silent: the sampler follows the parent",
			run: func(p *program) {
				p.carrier["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
				p.process()
			},
		},
		{
			name: "P15 is silent: a link is no parent",
			run: func(p *program) {
				p.sampler = sdktrace.AlwaysSample()
				p.carrier["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
				p.process(propagation.AsLink())
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProgram(t)
			tt.run(p)
			g, findings := p.diagnose()
			var got []string
			for _, f := range findings {
				got = append(got, describe(g, &f))
				if !lineNumber.MatchString(strings.Join(f.Places, " ")) || !lineNumber.MatchString(f.Why+f.Fix) {
					t.Errorf("%s names the places %q and says %q and %q, want a line of this test", f.ID, f.Places, f.Why, f.Fix)
				}
				for _, text := range []string{f.What, f.Why, f.Fix} {
					if text == "" || strings.Contains(text, "  ") || strings.Contains(text, `""`) || !strings.HasSuffix(text, ".") {
						t.Errorf("%s is not described: %q", f.ID, text)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v\n%v", diff, findings, p.journal.Entries())
			}
		})
	}
}

// A server that starts a trace during the call of a client is explained by a global
// propagator that was never set, if an entry says that it was not.
func TestDiagnose_JournalOfGlobals(t *testing.T) {
	t.Parallel()
	spans := func(server ...change) []flow.Span {
		return []flow.Span{
			span(1, 1, 0, "api SERVER POST /orders", takes(20*time.Millisecond)),
			span(1, 2, 1, "api CLIENT GET", takes(15*time.Millisecond)),
			span(2, 3, 0, "stock SERVER GET /stock", server...),
		}
	}
	entries := func(isDefault bool) []propagation.JournalEntry {
		return []propagation.JournalEntry{{Action: propagation.JournalInject, Outcome: propagation.JournalOK, DefaultPropagator: isDefault, File: "main.go", Line: 3}}
	}
	for _, tt := range []struct {
		name    string
		spans   []flow.Span
		entries []propagation.JournalEntry
		want    []string
	}{
		{"not set", spans(), entries(true), []string{"P07 violation, likely: api GET → stock GET /stock"}},
		{"set", spans(), entries(false), nil},
		{"no entry", spans(), nil, nil},
		{"the server continues", spans(func(s *flow.Span) { s.ID, s.Parent, s.Remote = id(1, 3), id(1, 2), true }), entries(true), nil},
		{"the call was over", spans(func(s *flow.Span) { s.Start = s.Start.Add(time.Second); s.End = s.Start.Add(time.Second) }), entries(true), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			got := found(g, g.Diagnose(flow.Expectation{Journal: tt.entries}).Findings, flow.Warning)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// What a program records on its spans is enough for a file.
func TestDiagnose_JournalAttributes(t *testing.T) {
	t.Parallel()
	sent := span(1, 1, 0, "api PRODUCER send orders", kafka("orders"), at("2", "815"))
	received := func(extract string, changes ...change) []flow.Span {
		return []flow.Span{sent, span(2, 2, 0, "job CONSUMER process orders", append(changes, kafka("orders"), at("2", "815"), attr("waybill.extract", extract))...)}
	}
	unsampled := func(s *flow.Span) { s.ParentUnsampled = true }
	for _, tt := range []struct {
		name  string
		spans []flow.Span
		want  []string
	}{
		{"absent", received("absent"), []string{"P02 violation, certain: api send orders → job process orders"}},
		{"malformed", received("malformed traceparent: shorter than 55 bytes"), []string{"P08 violation, certain: api send orders → job process orders"}},
		{"malformed, one of a batch", received("malformed traceparent: shorter than 55 bytes", link(1, 1)), []string{"P08 warning, certain: api send orders → job process orders"}},
		{"foreign", received("foreign B3"), []string{"P09 violation, certain: api send orders → job process orders"}},
		{"unused", received("unused"), []string{"P10 violation, certain: api send orders → job process orders"}},
		{"ok", received("ok", link(1, 1)), nil},
		{"nonsense", received("\x00 \x1b[2J", link(1, 1)), nil},
		{
			"P15: the first half is missing",
			[]flow.Span{span(1, 2, 9, "job CONSUMER process orders", remote, unsampled)},
			[]string{"P15 violation, certain: job process orders"},
		},
		{
			"P15: the parent was recorded all the same",
			[]flow.Span{sent, span(1, 2, 1, "job CONSUMER process orders", remote, unsampled)},
			[]string{"P15 warning, certain: api send orders → job process orders"},
		},
		{"P15 is silent", []flow.Span{sent, span(1, 2, 1, "job CONSUMER process orders", remote)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := flow.New(tt.spans)
			got := found(g, g.Diagnose(flow.Expectation{}).Findings, flow.Warning)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Programs that run at the same time in one process do not see each other's faults.
func TestDiagnose_JournalOfParallelPrograms(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			p := newProgram(t)
			for range 50 {
				if n%2 == 0 {
					p.send()
					p.process()
				} else {
					propagation.InjectTextMap(p.context(), otelpropagation.MapCarrier(p.carrier), w3c)
					propagation.Map(context.Background(), w3c) //nolint:usetesting // the fault.
				}
			}
			_, findings := p.diagnose(true)
			if isFaulty := n%2 == 1; isFaulty != (len(findings) > 0) {
				t.Errorf("got %v, want findings: %t", findings, isFaulty)
			}
		})
	}
}

// lostMessages are n messages that were injected without a span, and what the journal has
// noted of them.
func lostMessages(n int) (spans []flow.Span, entries []propagation.JournalEntry) {
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		s := span(1+i, 1+i, 0, "job CONSUMER process orders", kafka("orders"))
		s.Start = start.Add(time.Duration(i) * time.Millisecond)
		s.End = s.Start
		spans = append(spans, s)
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: s.ID.Trace, SpanID: s.ID.Span})
		number := 3 * uint64(i+1)
		entries = append(entries,
			propagation.JournalEntry{Number: number, Time: s.Start.Add(-time.Second), Action: propagation.JournalInject, Outcome: propagation.JournalAbsent, File: "a.go", Call: "a", Carrier: "kafka"},
			propagation.JournalEntry{Number: number + 1, Time: s.Start, Action: propagation.JournalExtract, Outcome: propagation.JournalAbsent, File: "b.go", Call: "b", Carrier: "kafka"},
			propagation.JournalEntry{Number: number + 2, Time: s.Start, Action: propagation.JournalStart, SpanContext: sc, Extractions: []uint64{number + 1}},
		)
	}
	return spans, entries
}

// Each of many injections without a span is joined with the receiver that missed it.
func TestDiagnose_JournalOfManyMessages(t *testing.T) {
	t.Parallel()
	const n = 10_000
	spans, entries := lostMessages(n)
	findings := flow.New(spans).Diagnose(flow.Expectation{Journal: entries}).Findings
	if len(findings) != 1 || findings[0].ID != "P06" || findings[0].Count != n {
		t.Errorf("got %d findings, first %+v, want P06 of %d messages", len(findings), findings[0], n)
	}
}

// BenchmarkDiagnose_Journal shows that the time is linear.
func BenchmarkDiagnose_Journal(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		spans, entries := lostMessages(n)
		g := flow.New(spans)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Diagnose(flow.Expectation{Journal: entries})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/message")
		})
	}
}

// FuzzJournal judges entries of any kind, which may contradict the spans and each other.
func FuzzJournal(f *testing.F) {
	f.Add([]byte{1, 0, 0, 2, 1, 0}, []byte{0, 1, 2, 1, 3, 3, 2, 2, 1})
	f.Add([]byte{1, 0, 0}, []byte{1, 3, 0, 1, 1, 0x11, 2, 0, 0x87})
	f.Fuzz(func(t *testing.T, data, noted []byte) {
		g := flow.New(decode(data[:min(len(data), 3*40)]))
		d := g.Diagnose(flow.Expectation{OneFlow: true, Journal: decodeEntries(noted[:min(len(noted), 3*40)])})
		for _, f := range d.Findings {
			if f.Count < len(f.Spans) || len(f.Spans) == 0 && len(f.Places) == 0 {
				t.Errorf("%+v is about nothing", f)
			}
			if f.What == "" || f.Why == "" || f.Fix == "" || flow.Title(f.ID) == "" {
				t.Errorf("%+v is not described", f)
			}
		}
		if got := drawn(d.Tree(g, 0)); got != len(g.Spans()) {
			t.Errorf("%d of %d spans are drawn", got, len(g.Spans()))
		}
	})
}

// decodeEntries reads an entry from each three bytes: the action with the outcome, the
// span context, and the parent with flags.
func decodeEntries(data []byte) (entries []propagation.JournalEntry) {
	spanContext := func(b byte) trace.SpanContext {
		made := id(1+int(b>>6), int(b&31))
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: made.Trace, SpanID: made.Span, TraceFlags: trace.TraceFlags(b >> 5 & 1), Remote: b&8 != 0})
	}
	actions := []propagation.JournalAction{propagation.JournalInject, propagation.JournalExtract, propagation.JournalStart, "other"}
	outcomes := []propagation.JournalOutcome{
		propagation.JournalOK, propagation.JournalAbsent, propagation.JournalMalformed, propagation.JournalForeign, propagation.JournalKept, "other",
	}
	for n := 0; n+2 < len(data); n += 3 {
		e := propagation.JournalEntry{
			Number: uint64(n/3 + 1), Time: time.Unix(int64(n), 0), Action: actions[data[n]&3], Outcome: outcomes[int(data[n]>>2&7)%len(outcomes)],
			Call: "a.B", File: "a/b.go", Line: 1 + int(data[n]>>6), SpanContext: spanContext(data[n+1]), Parent: spanContext(data[n+2]),
			DefaultPropagator: data[n]&32 != 0, LeftBaggage: data[n+1]&16 != 0, IsAmbiguous: data[n+2]&16 != 0, Stray: data[n]&16 != 0,
			Extractions: []uint64{uint64(data[n+2] & 7)},
		}
		if data[n+2]&4 != 0 {
			e.Propagator = []string{"traceparent"}
		}
		entries = append(entries, e)
	}
	return entries
}

// describe is found for one finding, which may have no span.
func describe(g *flow.Graph, f *flow.Finding) string {
	name := func(i int) string { return g.Spans()[i].Name }
	text := fmt.Sprintf("%s %s, %s: ", f.ID, f.Level, f.Sure)
	switch {
	case len(f.Spans) == 0:
		return text + "no span"
	case f.From >= 0 && f.From != f.Spans[0]:
		return text + name(f.From) + " → " + name(f.Spans[0])
	default:
		return text + name(f.Spans[0])
	}
}

// lastOf reads the last of several values, as a consumer of Kafka does.
type lastOf struct{}

func (lastOf) Get(c otelpropagation.HeaderCarrier, key string) string {
	if values := c.Values(key); len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (lastOf) Values(c otelpropagation.HeaderCarrier, key string) []string { return c.Values(key) }
func (lastOf) Keys(c otelpropagation.HeaderCarrier) []string               { return c.Keys() }
