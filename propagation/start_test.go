// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/propagation"
)

const linkCount = attribute.Key("waybill.link_count")

// tracer returns a tracer that samples all, and what has ended.
func tracer(options ...sdktrace.TracerProviderOption) (trace.Tracer, *tracetest.SpanRecorder) {
	recorder := tracetest.NewSpanRecorder()
	options = append([]sdktrace.TracerProviderOption{sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample())}, options...)
	return sdktrace.NewTracerProvider(options...).Tracer("test"), recorder
}

// remoteOf is what a carrier with these values holds.
func remoteOf(values text) propagation.Remote {
	return propagation.Read(values, textAccessor{}, defaults)
}

// remotes are what carriers may hold, by name.
var remotes = map[string]propagation.Remote{
	"a":         remoteOf(text{"traceparent": traceparentText, "tracestate": "vendor=a", "baggage": "from=a", "waybill": waybillText}),
	"b":         remoteOf(text{"traceparent": otherText, "baggage": "from=b"}),
	"same as a": remoteOf(text{"traceparent": traceparentText, "tracestate": "vendor=other"}),
	"sibling":   remoteOf(text{"traceparent": traceparentText[:36] + "00f067aa0ba902b7-01"}),
	"empty":     {},
	"malformed": remoteOf(text{"traceparent": "00-"}),
}

func named(names ...string) []propagation.Remote {
	var list []propagation.Remote
	for _, name := range names {
		remote, ok := remotes[name]
		if !ok {
			panic("there is no remote " + name)
		}
		list = append(list, remote)
	}
	return list
}

// nameOf is the inverse of named, and knows the span of ctx.
func nameOf(sc, ambient trace.SpanContext) string {
	for _, name := range []string{"a", "b", "sibling"} {
		if sc.TraceID() == remotes[name].SpanContext().TraceID() && sc.SpanID() == remotes[name].SpanContext().SpanID() {
			return name
		}
	}
	switch {
	case !sc.IsValid():
		return "none"
	case sc.Equal(ambient):
		return "ambient"
	default:
		return sc.SpanID().String()
	}
}

