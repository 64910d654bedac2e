// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/propagation"
)

// journaled returns the entries of what do does with a context of a journal.
func journaled(ctx context.Context, do func(ctx context.Context)) []propagation.JournalEntry {
	var j propagation.Journal
	do(propagation.ContextWithJournal(ctx, &j))
	return j.Entries()
}

// only returns the one entry there is.
func only(t *testing.T, entries []propagation.JournalEntry) propagation.JournalEntry {
	t.Helper()
	if len(entries) != 1 {
		t.Fatalf("got entries %v, want one", entries)
	}
	return entries[0]
}

func TestJournal_Inject(t *testing.T) {
	t.Parallel()
	inSpan := contents{traceparent: traceparentText}
	for _, tt := range []struct {
		name    string
		ctx     contents
		carrier text
		opts    []propagation.Option
		outcome propagation.JournalOutcome
		detail  string
		keys    string
		lost    bool
	}{
		{name: "a span", ctx: inSpan, outcome: propagation.JournalOK, keys: "traceparent waybill"},
		{name: "all", ctx: contents{traceparentText, "vendor=1", "user=alice"}, outcome: propagation.JournalOK, keys: "traceparent waybill tracestate baggage"},
		{name: "no span", outcome: propagation.JournalAbsent, detail: "ctx has no span"},
		{name: "no span and a carrier with a context", carrier: text{"traceparent": otherText}, outcome: propagation.JournalAbsent, detail: "ctx has no span"},
		{
			name: "an existing context is kept", ctx: inSpan, carrier: text{"traceparent": otherText},
			opts:    []propagation.Option{propagation.WithPolicy(propagation.KeepExisting)},
			outcome: propagation.JournalKept, detail: "the carrier holds a trace context",
		},
		{name: "too long", ctx: inSpan, opts: []propagation.Option{propagation.WithMaxBytes(10)}, outcome: propagation.JournalAbsent, detail: "it is too long for the carrier"},
		{
			name: "a propagator without fields", ctx: inSpan, opts: []propagation.Option{propagation.WithPropagator(propagation.Compose())},
			outcome: propagation.JournalAbsent, detail: "the propagator writes no keys",
		},
		{
			name: "a propagator of baggage alone", ctx: inSpan, opts: []propagation.Option{propagation.WithPropagator(propagation.Baggage{})},
			outcome: propagation.JournalAbsent, detail: "the propagator wrote no trace context",
		},
		{
			name: "baggage is left", ctx: contents{traceparent: traceparentText, baggage: "user=alice"},
			opts:    []propagation.Option{propagation.WithPropagator(propagation.TraceContext{})},
			outcome: propagation.JournalOK, keys: "traceparent", lost: true,
		},
		{
			name: "baggage is left because an option says so", ctx: contents{traceparent: traceparentText, baggage: "user=alice"},
			opts:    []propagation.Option{propagation.WithPropagator(propagation.TraceContext{}), propagation.WithoutBaggage()},
			outcome: propagation.JournalOK, keys: "traceparent",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			carrier := text{}
			maps.Copy(carrier, tt.carrier)
			opts := append([]propagation.Option{defaults}, tt.opts...)
			e := only(t, journaled(tt.ctx.context(t), func(ctx context.Context) {
				propagation.Inject(ctx, carrier, textAccessor{}, opts...)
			}))
			if e.Action != propagation.JournalInject || e.Outcome != tt.outcome || e.Detail != tt.detail {
				t.Errorf("got %s %s %q, want inject %s %q", e.Action, e.Outcome, e.Detail, tt.outcome, tt.detail)
			}
			if got := strings.Join(e.Keys, " "); got != tt.keys {
				t.Errorf("got keys %q, want %q", got, tt.keys)
			}
			if e.Parent.IsValid() != (tt.ctx.traceparent != "") || e.LeftBaggage != tt.lost || e.Stray || e.DefaultPropagator {
				t.Errorf("got %+v", e)
			}
			if want := tt.outcome == propagation.JournalOK; e.SpanContext.IsValid() != want || e.IsSampled() != want {
				t.Errorf("got span context %v, want a sampled one: %t", e.SpanContext, want)
			}
			if e.Call != "propagation.Inject" || e.Carrier != "propagation_test.text" || filepath.Base(e.File) != "journal_test.go" || e.Line == 0 {
				t.Errorf("got place %+v", e)
			}
		})
	}
}

