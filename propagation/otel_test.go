// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// openTelemetry is the oracle: its own propagators on its own carriers.
var openTelemetry = otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, otelpropagation.Baggage{})

// multi is a carrier that repeats keys, as OpenTelemetry and this package read it.
type multi map[string][]string

func (m multi) Get(key string) string {
	if len(m[key]) == 0 {
		return ""
	}
	return m[key][0]
}
func (m multi) Set(key, value string)      { m[key] = []string{value} }
func (m multi) Values(key string) []string { return m[key] }
func (m multi) Keys() []string             { return nil }
func (m multi) String() string             { return strings.Join(m["baggage"], "|") }
func (m multi) carriers() map[string]carrier {
	return map[string]carrier{"repeats": m, "one": m.joined()}
}

type carrier = propagation.TextMapCarrier

// joined is m as a map.
func (m multi) joined() otelpropagation.MapCarrier {
	one := otelpropagation.MapCarrier{}
	for key, values := range m {
		one[key] = strings.Join(values, ",")
	}
	return one
}

// FuzzExtract compares all that is read of any three
// values. What differs, by promise, is a version 00 with a dash at its end, and
// that nothing is read beside a malformed traceparent.
func FuzzExtract(f *testing.F) {
	for _, traceparent := range []string{"", traceparentText, otherText, "00-0", "cc" + traceparentText[2:] + "-x", traceparentText + "-"} {
		for _, tracestate := range []string{
			"", "a=1", "a=1,b@c=2", "a=1,a=2", "A=1", " a=1 ,, b=2\t", "a", "=", "a=1,", strings.Repeat("a=1,", 40), "a=" + repeated(257), "\xff=1",
		} {
			f.Add(traceparent, tracestate, "user=alice", "tier=gold")
		}
		for _, members := range []string{
			"", ",", "=", "a", "a=1,a=2", "a=%20;p;q=1", "a=%zz,b=1", "a =1 , b= 2", "a=\"1\"", "ключ=1", "a=%ff", "a=\xff", "a=1;=", "a=1,,b=2",
			"a=" + repeated(8190), "a=" + repeated(8191), "a=" + repeated(4096) + ",b=" + repeated(4089),
		} {
			f.Add(traceparent, "", members, "")
			f.Add(traceparent, "", members, "b=other,c=3")
		}
	}
	f.Fuzz(func(t *testing.T, traceparent, tracestate, first, second string) {
		ambient := contents{"00-" + w3cTraceID + "-1234567890123456-01", "", "ambient=1"}.context(t)
		m := multi{"traceparent": {traceparent}, "tracestate": {tracestate}, "baggage": {first, second}}
		if second == "" {
			m["baggage"] = m["baggage"][:1]
		}
		malformed := traceparent != "" && !trace.SpanContextFromContext(openTelemetry.Extract(t.Context(), m)).IsValid() ||
			len(traceparent) == 56 && strings.HasPrefix(traceparent, "00") && strings.HasSuffix(traceparent, "-")
		for name, c := range m.carriers() {
			for kind, option := range map[string]propagation.Option{"native": defaults, "mixed": withRequestID["composite"]} {
				for _, ctx := range []context.Context{t.Context(), ambient} {
					got := propagation.ExtractTextMap(ctx, c, option)
					if malformed {
						if got != ctx {
							t.Errorf("%s, %s: the malformed %q changed the context", name, kind, traceparent)
						}
						continue
					}
					requireSame(openTelemetry.Extract(ctx, c), got, t, name+", "+kind)
					requireSame(openTelemetry.Extract(ctx, c), propagation.ReadTextMap(c, option).Context(ctx), t, name+", "+kind+", read")
				}
			}
		}
	})
}

// requireSame checks that got carries what want does.
func requireSame(want, got context.Context, t *testing.T, name string) {
	t.Helper()
	if want, got := trace.SpanContextFromContext(want), trace.SpanContextFromContext(got); !got.Equal(want) {
		t.Errorf("%s: the span context is %v %v, want %v %v", name, got, got.TraceState(), want, want.TraceState())
	}
	if diff := cmp.Diff(membersOf(want), membersOf(got)); diff != "" && len(membersOf(want)) < maxMembers {
		t.Errorf("%s: baggage (-want +got):\n%s", name, diff)
	}
}

// maxMembers is how many members a baggage has at most. Which of more are kept
// OpenTelemetry leaves to chance. https://www.w3.org/TR/baggage/#limits
const maxMembers = 64

// membersOf returns the members of the baggage of ctx with their properties.
func membersOf(ctx context.Context) map[string]string {
	members := map[string]string{}
	for _, m := range baggage.FromContext(ctx).Members() {
		members[m.Key()] = m.Value() + " as " + m.String()
	}
	return members
}

// FuzzInject compares all that is written of any context
// that can be made.
func FuzzInject(f *testing.F) {
	id := []byte("0123456789abcdef")
	f.Add(id, id[:8], byte(1), "a=1", "user", "alice", "tier", "gold;x")
	f.Add(id, id[:8], byte(0xff), "a=1,b@c=2", "ключ", "значение", "k", "%,;=\\\" ")
	f.Add(id, id[:8], byte(3), "", "a", "", "b", "\x00\x7f")
	f.Add(id, id[:8], byte(2), "a=1,a=2", "a b", "1", "", "2")
	f.Add(make([]byte, 16), id[:8], byte(1), "a=1", "user", "alice", "", "")
	f.Add(id, make([]byte, 8), byte(1), "a=1", "user", "alice", "", "")
	f.Add(id, id[:8], byte(1), "a="+repeated(256), "k", repeated(8200), "l", "x")
	f.Fuzz(func(t *testing.T, traceID, spanID []byte, flags byte, tracestate, key, value, otherKey, otherValue string) {
		var cfg trace.SpanContextConfig
		copy(cfg.TraceID[:], traceID)
		copy(cfg.SpanID[:], spanID)
		cfg.TraceFlags = trace.TraceFlags(flags)
		cfg.TraceState, _ = trace.ParseTraceState(tracestate)
		sc := trace.NewSpanContext(cfg)
		ctx := trace.ContextWithSpanContext(t.Context(), sc)
		var members baggage.Baggage
		for _, pair := range [][2]string{{key, value}, {otherKey, otherValue}} {
			if m, err := baggage.NewMemberRaw(pair[0], pair[1]); err == nil {
				members, _ = members.SetMember(m)
			}
		}
		ctx = baggage.ContextWithBaggage(ctx, members)

		want := otelpropagation.MapCarrier{}
		openTelemetry.Inject(ctx, want)
		for name, got := range map[string]text{
			"text": inject(ctx, text{}, textAccessor{}, defaults), "bytes": injectList(ctx, defaults), "TextMap": injectTextMap(ctx, defaults),
		} {
			if diff := cmp.Diff(sorted(want), sorted(otelpropagation.MapCarrier(got.without("waybill")))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			for key, value := range got {
				if !utf8.ValidString(value) {
					t.Errorf("%s: %s is not valid UTF-8: %q", name, key, value)
				}
			}
			requireSame(openTelemetry.Extract(t.Context(), want), propagation.Extract(t.Context(), got, textAccessor{}, defaults), t, name+", read back")
		}
	})
}

// sorted returns c with the members of its baggage in order, which
// OpenTelemetry leaves to chance.
func sorted(c otelpropagation.MapCarrier) map[string]string {
	result := map[string]string{}
	for key, value := range c {
		if first, second, two := strings.Cut(value, ","); key == "baggage" && two && second < first {
			value = second + "," + first
		}
		result[key] = value
	}
	return result
}