func TestStart_ParentAndLinks(t *testing.T) {
	t.Parallel()
	none, ambientSpan := false, true
	var (
		usual     []propagation.StartOption
		asParent  = []propagation.StartOption{propagation.AsParent()}
		asLink    = []propagation.StartOption{propagation.AsLink()}
		untrusted = []propagation.StartOption{propagation.WithUntrusted()}
		both      = []propagation.StartOption{propagation.WithUntrusted(), propagation.AsParent()}
		last      = []propagation.StartOption{propagation.AsLink(), nil, propagation.AsParent()}
		lastLink  = []propagation.StartOption{propagation.AsParent(), propagation.AsLink(), nil}
		zeroAge   = []propagation.StartOption{propagation.WithMaxAge(0)}
		negative  = []propagation.StartOption{propagation.WithMaxAge(-time.Hour)}
		nanosec   = []propagation.StartOption{propagation.WithMaxAge(time.Nanosecond)}
		oldParent = []propagation.StartOption{propagation.WithMaxAge(time.Nanosecond), propagation.AsParent()}
		longAge   = []propagation.StartOption{propagation.WithMaxAge(1 << 62)}
	)
	for _, tt := range []struct {
		name    string
		ambient bool
		remotes []string
		options []propagation.StartOption
		parent  string
		links   string
		count   int // of several remotes.
	}{
		{name: "one", ambient: none, remotes: []string{"a"}, options: usual, parent: "a", links: "a"},
		{name: "one", ambient: ambientSpan, remotes: []string{"a"}, options: usual, parent: "ambient", links: "a"},
		{name: "one", ambient: none, remotes: []string{"a"}, options: asParent, parent: "a", links: "a"},
		{name: "one", ambient: ambientSpan, remotes: []string{"a"}, options: asParent, parent: "a", links: "a ambient"},
		{name: "one", ambient: none, remotes: []string{"a"}, options: asLink, parent: "none", links: "a"},
		{name: "one", ambient: ambientSpan, remotes: []string{"a"}, options: asLink, parent: "none", links: "a ambient"},
		{name: "the last option counts", ambient: ambientSpan, remotes: []string{"a"}, options: last, parent: "a", links: "a ambient"},
		{name: "the last option counts", ambient: ambientSpan, remotes: []string{"a"}, options: lastLink, parent: "none", links: "a ambient"},

		{name: "untrusted", ambient: none, remotes: []string{"a"}, options: untrusted, parent: "none", links: "a"},
		{name: "untrusted", ambient: ambientSpan, remotes: []string{"a"}, options: untrusted, parent: "ambient", links: "a"},
		{name: "untrusted, whatever else is said", ambient: none, remotes: []string{"a"}, options: both, parent: "none", links: "a"},
		{name: "untrusted, whatever else is said", ambient: ambientSpan, remotes: []string{"a"}, options: both, parent: "ambient", links: "a"},

		{name: "too old", ambient: none, remotes: []string{"a"}, options: nanosec, parent: "none", links: "a"},
		{name: "too old", ambient: ambientSpan, remotes: []string{"a"}, options: nanosec, parent: "ambient", links: "a"},
		{name: "too old, whatever else is said", ambient: none, remotes: []string{"a"}, options: oldParent, parent: "none", links: "a"},
		{name: "too old, whatever else is said", ambient: ambientSpan, remotes: []string{"a"}, options: oldParent, parent: "ambient", links: "a"},
		{name: "young enough", ambient: none, remotes: []string{"a"}, options: longAge, parent: "a", links: "a"},
		{name: "without an age", ambient: none, remotes: []string{"b"}, options: nanosec, parent: "b", links: "b"},
		{name: "no limit of age", ambient: none, remotes: []string{"a"}, options: zeroAge, parent: "a", links: "a"},
		{name: "no limit of age", ambient: none, remotes: []string{"a"}, options: negative, parent: "a", links: "a"},

		{name: "several", ambient: none, remotes: []string{"a", "b"}, options: usual, parent: "none", links: "a b", count: 2},
		{name: "several", ambient: ambientSpan, remotes: []string{"a", "b"}, options: usual, parent: "ambient", links: "a b", count: 2},
		{name: "several", ambient: none, remotes: []string{"b", "a"}, options: asParent, parent: "none", links: "b a", count: 2},
		{name: "several", ambient: ambientSpan, remotes: []string{"a", "b"}, options: asParent, parent: "ambient", links: "a b", count: 2},
		{name: "several", ambient: none, remotes: []string{"a", "b"}, options: asLink, parent: "none", links: "a b", count: 2},
		{name: "several", ambient: ambientSpan, remotes: []string{"a", "b"}, options: asLink, parent: "none", links: "a b ambient", count: 2},
		{name: "several, untrusted", ambient: ambientSpan, remotes: []string{"a", "b"}, options: untrusted, parent: "ambient", links: "a b", count: 2},
		{name: "two spans of one trace", ambient: none, remotes: []string{"a", "sibling"}, options: asParent, parent: "none", links: "a sibling", count: 2},
		{name: "each once", ambient: none, remotes: []string{"a", "b", "same as a", "b", "empty", "malformed"}, options: usual, parent: "none", links: "a b", count: 2},

		{name: "several of one context", ambient: none, remotes: []string{"a", "same as a"}, options: usual, parent: "none", links: "a", count: 1},
		{name: "several of one context", ambient: ambientSpan, remotes: []string{"a", "same as a"}, options: usual, parent: "ambient", links: "a", count: 1},
		{name: "several of one context", ambient: none, remotes: []string{"a", "same as a", "empty"}, options: asParent, parent: "a", links: "a", count: 1},
		{name: "several of one context", ambient: ambientSpan, remotes: []string{"empty", "a", "a"}, options: asParent, parent: "a", links: "a ambient", count: 1},
		{name: "several of one context, untrusted", ambient: none, remotes: []string{"a", "a"}, options: both, parent: "none", links: "a", count: 1},
		{name: "several of one context, too old", ambient: none, remotes: []string{"a", "a"}, options: oldParent, parent: "none", links: "a", count: 1},

		{name: "nothing", ambient: none, remotes: nil, options: usual, parent: "none", links: ""},
		{name: "nothing", ambient: ambientSpan, remotes: nil, options: usual, parent: "ambient", links: ""},
		{name: "nothing", ambient: none, remotes: nil, options: asParent, parent: "none", links: ""},
		{name: "nothing", ambient: ambientSpan, remotes: nil, options: asParent, parent: "ambient", links: ""},
		{name: "nothing", ambient: ambientSpan, remotes: nil, options: asLink, parent: "none", links: "ambient"},
		{name: "empty", ambient: none, remotes: []string{"empty"}, options: usual, parent: "none", links: ""},
		{name: "empty", ambient: ambientSpan, remotes: []string{"malformed"}, options: asParent, parent: "ambient", links: ""},
		{name: "all empty", ambient: ambientSpan, remotes: []string{"empty", "malformed"}, options: asParent, parent: "ambient", links: ""},
	} {
		t.Run(fmt.Sprint(tt.name, " ambient=", tt.ambient, " ", strings.Join(tt.remotes, "+")), func(t *testing.T) {
			t.Parallel()
			tracer, recorder := tracer()
			ctx, ambient := t.Context(), trace.Span(nil)
			if tt.ambient {
				ctx, ambient = tracer.Start(ctx, "ambient")
				defer ambient.End()
			}
			ambientContext := trace.SpanContextFromContext(ctx)
			started, span := propagation.Start(ctx, tracer, "process", named(tt.remotes...), tt.options...)
			if !trace.SpanContextFromContext(started).Equal(span.SpanContext()) {
				t.Error("the context does not carry the span")
			}
			span.End()

			got := recorder.Ended()[0]
			if got.Name() != "process" {
				t.Errorf("the span is called %q", got.Name())
			}
			if name := nameOf(got.Parent(), ambientContext); name != tt.parent {
				t.Errorf("the parent is %s, want %s", name, tt.parent)
			}
			if remote := tt.parent != "ambient" && tt.parent != "none"; got.Parent().IsRemote() != remote {
				t.Errorf("the parent is remote: %t, want %t", !remote, remote)
			}
			requireLinks(t, got, ambientContext, tt.links)
			if len(tt.remotes) < 2 {
				tt.count = noCount
			}
			requireCount(t, got, tt.count)
		})
	}
}

