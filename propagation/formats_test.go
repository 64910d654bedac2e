// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// ordered is the accessor of a list whose order is that of writing: the last
// value counts.
type ordered struct{}

func (a ordered) Get(c *list, key string) string {
	if i := a.Index(c, key); i >= 0 {
		return string((*c)[i].value)
	}
	return ""
}

func (ordered) Index(c *list, key string) int {
	for i, h := range slices.Backward(*c) {
		if h.key == key && len(h.value) > 0 {
			return i
		}
	}
	return -1
}

func (ordered) Keys(c *list) []string { return listAccessor{}.Keys(c) }

// orderedList is a list with the methods of ordered.
type orderedList struct{ ownList }

func (l *orderedList) Get(key string) string { return ordered{}.Get(&l.list, key) }
func (l *orderedList) Index(key string) int  { return ordered{}.Index(&l.list, key) }
func (l *orderedList) GetBytes(key string) []byte {
	if value := l.Get(key); value != "" {
		return []byte(value)
	}
	return nil
}

// flagged is renamed with a value of its own in the context it extracts, as B3
// has for its debug flag.
type flagged struct{ renamed }

type flagKey struct{ key string }

func (p flagged) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	extracted := p.renamed.Extract(ctx, carrier)
	if extracted == ctx {
		return ctx
	}
	return context.WithValue(extracted, flagKey{p.key}, true)
}

func TestRead_TheNewestFormatWins(t *testing.T) {
	t.Parallel()
	const third = "00-33333333333333333333333333333333-3333333333333333-01"
	b3, jaeger := flagged{renamed{"b3"}}, flagged{renamed{"uber-trace-id"}}
	for _, tt := range []struct {
		name       string
		propagator propagation.TextMapPropagator
		headers    []string // key=value, oldest first.
		want       string
		conflict   bool
		flag       string // of the format that was read.
	}{
		{name: "one", propagator: propagation.Compose(propagation.Default(), b3), headers: []string{"traceparent=" + traceparentText}, want: traceparentText},
		{name: "the other", propagator: propagation.Compose(propagation.Default(), b3), headers: []string{"b3=" + otherText}, want: otherText, flag: "b3"},
		{
			name: "a newer traceparent", propagator: propagation.Compose(propagation.Default(), b3),
			headers: []string{"b3=" + otherText, "app=1", "traceparent=" + traceparentText},
			want:    traceparentText, conflict: true,
		},
		{
			name: "a newer traceparent, listed last", propagator: propagation.Compose(b3, propagation.Default()),
			headers: []string{"b3=" + otherText, "traceparent=" + traceparentText},
			want:    traceparentText, conflict: true,
		},
		{
			name: "a newer b3", propagator: propagation.Compose(propagation.Default(), b3),
			headers: []string{"traceparent=" + traceparentText, "b3=" + otherText},
			want:    otherText, conflict: true, flag: "b3",
		},
		{
			name: "a newer b3, listed first", propagator: propagation.Compose(b3, propagation.Default()),
			headers: []string{"traceparent=" + traceparentText, "b3=" + otherText},
			want:    otherText, conflict: true, flag: "b3",
		},
		{
			name: "three formats, the newest in the middle", propagator: propagation.Compose(propagation.Default(), b3, jaeger),
			headers: []string{"uber-trace-id=" + third, "traceparent=" + traceparentText, "b3=" + otherText},
			want:    otherText, conflict: true, flag: "b3",
		},
		{
			name: "three formats, the newest first", propagator: propagation.Compose(propagation.Default(), b3, jaeger),
			headers: []string{"uber-trace-id=" + third, "b3=" + otherText, "traceparent=" + traceparentText},
			want:    traceparentText, conflict: true,
		},
		{
			name: "one context in two formats", propagator: propagation.Compose(propagation.Default(), b3),
			headers: []string{"traceparent=" + traceparentText, "b3=" + traceparentText},
			want:    traceparentText, flag: "b3",
		},
		{
			name: "one context again, newer than another", propagator: propagation.Compose(propagation.Default(), jaeger, b3),
			headers: []string{"traceparent=" + traceparentText, "b3=" + otherText, "uber-trace-id=" + traceparentText},
			want:    traceparentText, conflict: true,
		},
		{
			name: "a newer baggage counts for none", propagator: propagation.Compose(propagation.Default(), b3),
			headers: []string{"traceparent=" + traceparentText, "b3=" + otherText, "baggage=a=1", "tracestate=x=1", "waybill=" + waybillText},
			want:    otherText, conflict: true, flag: "b3",
		},
		{
			name: "a newer value that is malformed", propagator: propagation.Compose(propagation.Default(), b3),
			headers: []string{"b3=" + otherText, "traceparent=00-"},
			want:    otherText, flag: "b3",
		},
		{
			name: "an older value that is malformed", propagator: propagation.Compose(propagation.Default(), b3),
			headers: []string{"b3=secret", "traceparent=" + traceparentText},
			want:    traceparentText,
		},
		{
			name: "a newer baggage of an opaque format counts for none", propagator: propagation.Compose(opaque{propagation.Default()}, b3),
			headers: []string{"traceparent=" + traceparentText, "b3=" + otherText, "baggage=a=1"}, want: otherText, conflict: true, flag: "b3",
		},
		{
			name: "opaque formats", propagator: propagation.Compose(opaque{propagation.TraceContext{}}, b3),
			headers: []string{"b3=" + otherText, "traceparent=" + traceparentText},
			want:    traceparentText, conflict: true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			option := propagation.WithPropagator(tt.propagator)
			var headers list
			for _, h := range tt.headers {
				key, value, _ := strings.Cut(h, "=")
				headers = append(headers, header{key, []byte(value)})
			}
			want := spanContextOf(t, tt.want, "")
			own := &orderedList{ownList{headers}}
			for kind, remote := range map[string]propagation.Remote{
				"accessor": propagation.Read(&headers, ordered{}, option), "own methods": propagation.ReadTextMap(own, option),
			} {
				if got := remote.SpanContext(); got.TraceID() != want.TraceID() || remote.Conflict() != tt.conflict || remote.Err() != nil {
					t.Errorf("%s: read %v (conflict %t, %v), want %v (conflict %t)", kind, got.TraceID(), remote.Conflict(), remote.Err(), want.TraceID(), tt.conflict)
				}
			}
			for kind, ctx := range map[string]context.Context{
				"Extract": propagation.Extract(t.Context(), &headers, ordered{}, option),
				"Context": propagation.Read(&headers, ordered{}, option).Context(t.Context()),
				"ambient": propagation.Extract(full(t), &headers, ordered{}, option),
			} {
				if got := trace.SpanContextFromContext(ctx); got.TraceID() != want.TraceID() {
					t.Errorf("%s: continued %v, want %v", kind, got.TraceID(), want.TraceID())
				}
				for _, key := range []string{"b3", "uber-trace-id"} {
					if got := ctx.Value(flagKey{key}) != nil; got != (key == tt.flag) && tt.name != "one context again, newer than another" {
						t.Errorf("%s: the flag of %s is there: %t", kind, key, got)
					}
				}
			}
		})
	}
}

