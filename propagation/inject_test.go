// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagation"
)

func TestInject_WritesWhatOpenTelemetryWould(t *testing.T) {
	t.Parallel()
	for _, traceparent := range []string{
		traceparentText, otherText,
		"00-00000000000000000000000000000001-0000000000000001-02",
		"00-ffffffffffffffffffffffffffffffff-ffffffffffffffff-03",
	} {
		for _, tracestate := range []string{"", "a=1", "a=1,b@c=2"} {
			for _, members := range []string{"", "user=alice", "user=al%20ice;ttl=5"} {
				ctx := contents{traceparent, tracestate, members}.context(t)
				want := otelpropagation.MapCarrier{}
				otelpropagation.TraceContext{}.Inject(ctx, want)
				otelpropagation.Baggage{}.Inject(ctx, want)

				for name, got := range map[string]text{
					"text":       inject(ctx, text{}, textAccessor{}, defaults),
					"set only":   inject(ctx, text{}, setOnly, defaults),
					"bytes":      injectList(ctx, defaults),
					"Map":        propagation.Map(ctx, defaults),
					"TextMap":    injectTextMap(ctx, defaults),
					"not native": inject(ctx, text{}, textAccessor{}, propagation.WithPropagator(opaque{propagation.Default()})),
				} {
					if diff := cmp.Diff(text(want), got.without("waybill")); diff != "" {
						t.Errorf("%s differs from OpenTelemetry (-want +got):\n%s", name, diff)
					}
					if !regexp.MustCompile(`^00-[0-9a-f]{14}-[0-9a-f]{14}-0001$`).MatchString(got["waybill"]) {
						t.Errorf("%s: the waybill is %q", name, got["waybill"])
					}
				}
			}
		}
	}
}

func inject(ctx context.Context, carrier text, setter propagation.Setter[text], opts ...propagation.Option) text {
	propagation.Inject(ctx, carrier, setter, opts...)
	return carrier
}

func injectList(ctx context.Context, opts ...propagation.Option) text {
	var carrier list
	propagation.Inject(ctx, &carrier, listAccessor{}, opts...)
	result := text{}
	for _, h := range carrier {
		result[h.key] = string(h.value)
	}
	return result
}

func injectTextMap(ctx context.Context, opts ...propagation.Option) text {
	carrier := otelpropagation.MapCarrier{}
	propagation.InjectTextMap(ctx, carrier, opts...)
	return text(carrier)
}

func TestInject_BaggageIsInOrder(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparentText, "", "c=3,a=1,b=2,d=4,e=5"}.context(t)
	for range 50 {
		if got := propagation.Map(ctx, defaults)["baggage"]; got != "a=1,b=2,c=3,d=4,e=5" {
			t.Fatalf("the baggage is %q", got)
		}
	}
}

// stale is a carrier of an earlier context, with a key of its user's.
func stale() text {
	return text{"traceparent": otherText, "tracestate": "old=1", "baggage": "old=1", "waybill": waybillText, "tenant": "acme"}
}