func requireLinks(t *testing.T, span sdktrace.ReadOnlySpan, ambient trace.SpanContext, want string) {
	t.Helper()
	var got []string
	for _, link := range span.Links() {
		got = append(got, nameOf(link.SpanContext, ambient))
	}
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// noCount is the count of a span without one.
const noCount = -1

func requireCount(t *testing.T, span sdktrace.ReadOnlySpan, want int) {
	t.Helper()
	got := noCount
	for _, kv := range span.Attributes() {
		if kv.Key == linkCount {
			got = int(kv.Value.AsInt64())
		}
	}
	if got != want {
		t.Errorf("%s is %d, want %d", linkCount, got, want)
	}
}

// A handler extracts and starts; the context it extracted is no ambient span.
func TestStart_InAContextOfTheSameCarrier(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		remotes []string
		option  propagation.StartOption
		parent  string
		links   string
	}{
		{name: "by default", remotes: []string{"a"}, parent: "a", links: "a"},
		{name: "AsParent", remotes: []string{"a"}, option: propagation.AsParent(), parent: "a", links: "a"},
		{name: "AsLink", remotes: []string{"a"}, option: propagation.AsLink(), parent: "none", links: "a"},
		{name: "untrusted", remotes: []string{"a"}, option: propagation.WithUntrusted(), parent: "none", links: "a"},
		{name: "too old", remotes: []string{"a"}, option: propagation.WithMaxAge(1), parent: "none", links: "a"},
		{name: "of one of several", remotes: []string{"b", "a"}, parent: "none", links: "b a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tracer, recorder := tracer()
			ctx := remotes["a"].Context(t.Context())
			started, span := propagation.Start(ctx, tracer, "process", named(tt.remotes...), tt.option)
			span.End()
			got := recorder.Ended()[0]
			if name := nameOf(got.Parent(), trace.SpanContext{}); name != tt.parent {
				t.Errorf("the parent is %s, want %s", name, tt.parent)
			}
			requireLinks(t, got, trace.SpanContext{}, tt.links)
			if tt.name == "untrusted" && baggage.FromContext(started).Len() != 0 {
				t.Errorf("the untrusted baggage is there: %s", baggage.FromContext(started))
			}
		})
	}
}