// Without an order the last propagator wins, as it does for OpenTelemetry.
func TestRead_WithoutAnOrderTheLastFormatWins(t *testing.T) {
	t.Parallel()
	carrier := text{"traceparent": traceparentText, "b3": otherText}
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		want       string
	}{
		"b3 last":            {propagator: propagation.Compose(propagation.Default(), renamed{"b3"}), want: otherText},
		"trace context last": {propagator: propagation.Compose(renamed{"b3"}, propagation.Default()), want: traceparentText},
	} {
		remote := propagation.Read(carrier, textAccessor{}, propagation.WithPropagator(tt.propagator))
		theirs := trace.SpanContextFromContext(tt.propagator.Extract(t.Context(), &orderedList{ownList{list{
			{"traceparent", []byte(traceparentText)}, {"b3", []byte(otherText)},
		}}}))
		if got := remote.SpanContext(); got.TraceID() != spanContextOf(t, tt.want, "").TraceID() || got.TraceID() != theirs.TraceID() || !remote.Conflict() {
			t.Errorf("%s: read %v (conflict %t), want %v", name, got.TraceID(), remote.Conflict(), tt.want)
		}
	}
}

func TestEncode_OfTwoFormatsWithOneKeyTheLastWins(t *testing.T) {
	t.Parallel()
	fixed := constant{"traceparent", "mine"}
	for name, tt := range map[string]struct {
		propagator propagation.TextMapPropagator
		want       string
	}{
		"theirs last": {propagator: propagation.Compose(propagation.Default(), fixed), want: "mine"},
		"ours last":   {propagator: propagation.Compose(fixed, propagation.Default()), want: traceparentText},
		"two of them": {propagator: propagation.Compose(fixed, constant{"traceparent", "other"}), want: "other"},
	} {
		f := propagation.Encode(full(t), propagation.WithPropagator(tt.propagator))
		n := 0
		for key, value := range f.All() {
			if key == "traceparent" {
				n++
				if value != tt.want {
					t.Errorf("%s: the traceparent is %q, want %q", name, value, tt.want)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: there are %d traceparents", name, n)
		}
	}
}

// constant always sets one value.
type constant struct{ key, value string }

func (c constant) Inject(_ context.Context, carrier propagation.TextMapCarrier) {
	carrier.Set(c.key, "first")
	carrier.Set(c.key, c.value)
	carrier.Set("gone", "x")
	carrier.Set("gone", "")
	if carrier.Get(c.key) != c.value || carrier.Get("gone") != "" || len(carrier.Keys()) != 1 {
		carrier.Set("error", fmt.Sprint(carrier.Keys()))
	}
}

func (constant) Extract(ctx context.Context, _ propagation.TextMapCarrier) context.Context {
	return ctx
}
func (c constant) Fields() []string { return []string{c.key} }

// A tracestate in several values is one, unless there are several traceparents:
// then each has one of its own.
func TestRead_SplitTracestate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		headers list
		want    string
	}{
		{name: "one", headers: list{{"traceparent", []byte(traceparentText)}, {"tracestate", []byte("a=1,b=2")}}, want: "a=1,b=2"},
		{name: "two", headers: list{{"tracestate", []byte("a=1")}, {"traceparent", []byte(traceparentText)}, {"tracestate", []byte("b=2")}}, want: "a=1,b=2"},
		{name: "three, with an empty one", headers: list{
			{"traceparent", []byte(traceparentText)}, {"tracestate", []byte("a=1")}, {"tracestate", nil}, {"tracestate", []byte("b=2 , c=3")},
		}, want: "a=1,b=2,c=3"},
		{name: "with a key twice", headers: list{{"traceparent", []byte(traceparentText)}, {"tracestate", []byte("a=1")}, {"tracestate", []byte("a=2")}}, want: ""},
		{name: "of two contexts", headers: list{
			{"traceparent", []byte(traceparentText)}, {"tracestate", []byte("a=1")}, {"traceparent", []byte(traceparentText)}, {"tracestate", []byte("b=2")},
		}, want: "a=1"}, // As Get returns the first of both.
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, remote := range map[string]propagation.Remote{
				"accessor":    propagation.Read(&tt.headers, listAccessor{}, defaults),
				"own methods": propagation.ReadTextMap(&ownList{tt.headers}, defaults),
				"mixed":       propagation.Read(&tt.headers, listAccessor{}, withRequestID["composite"]),
			} {
				if got := remote.SpanContext().TraceState().String(); got != tt.want || remote.Err() != nil {
					t.Errorf("%s: the tracestate is %q (%v), want %q", name, got, remote.Err(), tt.want)
				}
			}
		})
	}
}