func TestInject_WithoutASpan(t *testing.T) {
	t.Parallel()
	nothing, onlyBaggage := contents{}, contents{baggage: "user=alice"}
	old := stale().without("traceparent") // Without a trace context.
	for _, tt := range []struct {
		name   string
		ctx    contents
		policy propagation.Policy
		in     text
		want   text
	}{
		{name: "nothing in ctx, by default", ctx: nothing, policy: 0, in: stale(), want: stale()},
		{name: "nothing in ctx, Replace", ctx: nothing, policy: propagation.Replace, in: stale(), want: text{"tenant": "acme"}},
		{name: "nothing in ctx, KeepExisting", ctx: nothing, policy: propagation.KeepExisting, in: stale(), want: stale()},
		{name: "nothing in ctx, an unknown policy", ctx: nothing, policy: 99, in: stale(), want: stale()},
		{name: "nothing in ctx, no trace context on the carrier", ctx: nothing, policy: 0, in: old, want: old},
		{name: "nothing in ctx, an empty carrier", ctx: nothing, policy: 0, in: text{}, want: text{}},
		{name: "baggage, by default", ctx: onlyBaggage, policy: 0, in: stale(), want: stale()},
		{name: "baggage, Replace", ctx: onlyBaggage, policy: propagation.Replace, in: stale(), want: text{"tenant": "acme", "baggage": "user=alice"}},
		{name: "baggage, KeepExisting", ctx: onlyBaggage, policy: propagation.KeepExisting, in: stale(), want: stale()},
		{name: "baggage, an unknown policy", ctx: onlyBaggage, policy: 99, in: stale(), want: stale()},
		{name: "baggage, no trace context on the carrier", ctx: onlyBaggage, policy: 0, in: old, want: text{"tenant": "acme", "baggage": "user=alice"}},
		{name: "baggage, an empty carrier", ctx: onlyBaggage, policy: 0, in: text{}, want: text{"baggage": "user=alice"}},
		{
			name: "baggage, a malformed trace context on the carrier", ctx: onlyBaggage, policy: 0,
			in:   text{"traceparent": "00-", "waybill": waybillText},
			want: text{"baggage": "user=alice"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, option := range map[string]propagation.Option{"native": defaults, "not native": notNative} {
				got := inject(tt.ctx.context(t), tt.in.without(), textAccessor{}, option, propagation.WithPolicy(tt.policy))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
	for policy, want := range map[propagation.Policy]text{0: stale(), propagation.Replace: {"tenant": "acme"}, propagation.KeepExisting: stale()} {
		if diff := cmp.Diff(want, inject(nil, stale(), textAccessor{}, defaults, propagation.WithPolicy(policy))); diff != "" { //nolint:staticcheck // a nil ctx is documented.
			t.Errorf("a nil ctx, policy %d (-want +got):\n%s", policy, diff)
		}
	}
	if got := propagation.Map(t.Context(), defaults); got == nil || len(got) != 0 {
		t.Errorf("Map without a span is %#v, want an empty map", got)
	}
}

func TestInject_WaybillWithoutASpan(t *testing.T) {
	t.Parallel()
	ctx := propagation.ContextWithWaybill(t.Context(), remotes["a"].Waybill())
	for name, option := range map[string]propagation.Option{"native": defaults, "not native": notNative} {
		for kind, got := range map[string]text{
			"an empty carrier": inject(ctx, text{}, textAccessor{}, option),
			"set only":         inject(ctx, text{}, setOnly, option),
			"an older waybill": inject(ctx, text{"waybill": "00-00000000000001-00000000000001-0001"}, textAccessor{}, option),
			"a half context":   inject(ctx, text{"tracestate": "old=1", "baggage": "old=1"}, textAccessor{}, option),
		} {
			w, err := propagation.ParseWaybill(got["waybill"])
			if err != nil || len(got) != 1 || !w.Origin.Equal(remotes["a"].Waybill().Origin) || w.Hops != remotes["a"].Waybill().Hops+1 {
				t.Errorf("%s, %s: got %v, want the waybill of ctx one hop on", name, kind, got)
			}
		}
		if diff := cmp.Diff(stale(), inject(ctx, stale(), textAccessor{}, option)); diff != "" {
			t.Errorf("%s: beside the trace context of something else (-want +got):\n%s", name, diff)
		}
	}
}

func TestWithPolicy(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparent: traceparentText}.context(t)
	replaced := text{"traceparent": traceparentText, "tenant": "acme"}
	for _, tt := range []struct {
		name   string
		policy propagation.Policy
		in     text
		want   text
	}{
		{name: "by default", policy: 0, in: stale(), want: replaced},
		{name: "unknown", policy: -1, in: stale(), want: replaced},
		{name: "Replace", policy: propagation.Replace, in: stale(), want: replaced},
		{name: "KeepExisting", policy: propagation.KeepExisting, in: stale(), want: stale().without("waybill")},
		{name: "KeepExisting on an empty carrier", policy: propagation.KeepExisting, in: text{"tenant": "acme"}, want: replaced},
		{name: "KeepExisting of a malformed one", policy: propagation.KeepExisting, in: text{"traceparent": "00-0", "tracestate": "old=1", "tenant": "acme"}, want: replaced},
		{name: "KeepExisting of a half one", policy: propagation.KeepExisting, in: text{"tracestate": "old=1", "baggage": "old=1", "tenant": "acme"}, want: replaced},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, option := range map[string]propagation.Option{
				"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()}),
			} {
				got := inject(ctx, tt.in.without(), textAccessor{}, option, propagation.WithPolicy(tt.policy)).without("waybill")
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
	t.Run("KeepExisting with a bare setter", func(t *testing.T) {
		t.Parallel()
		if got := inject(ctx, stale(), setOnly, defaults, propagation.WithPolicy(propagation.KeepExisting)); got["traceparent"] != traceparentText {
			t.Errorf("it keeps %q, which it cannot read", got["traceparent"])
		}
	})
}

func TestInject_ClearsByTheBestMeans(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparent: traceparentText}.context(t)
	for _, tt := range []struct {
		name   string
		setter propagation.Setter[text]
		want   text
	}{
		{name: "Deleter", setter: textAccessor{}, want: text{"traceparent": traceparentText, "tenant": "acme"}},
		{name: "Getter", setter: getSet{}, want: text{"traceparent": traceparentText, "tracestate": "", "baggage": "", "tenant": "acme"}},
		{name: "neither", setter: setOnly, want: text{"traceparent": traceparentText, "tracestate": "old=1", "baggage": "old=1", "tenant": "acme"}},
	} {
		for name, option := range map[string]propagation.Option{
			"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()}),
		} {
			got := inject(ctx, stale(), tt.setter, option).without("waybill")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, name, diff)
			}
		}
	}
	got := inject(ctx, text{}, getSet{}, defaults).without("waybill")
	if diff := cmp.Diff(text{"traceparent": traceparentText}, got); diff != "" {
		t.Errorf("nothing is set to be empty that was not there (-want +got):\n%s", diff)
	}
}

// openTracing writes a key for each member of the baggage, as the format of
// that name does, and tells nobody.
type openTracing struct{ propagation.TraceContext }

func (p openTracing) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	p.TraceContext.Inject(ctx, carrier)
	for _, m := range baggage.FromContext(ctx).Members() {
		carrier.Set("ot-baggage-"+m.Key(), m.Value())
	}
}

func (p openTracing) Fields() []string { return []string{"traceparent", "ot-tracer-traceid"} }

func TestInject_ClearsTheBaggageOfOpenTracing(t *testing.T) {
	t.Parallel()
	old := text{"ot-baggage-old": "1", "OT-Baggage-Older": "2", "ot-baggage": "user's", "tenant": "acme"}
	ctx := contents{traceparentText, "", "user=alice"}.context(t)
	want := text{"traceparent": traceparentText, "ot-baggage-user": "alice", "ot-baggage": "user's", "tenant": "acme"}
	if diff := cmp.Diff(want, inject(ctx, old.without(), textAccessor{}, propagation.WithPropagator(openTracing{}))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	kept := inject(ctx, old.without(), textAccessor{}, defaults).without("waybill", "traceparent", "baggage")
	if diff := cmp.Diff(old, kept); diff != "" {
		t.Errorf("another propagator took what is not its own (-want +got):\n%s", diff)
	}
	carrier := otelpropagation.MapCarrier(old.without())
	propagation.InjectTextMap(ctx, carrier, propagation.WithPropagator(openTracing{}))
	if diff := cmp.Diff(want, text(carrier)); diff != "" {
		t.Errorf("a TextMapCarrier (-want +got):\n%s", diff)
	}
}

func TestWithMaxBytes(t *testing.T) {
	t.Parallel()
	ctx := full(t)
	const (
		traceparent = len("traceparent") + 55
		waybill     = len("waybill") + 37
		tracestate  = len("tracestate") + len("vendor=1")
		members     = len("baggage") + len("user=alice")
	)
	all := []string{"baggage", "traceparent", "tracestate", "waybill"}
	for _, tt := range []struct {
		maxBytes int
		want     []string
	}{
		{maxBytes: -1, want: all},
		{maxBytes: 0, want: all},
		{maxBytes: 1 << 30, want: all},
		{maxBytes: traceparent + waybill + tracestate + members + 1, want: all},
		{maxBytes: traceparent + waybill + tracestate + members, want: all},
		{maxBytes: traceparent + waybill + tracestate + members - 1, want: []string{"traceparent", "tracestate", "waybill"}},
		{maxBytes: traceparent + waybill + tracestate, want: []string{"traceparent", "tracestate", "waybill"}},
		{maxBytes: traceparent + waybill + tracestate - 1, want: []string{"traceparent", "waybill"}},
		{maxBytes: traceparent + waybill, want: []string{"traceparent", "waybill"}},
		{maxBytes: traceparent + waybill - 1, want: []string{"traceparent"}},
		{maxBytes: traceparent, want: []string{"traceparent"}},
		{maxBytes: traceparent - 1, want: nil},
		{maxBytes: 1, want: nil},
	} {
		for name, option := range map[string]propagation.Option{
			"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()}),
		} {
			for accessor, got := range map[string]text{
				"text": inject(ctx, stale().without("tenant"), textAccessor{}, option, propagation.WithMaxBytes(tt.maxBytes)),
				"list": injectList(ctx, option, propagation.WithMaxBytes(tt.maxBytes)),
			} {
				keys := slices.Sorted(slices.Values(textAccessor{}.Keys(got)))
				if diff := cmp.Diff(tt.want, keys); diff != "" {
					t.Errorf("%s, %s, %d bytes: keys (-want +got):\n%s", name, accessor, tt.maxBytes, diff)
				}
				for key, want := range (text{"traceparent": traceparentText, "tracestate": "vendor=1", "baggage": "user=alice"}) {
					if value, ok := got[key]; ok && value != want {
						t.Errorf("%s, %s, %d bytes: %s is %q, which is not whole", name, accessor, tt.maxBytes, key, value)
					}
				}
			}
		}
	}
}

func TestWithMaxBytes_OtherFormats(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparentText, "", "user=alice,tier=gold"}.context(t)
	const trace, members = len("traceparent") + 55, 2*len("ot-baggage-") + len("useralice") + len("tiergold")
	for maxBytes, want := range map[int]int{trace + members: 3, trace + members - 1: 1, trace: 1, trace - 1: 0} {
		got := inject(ctx, text{}, textAccessor{}, propagation.WithPropagator(openTracing{}), propagation.WithMaxBytes(maxBytes))
		if len(got) != want {
			t.Errorf("%d bytes: %v, want %d keys: the baggage goes as a whole", maxBytes, got, want)
		}
	}
}

func TestWithBaggage(t *testing.T) {
	t.Parallel()
	const members = "user=alice,tier=gold,secret=x"
	for _, tt := range []struct {
		name    string
		options []propagation.Option
		want    string
	}{
		{name: "all by default", options: nil, want: "secret=x,tier=gold,user=alice"},
		{name: "one", options: []propagation.Option{propagation.WithBaggage("tier")}, want: "tier=gold"},
		{name: "two, and an absent one", options: []propagation.Option{propagation.WithBaggage("user", "tier", "absent")}, want: "tier=gold,user=alice"},
		{name: "a key twice", options: []propagation.Option{propagation.WithBaggage("user", "user")}, want: "user=alice"},
		{name: "keys keep their case", options: []propagation.Option{propagation.WithBaggage("User")}, want: ""},
		{name: "an empty key", options: []propagation.Option{propagation.WithBaggage("")}, want: ""},
		{name: "no key", options: []propagation.Option{propagation.WithBaggage()}, want: ""},
		{name: "none", options: []propagation.Option{propagation.WithoutBaggage()}, want: ""},
		{name: "the last counts", options: []propagation.Option{propagation.WithoutBaggage(), propagation.WithBaggage("user"), nil}, want: "user=alice"},
		{name: "the last counts too", options: []propagation.Option{propagation.WithBaggage("user"), propagation.WithoutBaggage()}, want: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx := contents{traceparentText, "", members}.context(t)
			for name, option := range map[string]propagation.Option{
				"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()}),
			} {
				options := append([]propagation.Option{option}, tt.options...)
				written := inject(ctx, text{}, textAccessor{}, options...)["baggage"]
				requireBaggage(t, name+", written", written, tt.want)

				carrier := text{"traceparent": traceparentText, "baggage": members}
				requireBaggage(t, name+", read", propagation.Read(carrier, textAccessor{}, options...).Baggage().String(), tt.want)
				extracted := propagation.Extract(t.Context(), carrier, textAccessor{}, options...)
				requireBaggage(t, name+", extracted", baggage.FromContext(extracted).String(), tt.want)

				// What ctx has already stays, if none comes.
				ambient := contents{"", "", "ambient=1"}.context(t)
				want := tt.want
				if want == "" {
					want = "ambient=1"
				}
				extracted = propagation.Extract(ambient, carrier, textAccessor{}, options...)
				requireBaggage(t, name+", extracted over another", baggage.FromContext(extracted).String(), want)
			}
			if got := baggage.FromContext(ctx).Len(); got != 3 {
				t.Errorf("the baggage of ctx has %d members now", got)
			}
		})
	}
}