// What is sent and handled under one live span, as in one process, stays below it.
func TestStart_ALiveSpanStaysTheParentOfWhatItSent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		count  int
		option propagation.StartOption
		child  bool
	}{
		{name: "by default", count: 1, child: true},
		{name: "of several", count: 3, child: true},
		{name: "AsParent", count: 1, option: propagation.AsParent(), child: true},
		{name: "untrusted", count: 1, option: propagation.WithUntrusted(), child: true},
		{name: "AsLink", count: 1, option: propagation.AsLink(), child: false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tracer, recorder := tracer()
			ctx, live := tracer.Start(t.Context(), "send")
			sent := propagation.ReadTextMap(otelpropagation.MapCarrier(propagation.Map(ctx, defaults)), defaults)
			_, span := propagation.Start(ctx, tracer, "process", slices.Repeat([]propagation.Remote{sent}, tt.count), tt.option)
			span.End()
			got := recorder.Ended()[0]
			if child := got.Parent().SpanID() == live.SpanContext().SpanID(); child != tt.child {
				t.Errorf("a child of the live span: %t, want %t", child, tt.child)
			}
			if links := got.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != live.SpanContext().SpanID() {
				t.Errorf("the links are %v", links)
			}
		})
	}
}

func TestWithMaxAge_CountsFromTheLastHop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := propagation.ContextWithWaybill(full(t), propagation.Waybill{Origin: time.Now().Add(-time.Hour)})
		remote := remoteOf(propagation.Map(ctx, defaults))
		tracer, recorder := tracer()
		start := func() {
			_, span := propagation.Start(t.Context(), tracer, "process", []propagation.Remote{remote}, propagation.WithMaxAge(time.Minute))
			span.End()
		}
		time.Sleep(time.Minute)
		start()
		time.Sleep(time.Microsecond)
		start()
		for i, want := range []bool{true, false} {
			if got := recorder.Ended()[i].Parent().IsValid(); got != want {
				t.Errorf("start %d: the remote is the parent: %t, want %t", i, got, want)
			}
			if len(recorder.Ended()[i].Links()) != 1 {
				t.Errorf("start %d has no link", i)
			}
		}
	})
}