func TestJournal_Extract(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		carrier text
		opts    []propagation.Option
		outcome propagation.JournalOutcome
		detail  string
		keys    string
	}{
		{name: "a context", carrier: text{"traceparent": traceparentText, "baggage": "user=alice", "other": "1"}, outcome: propagation.JournalOK, keys: "traceparent baggage"},
		{name: "nothing", carrier: text{"other": "1"}, outcome: propagation.JournalAbsent},
		{name: "an empty value", carrier: text{"traceparent": ""}, outcome: propagation.JournalAbsent},
		{name: "a waybill alone", carrier: text{"waybill": waybillText}, outcome: propagation.JournalAbsent, keys: "waybill"},
		{
			name: "a short value", carrier: text{"traceparent": traceparentText[:54]},
			outcome: propagation.JournalMalformed, detail: "traceparent: shorter than 55 bytes", keys: "traceparent",
		},
		{
			name: "a key in another case", carrier: text{"Traceparent": traceparentText},
			outcome: propagation.JournalMalformed, detail: "Traceparent: the key is spelled in another case", keys: "Traceparent",
		},
		{name: "B3", carrier: text{"b3": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"}, outcome: propagation.JournalForeign, detail: "B3", keys: "b3"},
		{name: "B3 in several keys", carrier: text{"X-B3-TraceId": "0af7651916cd43dd8448eb211c80319c"}, outcome: propagation.JournalForeign, detail: "B3", keys: "X-B3-TraceId"},
		{name: "Jaeger", carrier: text{"uber-trace-id": "1:2:0:1"}, outcome: propagation.JournalForeign, detail: "Jaeger", keys: "uber-trace-id"},
		{name: "Datadog", carrier: text{"x-datadog-trace-id": "10"}, outcome: propagation.JournalForeign, detail: "Datadog", keys: "x-datadog-trace-id"},
		{name: "X-Ray of a load balancer", carrier: text{"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"}, outcome: propagation.JournalAbsent, keys: "X-Amzn-Trace-Id"},
		{name: "B3 with a decision alone", carrier: text{"b3": "0"}, outcome: propagation.JournalAbsent, keys: "b3"},
		{name: "X-Ray", carrier: text{"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"}, outcome: propagation.JournalForeign, detail: "X-Ray", keys: "X-Amzn-Trace-Id"},
		{
			name: "the W3C's for a propagator of nothing else", carrier: text{"traceparent": traceparentText},
			opts:    []propagation.Option{propagation.WithPropagator(propagation.Baggage{})},
			outcome: propagation.JournalForeign, detail: "W3C Trace Context", keys: "traceparent",
		},
	} {
		for name, getter := range map[string]propagation.Getter[text]{"listed": textAccessor{}, "not listed": getOnly} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				opts := append([]propagation.Option{defaults}, tt.opts...)
				extracted := only(t, journaled(t.Context(), func(ctx context.Context) {
					propagation.Extract(ctx, tt.carrier, getter, opts...)
				}))
				var j propagation.Journal
				propagation.Read(tt.carrier, getter, append(opts, propagation.WithJournal(&j))...)
				for _, e := range []propagation.JournalEntry{extracted, only(t, j.Entries())} {
					if e.Action != propagation.JournalExtract || e.Outcome != tt.outcome || e.Detail != tt.detail {
						t.Errorf("%s: got %s %s %q, want extract %s %q", e.Call, e.Action, e.Outcome, e.Detail, tt.outcome, tt.detail)
					}
					if got := strings.Join(e.Keys, " "); got != tt.keys {
						t.Errorf("%s: got keys %q, want %q", e.Call, got, tt.keys)
					}
					if want := tt.outcome == propagation.JournalOK; e.SpanContext.IsValid() != want || e.SpanContext.IsRemote() != want {
						t.Errorf("%s: got span context %v, want a remote one: %t", e.Call, e.SpanContext, want)
					}
				}
			})
		}
	}
}