func requireBaggage(t *testing.T, name, got, want string) {
	t.Helper()
	if diff := cmp.Diff(sortedMembers(t, want), sortedMembers(t, got)); diff != "" {
		t.Errorf("%s: baggage (-want +got):\n%s", name, diff)
	}
}

func sortedMembers(t *testing.T, text string) []string {
	t.Helper()
	var members []string
	for _, m := range baggageOf(t, text).Members() {
		members = append(members, m.String())
	}
	slices.Sort(members)
	return members
}

func TestWithBaggage_KeepsItsOwnKeys(t *testing.T) {
	t.Parallel()
	keys := []string{"user"}
	option := propagation.WithBaggage(keys...)
	keys[0] = "secret"
	got := inject(contents{traceparentText, "", "user=alice,secret=x"}.context(t), text{}, textAccessor{}, defaults, option)
	if got["baggage"] != "user=alice" {
		t.Errorf("the baggage is %q", got["baggage"])
	}
}

func TestInject_NilCarriers(t *testing.T) {
	t.Parallel()
	ctx := full(t)
	propagation.Inject[text](ctx, text{}, nil, defaults)
	propagation.Inject[text](ctx, nil, propagation.SetterFunc[text](nil), defaults)
	propagation.Inject[text](ctx, nil, propagation.SetterFunc[text](nil), defaults, propagation.WithMaxBytes(10))
	propagation.InjectTextMap(ctx, nil, defaults)
	propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(nil), defaults)
	propagation.InjectTextMap(ctx, otelpropagation.HeaderCarrier(nil), defaults)
	for _, option := range []propagation.Option{defaults, propagation.WithPropagator(opaque{propagation.Default()})} {
		propagation.InjectTextMap(nil, otelpropagation.MapCarrier{}, option, nil) //nolint:staticcheck // a nil ctx is documented.
	}
	if got := propagation.Map(nil, nil, defaults, nil); len(got) != 0 { //nolint:staticcheck // a nil ctx is documented.
		t.Errorf("Map of a nil ctx is %v", got)
	}
	var zero propagation.Option
	if got := propagation.Map(ctx, defaults, zero, propagation.WithPropagator(nil), defaults); got["traceparent"] != traceparentText {
		t.Errorf("Map with nil options is %v", got)
	}
}

func TestWithPropagator_WithoutFields(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]propagation.TextMapPropagator{
		"composite of none": propagation.Compose(), "composite of nil": propagation.Compose(nil, nil), "opaque": opaque{propagation.Compose()},
	} {
		none := propagation.WithPropagator(p)
		if got := inject(full(t), stale(), textAccessor{}, none); !cmp.Equal(got, stale()) {
			t.Errorf("%s: Inject made %v", name, got)
		}
		ctx := full(t)
		if got := propagation.Extract(ctx, stale(), textAccessor{}, none); got != ctx {
			t.Errorf("%s: Extract changed the context", name)
		}
	}
}