func TestStart_BaggageAndWaybill(t *testing.T) {
	t.Parallel()
	older := remoteOf(text{"waybill": "00-00000000000001-0123456789abcf-0001"})
	resent := remoteOf(text{"waybill": "00-0123456789abcf-00000000000002-0009"})
	type key struct{}
	for _, tt := range []struct {
		name    string
		remotes []propagation.Remote
		option  propagation.StartOption
		baggage string
		waybill string
	}{
		{name: "one", remotes: named("a"), baggage: "from=a", waybill: waybillText},
		{name: "one as a link", remotes: named("a"), option: propagation.AsLink(), baggage: "from=a", waybill: waybillText},
		{name: "one without a waybill", remotes: named("b"), baggage: "from=b", waybill: "00-00000000000009-00000000000009-0009"},
		{name: "one without a span", remotes: []propagation.Remote{remoteOf(text{"baggage": "from=c", "waybill": waybillText})}, baggage: "from=c", waybill: waybillText},
		{name: "untrusted", remotes: named("a"), option: propagation.WithUntrusted(), baggage: "from=here", waybill: "00-00000000000009-00000000000009-0009"},
		{name: "empty", remotes: named("empty"), baggage: "from=here", waybill: "00-00000000000009-00000000000009-0009"},
		{name: "none", remotes: nil, baggage: "from=here", waybill: "00-00000000000009-00000000000009-0009"},
		{name: "several", remotes: named("a", "b"), baggage: "from=here", waybill: waybillText},
		{name: "several of one context", remotes: named("a", "a"), option: propagation.AsParent(), baggage: "from=here", waybill: waybillText},
		{name: "several without a waybill", remotes: named("b", "empty"), baggage: "from=here", waybill: "00-00000000000009-00000000000009-0009"},
		{
			name: "the oldest times and the most hops", remotes: append(named("b", "a"), older, resent),
			baggage: "from=here", waybill: "00-00000000000001-00000000000002-0009",
		},
		{
			name: "in any order", remotes: append([]propagation.Remote{resent, older}, named("a")...), option: propagation.AsLink(),
			baggage: "from=here", waybill: "00-00000000000001-00000000000002-0009",
		},
		{
			name: "several, untrusted", remotes: append([]propagation.Remote{resent, older}, named("a")...), option: propagation.WithUntrusted(),
			baggage: "from=here", waybill: "00-00000000000009-00000000000009-0009",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			here, err := propagation.ParseWaybill("00-00000000000009-00000000000009-0009")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.WithValue(contents{baggage: "from=here"}.context(t), key{}, "value"))
			ctx = propagation.ContextWithWaybill(ctx, here)
			tracer, _ := tracer()
			started, span := propagation.Start(ctx, tracer, "process", tt.remotes, tt.option)
			defer span.End()
			requireBaggage(t, "the baggage", baggage.FromContext(started).String(), tt.baggage)
			if got := propagation.WaybillFromContext(started).String(); got != tt.waybill {
				t.Errorf("the waybill is %s, want %s", got, tt.waybill)
			}
			if started.Value(key{}) != "value" {
				t.Error("the values of ctx are lost")
			}
			if cancel(); started.Err() == nil {
				t.Error("the cancellation of ctx is lost")
			}
		})
	}
}

func TestStart_Tracestate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		option     propagation.StartOption
		span, link string
	}{
		{option: nil, span: "vendor=a", link: "vendor=a"},
		{option: propagation.AsLink(), span: "", link: "vendor=a"},
		{option: propagation.WithUntrusted(), span: "", link: ""},
	} {
		tracer, recorder := tracer()
		_, span := propagation.Start(t.Context(), tracer, "process", named("a"), tt.option)
		span.End()
		got := recorder.Ended()[0]
		if state := got.SpanContext().TraceState().String(); state != tt.span {
			t.Errorf("the span has the tracestate %q, want %q", state, tt.span)
		}
		if state := got.Links()[0].SpanContext.TraceState().String(); state != tt.link {
			t.Errorf("the link has the tracestate %q, want %q", state, tt.link)
		}
	}
}

// many returns n remotes of n contexts.
func many(n int) []propagation.Remote {
	list := make([]propagation.Remote, n)
	for i := range list {
		list[i] = remoteOf(text{"traceparent": fmt.Sprintf("00-%032x-%016x-01", i+1, i+1)})
	}
	return list
}