// Two different traceparents on one carrier are an ambiguity; two equal ones are not.
func TestJournal_Ambiguous(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []string
		want   bool
	}{
		"one":           {[]string{traceparentText}, false},
		"two different": {[]string{otherText, traceparentText}, true},
		"two equal":     {[]string{traceparentText, traceparentText}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := otelpropagation.HeaderCarrier(http.Header{"Traceparent": tt.values})
			e := only(t, journaled(t.Context(), func(ctx context.Context) { propagation.ExtractTextMap(ctx, header, defaults) }))
			if e.IsAmbiguous != tt.want || e.Carrier != "propagation.HeaderCarrier" || e.Call != "propagation.ExtractTextMap" {
				t.Errorf("got %+v, want ambiguous %t", e, tt.want)
			}
		})
	}
}

// An entry goes to the journal that the option names, or else to that of the context,
// or else to those that record all.
func TestJournal_Owner(t *testing.T) {
	t.Parallel()
	var named, ofContext, all propagation.Journal
	stop := all.RecordAll()
	ctx := propagation.ContextWithJournal(t.Context(), &ofContext)
	place := contents{traceparent: traceparentText}.context(t)
	propagation.Map(ctx, propagation.WithJournal(&named))
	propagation.Map(ctx, propagation.WithJournal(nil))
	propagation.Map(ctx, propagation.WithoutJournal())
	propagation.Map(place)
	stop()
	stop()
	propagation.Map(place)
	for name, j := range map[string]*propagation.Journal{"named": &named, "context": &ofContext} {
		if e := only(t, j.Entries()); e.Stray {
			t.Errorf("the entry of the %s journal is marked as stray", name)
		}
	}
	// Tests that run at the same time may leave entries too.
	mine := slices.DeleteFunc(all.Entries(), func(e propagation.JournalEntry) bool { return !strings.Contains(e.Function, "TestJournal_Owner") })
	if e := only(t, mine); !e.Stray || !e.Parent.IsValid() {
		t.Errorf("got %+v, want a stray entry of the call without a journal", e)
	}
}