// valueContext is a context that cannot be compared.
type valueContext struct {
	context.Context //nolint:containedctx // it is a context.

	values map[any]any
}

func (c valueContext) Value(key any) any {
	if value, ok := c.values[key]; ok {
		return value
	}
	return c.Context.Value(key)
}

func TestExtract_IntoAContextThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	ctx := valueContext{full(t), map[any]any{requestIDKey{}: "own"}}
	for name, option := range withRequestID {
		for _, carrier := range []text{nil, {"x-request-id": "r-1"}, {"traceparent": otherText}, {"traceparent": "00-"}} {
			got := propagation.Extract(ctx, carrier, textAccessor{}, option)
			want := any("own")
			if carrier["x-request-id"] != "" {
				want = "r-1"
			}
			requireRequestID(got, t, name, want)
			remote := propagation.Read(carrier, textAccessor{}, option)
			requireRequestID(remote.Context(ctx), t, name+", Context", want)
			started, span := propagation.Start(remote.Context(ctx), nil, "process", []propagation.Remote{remote}, propagation.WithUntrusted())
			span.End()
			requireRequestID(started, t, name+", untrusted", "own")
		}
	}
}

// FuzzRead_Formats reads headers of several formats in any order: Extract and
// Read agree, and what is read was there.
func FuzzRead_Formats(f *testing.F) {
	for _, seed := range []string{
		"", "traceparent=" + traceparentText, "b3=" + otherText + "\ntraceparent=" + traceparentText, "traceparent=00-\nb3=" + otherText,
		"x-request-id=r\nbaggage=a=1\nwaybill=" + waybillText, "uber-trace-id=" + traceparentText + "\nb3=\ntraceparent=" + traceparentText,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		var headers list
		for line := range strings.SplitSeq(lines, "\n") {
			key, value, _ := strings.Cut(line, "=")
			headers = append(headers, header{key, []byte(value)})
		}
		for _, p := range []propagation.TextMapPropagator{
			propagation.Compose(propagation.Default(), flagged{renamed{"b3"}}, renamed{"uber-trace-id"}, requestID{}),
			propagation.Compose(requestID{}, renamed{"uber-trace-id"}, flagged{renamed{"b3"}}, opaque{propagation.Default()}),
		} {
			option := propagation.WithPropagator(p)
			for _, ctx := range []context.Context{t.Context(), full(t)} {
				remote := propagation.Read(&headers, ordered{}, option)
				want := propagation.Extract(ctx, &headers, ordered{}, option)
				got := remote.Context(ctx)
				requireSame(want, got, t, "Context")
				if got.Value(requestIDKey{}) != want.Value(requestIDKey{}) || got.Value(flagKey{"b3"}) != want.Value(flagKey{"b3"}) {
					t.Errorf("Extract and Read differ in the values they find")
				}
				if remote.Err() == nil && !strings.Contains(lines, remote.SpanContext().TraceID().String()) {
					t.Errorf("read %v, which is not there", remote.SpanContext().TraceID())
				}
			}
		}
	})
}