func TestStart_LinksAreChosenEvenly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		remotes int
		ambient bool
		want    int // links to remotes.
		step    int // the largest distance of two that follow each other.
	}{
		{remotes: 2, ambient: true, want: 2, step: 1},
		{remotes: 127, ambient: true, want: 127, step: 1},
		{remotes: 128, ambient: false, want: 128, step: 1},
		{remotes: 128, ambient: true, want: 127, step: 2},
		{remotes: 129, ambient: false, want: 128, step: 2},
		{remotes: 256, ambient: false, want: 128, step: 2},
		{remotes: 1000, ambient: false, want: 128, step: 8},
		{remotes: 1000, ambient: true, want: 127, step: 8},
		{remotes: 10_000, ambient: false, want: 128, step: 79},
	} {
		tracer, recorder := tracer()
		ctx := t.Context()
		if tt.ambient {
			ctx = trace.ContextWithSpanContext(ctx, spanContextOf(t, traceparentText, ""))
		}
		_, span := propagation.Start(ctx, tracer, "process", many(tt.remotes), propagation.AsLink())
		span.End()
		got := recorder.Ended()[0]
		requireCount(t, got, tt.remotes)
		links := got.Links()
		if tt.ambient {
			if last := links[len(links)-1]; last.SpanContext.TraceID() != trace.SpanContextFromContext(ctx).TraceID() {
				t.Errorf("%d remotes: the ambient span is not linked", tt.remotes)
			}
			links = links[:len(links)-1]
		}
		if len(links) != tt.want || got.DroppedLinks() != 0 {
			t.Fatalf("%d remotes: %d links to remotes, %d dropped, want %d", tt.remotes, len(links), got.DroppedLinks(), tt.want)
		}
		before := 0
		for i, link := range links {
			var id [8]byte = link.SpanContext.SpanID()
			n := int(id[6])<<8 | int(id[7])
			if i == 0 && n != 1 {
				t.Errorf("%d remotes: the first link is to number %d", tt.remotes, n)
			}
			if n <= before || n-before > tt.step {
				t.Errorf("%d remotes: number %d follows %d", tt.remotes, n, before)
			}
			before = n
		}
		if tt.remotes-before >= tt.step+1 {
			t.Errorf("%d remotes: the last link is to number %d", tt.remotes, before)
		}
	}
}

func TestStart_EarliestRemoteIsAlwaysLinked(t *testing.T) {
	t.Parallel()
	for _, earliest := range []int{0, 1, 2, 499, 777, 998, 999} {
		remotes := many(1000)
		headers := text{"traceparent": fmt.Sprintf("00-%032x-%016x-01", earliest+1, earliest+1), "waybill": waybillText}
		remotes[earliest] = remoteOf(headers)
		tracer, recorder := tracer()
		_, span := propagation.Start(t.Context(), tracer, "process", remotes, propagation.AsLink())
		span.End()
		links := recorder.Ended()[0].Links()
		if len(links) != 128 {
			t.Errorf("earliest %d: %d links, want 128", earliest, len(links))
		}
		found, before := false, uint64(0)
		for _, link := range links {
			id := link.SpanContext.SpanID()
			n := binary.BigEndian.Uint64(id[:])
			if n <= before {
				t.Errorf("earliest %d: the link to %d follows that to %d", earliest, n, before)
			}
			found, before = found || n == uint64(earliest+1), n
		}
		if !found {
			t.Errorf("earliest %d: it is not linked", earliest)
		}
	}
}