// What Read has noted goes to the journal of the context that Start is called with.
func TestJournal_Adoption(t *testing.T) {
	t.Parallel()
	var mine, other propagation.Journal
	t.Cleanup(mine.RecordAll())
	t.Cleanup(other.RecordAll())
	ctx := propagation.ContextWithJournal(t.Context(), &mine)
	recorded, _ := tracer(parentBased())
	remote := propagation.Read(text{"traceparent": traceparentText}, textAccessor{}, defaults)
	_, span := propagation.Start(ctx, recorded, "process", []propagation.Remote{remote})
	span.End()

	isMine := func(e propagation.JournalEntry) bool { return strings.Contains(e.Function, "TestJournal_Adoption") }
	var got []string
	for _, e := range mine.Entries() {
		if isMine(e) {
			if e.Stray {
				t.Errorf("%v is marked as stray", e)
			}
			got = append(got, string(e.Action)+" "+string(e.Outcome))
		}
	}
	if want := []string{"extract ok", "start ok"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if slices.ContainsFunc(other.Entries(), isMine) {
		t.Error("another journal kept what belongs to this one")
	}
}

// A Remote that becomes a context takes its entry along.
func TestJournal_AdoptionByContext(t *testing.T) {
	t.Parallel()
	e := only(t, journaled(t.Context(), func(ctx context.Context) {
		propagation.Read(text{"traceparent": traceparentText}, textAccessor{}, defaults).Context(ctx)
	}))
	if e.Call != "propagation.Read" || e.Stray {
		t.Errorf("got %+v, want the reading", e)
	}
}

// Start notes the span, its parent and the remotes.
func TestJournal_Start(t *testing.T) {
	t.Parallel()
	recorded, _ := tracer(parentBased())
	var remote propagation.Remote
	var span trace.Span
	entries := journaled(t.Context(), func(ctx context.Context) {
		remote = propagation.Read(text{"traceparent": traceparentText}, textAccessor{}, defaults)
		_, span = propagation.Start(ctx, recorded, "process", []propagation.Remote{remote})
		span.End()
	})
	if len(entries) != 2 {
		t.Fatalf("got %v, want the reading and the start", entries)
	}
	read, e := entries[0], entries[1]
	if e.Action != propagation.JournalStart || e.SpanContext.SpanID() != span.SpanContext().SpanID() || e.Call != "propagation.Start" {
		t.Errorf("got %+v, want the start of %v", e, span.SpanContext())
	}
	if e.Parent.SpanID() != remote.SpanContext().SpanID() || !slices.Equal(e.Extractions, []uint64{read.Number}) || read.Number == 0 {
		t.Errorf("got parent %v and extractions %v, want %v and %d", e.Parent, e.Extractions, remote.SpanContext(), read.Number)
	}
}

// The span shows how its remotes were read if a journal is asked for by name or by the
// context, and not if one records all.
func TestJournal_Attribute(t *testing.T) {
	t.Parallel()
	var j propagation.Journal
	t.Cleanup(j.RecordAll())
	plain, asked := t.Context(), propagation.ContextWithJournal(t.Context(), &j)
	var lines []string
	for _, tt := range []struct {
		name    string
		ctx     context.Context //nolint:containedctx // of a case.
		opts    []propagation.Option
		remotes []text
	}{
		{"nobody asks", plain, nil, []text{{"traceparent": traceparentText}}},
		{"the option asks, but without a journal", asked, []propagation.Option{propagation.WithoutJournal()}, []text{{"traceparent": traceparentText}}},
		{"no remotes", asked, nil, nil},
		{"ok", asked, nil, []text{{"traceparent": traceparentText}}},
		{"named where it was read", plain, []propagation.Option{propagation.WithJournal(&j)}, []text{{"traceparent": traceparentText}}},
		{"absent", asked, nil, []text{{}}},
		{"malformed", asked, nil, []text{{"traceparent": "00-"}}},
		{"foreign", asked, nil, []text{{"b3": "1-2-1"}}},
		{"several, ok", asked, nil, []text{{"traceparent": traceparentText}, {"traceparent": otherText}}},
		{"several, the worst", asked, nil, []text{{"traceparent": traceparentText}, {}, {"traceparent": "00-"}, {"b3": "1-2-1"}}},
	} {
		tracer, recorder := tracer()
		var remotes []propagation.Remote
		for _, carrier := range tt.remotes {
			remotes = append(remotes, propagation.Read(carrier, textAccessor{}, append(tt.opts, defaults)...))
		}
		_, span := propagation.Start(tt.ctx, tracer, "process", remotes)
		span.End()
		line := []string{tt.name + ":"}
		for _, kv := range recorder.Ended()[0].Attributes() {
			line = append(line, fmt.Sprintf("%s=%q", kv.Key, kv.Value.String()))
		}
		lines = append(lines, strings.Join(line, " "))
	}
	golden.Compare(t, "journal.golden", strings.Join(lines, "\n")+"\n")
}

// A journal keeps the first 10,000 entries.
func TestJournal_Limit(t *testing.T) {
	t.Parallel()
	const limit, more = 10_000, 7
	var j propagation.Journal
	o := propagation.WithJournal(&j)
	for range limit + more {
		propagation.Encode(t.Context(), defaults, o)
	}
	if got := len(j.Entries()); got != limit {
		t.Errorf("got %d entries, want %d", got, limit)
	}
	if got := j.Dropped(); got != more {
		t.Errorf("got %d dropped, want %d", got, more)
	}
}

// What others do leaves room for what belongs to a journal. The test is not parallel,
// because it would fill the journals of others.
func TestJournal_LimitOfStrays(t *testing.T) {
	const limit = 10_000
	var j propagation.Journal
	stop := j.RecordAll()
	for range limit + 1 {
		propagation.Encode(t.Context(), defaults)
	}
	stop()
	propagation.Encode(t.Context(), defaults, propagation.WithJournal(&j))
	entries := j.Entries()
	if len(entries) == 0 || entries[len(entries)-1].Stray || j.Dropped() == 0 {
		t.Errorf("got %d entries, %d dropped, want the last one to be that of the journal", len(entries), j.Dropped())
	}
}

func TestJournal_Nil(t *testing.T) {
	t.Parallel()
	var j *propagation.Journal
	j.RecordAll()()
	ctx := t.Context()
	if propagation.ContextWithJournal(ctx, j) != ctx {
		t.Error("a nil journal changed the context")
	}
	if got := j.Entries(); got != nil || j.Dropped() != 0 {
		t.Errorf("got %v, want nothing", got)
	}
	propagation.ContextWithJournal(nil, new(propagation.Journal)) //nolint:staticcheck // nil is taken.
}

// panickingKeys panics only when the journal looks for keys.
type panickingKeys struct{ textAccessor }

func (panickingKeys) Keys(text) []string            { panic("no keys") }
func (panickingKeys) Values(text, string) []string  { return []string{traceparentText} }
func (panickingKeys) Get(c text, key string) string { return c[key] }

// panickingSpan panics when it is asked for its context.
type panickingSpan struct{ trace.Span }

func (panickingSpan) SpanContext() trace.SpanContext { panic("no context") }

// What panics while an entry is made changes neither the result nor the carrier.
func TestJournal_HostileCode(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparent: traceparentText}.context(t)
	carrier := text{}
	entries := journaled(ctx, func(ctx context.Context) {
		propagation.Inject(ctx, carrier, panickingKeys{}, defaults)
		if sc := trace.SpanContextFromContext(propagation.Extract(t.Context(), carrier, panickingKeys{}, defaults)); !sc.IsValid() {
			t.Error("Extract returned no span context")
		}
		if r := propagation.Read(carrier, panickingKeys{}, defaults); r.Err() != nil {
			t.Errorf("Read returned %v", r.Err())
		}
		started, span := propagation.Start(ctx, panickingTracer{}, "process", nil)
		if _, ok := span.(panickingSpan); !ok || started == nil {
			t.Errorf("Start returned %T, want the span of the tracer", span)
		}
	})
	if carrier["traceparent"] == "" {
		t.Error("Inject wrote nothing")
	}
	if len(entries) != 1 {
		t.Errorf("got %v, want the injection", entries)
	}
}