func TestWithLinkAttributes(t *testing.T) {
	t.Parallel()
	offset := func(i int) []attribute.KeyValue { return []attribute.KeyValue{attribute.Int("offset", i)} }
	for _, tt := range []struct {
		name       string
		attributes func(int) []attribute.KeyValue
		want       string
	}{
		{name: "nil", attributes: nil, want: "a[] b[] ambient[]"},
		{name: "of the index", attributes: offset, want: "a[1] b[4] ambient[]"},
		{name: "that are nil", attributes: func(int) []attribute.KeyValue { return nil }, want: "a[] b[] ambient[]"},
		{name: "that panic", attributes: func(int) []attribute.KeyValue { panic("no") }, want: "a[] b[] ambient[]"},
		{name: "of which one panics", attributes: func(i int) []attribute.KeyValue { return offset([]int{9, 8, 7, 6}[i]) }, want: "a[8] b[] ambient[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tracer, recorder := tracer()
			ambient := spanContextOf(t, "00-"+w3cTraceID+"-1234567890123456-01", "")
			_, span := propagation.Start(trace.ContextWithSpanContext(t.Context(), ambient), tracer, "process",
				named("empty", "a", "malformed", "same as a", "b"), propagation.AsLink(), propagation.WithLinkAttributes(tt.attributes))
			span.End()
			var got []string
			for _, link := range recorder.Ended()[0].Links() {
				var values []string
				for _, kv := range link.Attributes {
					values = append(values, kv.Value.String())
				}
				got = append(got, fmt.Sprint(nameOf(link.SpanContext, ambient), values))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWithSpanOptions(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_700_000_000, 0)
	own := spanContextOf(t, "00-"+w3cTraceID+"-1234567890123456-01", "")
	shared := make([]trace.SpanStartOption, 1, 8)
	shared[0] = trace.WithSpanKind(trace.SpanKindConsumer)
	options := []propagation.StartOption{
		propagation.WithSpanOptions(shared...),
		propagation.WithSpanOptions(),
		propagation.WithSpanOptions(trace.WithTimestamp(at), nil, trace.WithAttributes(attribute.Int("rows", 7))),
		propagation.WithSpanOptions(trace.WithLinks(trace.Link{SpanContext: own})),
	}
	tracer, recorder := tracer()
	for range 2 { // Twice, as options are kept and given many times.
		_, span := propagation.Start(t.Context(), tracer, "process", named("a", "b"), options...)
		span.End()
	}
	if len(recorder.Ended()) != 2 {
		t.Fatalf("%d spans were recorded, want 2", len(recorder.Ended()))
	}
	for _, got := range recorder.Ended() {
		if got.SpanKind() != trace.SpanKindConsumer || !got.StartTime().Equal(at) {
			t.Errorf("the kind is %v and the start %v", got.SpanKind(), got.StartTime())
		}
		if !slices.Contains(got.Attributes(), attribute.Int("rows", 7)) {
			t.Errorf("the attributes are %v", got.Attributes())
		}
		requireCount(t, got, 2)
		requireLinks(t, got, own, "ambient a b")
	}
	if extra := shared[:cap(shared)]; extra[1] != nil {
		t.Error("Start wrote to the options of its caller")
	}
}

// parentBased samples what its parent sampled, and no root.
func parentBased() sdktrace.TracerProviderOption {
	return sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))
}

func TestStart_SamplingFollowsTheParentOnly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		remotes []string
		option  propagation.StartOption
		want    bool
	}{
		{name: "a sampled parent", remotes: []string{"a"}, want: true},
		{name: "an unsampled parent", remotes: []string{"b"}, want: false},
		{name: "a sampled link", remotes: []string{"a"}, option: propagation.AsLink(), want: false},
		{name: "an untrusted one", remotes: []string{"a"}, option: propagation.WithUntrusted(), want: false},
		{name: "several", remotes: []string{"a", "sibling"}, want: false},
	} {
		tracer, recorder := tracer(parentBased())
		ctx, span := propagation.Start(t.Context(), tracer, "process", named(tt.remotes...), tt.option)
		span.End()
		if got := span.SpanContext().IsSampled(); got != tt.want || len(recorder.Ended()) == 1 != tt.want {
			t.Errorf("%s makes the span sampled: %t, want %t", tt.name, got, tt.want)
		}
		if !trace.SpanContextFromContext(ctx).IsValid() || propagation.Map(ctx, defaults)["traceparent"] == "" {
			t.Errorf("%s: a context that is not sampled is written too", tt.name)
		}
	}
}

// linkSampler samples by what it is shown.
type linkSampler struct{ seen []trace.Link }

func (s *linkSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	s.seen = p.Links
	return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample}
}

func (*linkSampler) Description() string { return "links" }

// Links are known when the span starts.
func TestStart_SamplersSeeTheLinks(t *testing.T) {
	t.Parallel()
	sampler := &linkSampler{}
	tracer, _ := tracer(sdktrace.WithSampler(sampler))
	_, span := propagation.Start(t.Context(), tracer, "process", named("a", "b"))
	span.End()
	if len(sampler.seen) != 2 {
		t.Errorf("the sampler saw %d links, want 2", len(sampler.seen))
	}
}

type panickingSampler struct{}

func (panickingSampler) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	panic("a sampler that panics")
}
func (panickingSampler) Description() string { return "panics" }

// hostileTracer starts what f does.
type hostileTracer struct {
	embedded.Tracer

	f func(ctx context.Context) (context.Context, trace.Span)
}

func (h *hostileTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return h.f(ctx)
}

func TestStart_HostileTracers(t *testing.T) {
	t.Parallel()
	panicking, _ := tracer(sdktrace.WithSampler(panickingSampler{}))
	for name, hostile := range map[string]trace.Tracer{
		"nil":                 nil,
		"a nil pointer":       (*hostileTracer)(nil),
		"a panicking sampler": panicking,
		"a panicking tracer":  &hostileTracer{f: func(context.Context) (context.Context, trace.Span) { panic("no") }},
		"a nil span":          &hostileTracer{f: func(ctx context.Context) (context.Context, trace.Span) { return ctx, nil }},
		"nothing at all":      &hostileTracer{f: func(context.Context) (context.Context, trace.Span) { return nil, nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			type key struct{}
			ctx := context.WithValue(t.Context(), key{}, "value")
			for _, options := range [][]propagation.StartOption{nil, {propagation.AsLink()}, {nil, propagation.AsParent()}} {
				started, span := propagation.Start(ctx, hostile, "process", named("a"), options...)
				if span == nil || started == nil {
					t.Fatalf("Start returned %v, %v", started, span)
				}
				span.SetAttributes(attribute.Int("rows", 1))
				span.End()
				if span.IsRecording() {
					t.Error("the span records")
				}
				if started.Value(key{}) != "value" || propagation.WaybillFromContext(started).String() != waybillText {
					t.Error("ctx, or what the remote carries, is lost")
				}
			}
			started, span := propagation.Start(ctx, hostile, "process", named("a"))
			span.End()
			if !trace.SpanContextFromContext(started).Equal(remotes["a"].SpanContext()) {
				t.Error("the context of the remote is not passed on")
			}
		})
	}
}

func TestStart_UntrustedWithoutAnSDK(t *testing.T) {
	t.Parallel()
	ctx := remotes["a"].Context(t.Context())
	for name, silent := range map[string]trace.Tracer{"nil": nil, "noop": noop.Tracer{}} {
		started, span := propagation.Start(ctx, silent, "process", named("a"), propagation.WithUntrusted())
		span.End()
		if carried := propagation.Map(started, defaults); len(carried) != 0 {
			t.Errorf("%s: the untrusted context is written: %v", name, carried)
		}
	}
}

func TestStart_NilContext(t *testing.T) {
	t.Parallel()
	tracer, recorder := tracer()
	started, span := propagation.Start(nil, tracer, "process", named("a"), nil) //nolint:staticcheck // a nil ctx is documented.
	span.End()
	if started == nil || nameOf(recorder.Ended()[0].Parent(), trace.SpanContext{}) != "a" {
		t.Error("the remote is not the parent")
	}
	if started, span = propagation.Start(nil, nil, "", nil); started == nil || span == nil { //nolint:staticcheck // a nil ctx is documented.
		t.Error("nothing is returned for nothing")
	}
	span.End()
}

func TestStart_DoesNotModifyRemotes(t *testing.T) {
	t.Parallel()
	list := named("a", "b", "a", "empty")
	tracer, _ := tracer()
	_, span := propagation.Start(t.Context(), tracer, "process", list, propagation.WithUntrusted())
	span.End()
	for i, name := range []string{"a", "b", "a", "empty"} {
		if !list[i].SpanContext().Equal(remotes[name].SpanContext()) || list[i].Baggage().Len() != remotes[name].Baggage().Len() {
			t.Errorf("remote %d changed", i)
		}
	}
}