type panickingTracer struct{ trace.Tracer }

func (panickingTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, panickingSpan{}
}

// FuzzJournal_Extract compares what a journal notes of a carrier with what is read.
func FuzzJournal_Extract(f *testing.F) {
	f.Add("traceparent", traceparentText, "b3", "1-2-1")
	f.Add("Traceparent", traceparentText, "x-amzn-trace-id", "Root=1;Parent=2")
	f.Add("traceparent", "00-", "\x00", strings.Repeat("x", 1000))
	f.Fuzz(func(t *testing.T, key, value, otherKey, otherValue string) {
		carrier := text{key: value, otherKey: otherValue}
		var j propagation.Journal
		r := propagation.Read(carrier, textAccessor{}, defaults, propagation.WithJournal(&j))
		e := only(t, j.Entries())
		_, isMalformed := errors.AsType[*propagation.MalformedError](r.Err())
		switch {
		case (e.Outcome == propagation.JournalOK) != (r.Err() == nil):
			t.Errorf("got %s, and Read returned %v", e.Outcome, r.Err())
		case isMalformed && e.Outcome != propagation.JournalMalformed:
			t.Errorf("got %s, and Read returned %v", e.Outcome, r.Err())
		case e.Outcome == propagation.JournalForeign && e.Detail == "", e.Outcome == propagation.JournalOK && e.Detail != "":
			t.Errorf("got %s with the detail %q", e.Outcome, e.Detail)
		}
		if line, err := json.Marshal(e); err != nil || !json.Valid(line) || strings.Contains(string(line), "\n") {
			t.Errorf("%q: %v", line, err)
		}
		if len(value) > 20 && strings.Contains(e.String()+strings.Join(e.Keys, ""), value) && !strings.Contains(key, value) && !strings.Contains(otherKey, value) {
			t.Errorf("%v shows the value %q", e, value)
		}
	})
}

// Many goroutines use journals at once, and each finds its own entries.
func TestJournal_Concurrency(t *testing.T) {
	t.Parallel()
	const goroutines, calls = 16, 50
	var all propagation.Journal
	stop := all.RecordAll()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			var j propagation.Journal
			ctx := propagation.ContextWithJournal(t.Context(), &j)
			defer j.RecordAll()()
			recorded, _ := tracer(parentBased())
			for range calls {
				propagation.Extract(ctx, propagation.Map(ctx), textMapGetter, defaults)
				remote := propagation.Read(map[string]string{"traceparent": traceparentText}, textMapGetter, defaults)
				_, span := propagation.Start(ctx, recorded, "process", []propagation.Remote{remote})
				span.End()
				_, _ = j.Entries(), all.Dropped()
			}
			own := slices.DeleteFunc(j.Entries(), func(e propagation.JournalEntry) bool { return e.Stray })
			if len(own) != 4*calls {
				t.Errorf("got %d entries, want %d", len(own), 4*calls)
			}
		})
	}
	wg.Wait()
	stop()
}

var textMapGetter = propagation.GetterFunc[map[string]string](func(c map[string]string, key string) string { return c[key] })
