// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	otelpropagation "go.opentelemetry.io/otel/propagation"

	"github.com/waybill-go/waybill/propagation"
)

// bare has the methods of a TextMapCarrier and no other.
type bare map[string]string

func (c bare) Get(key string) string { return c[key] }
func (c bare) Set(key, value string) { c[key] = value }

func (c bare) Keys() []string { return textAccessor{}.Keys(text(c)) }

// bareBytes gives bytes and takes all fields at once, and has nothing else that
// is optional.
type bareBytes struct{ bare }

func (c bareBytes) GetBytes(key string) []byte {
	if value := c.Get(key); value != "" {
		return []byte(value)
	}
	return nil
}

func (c bareBytes) SetFields(fields propagation.Fields) {
	maps.DeleteFunc(c.bare, func(key, _ string) bool { return fields.Clears(key) })
	maps.Insert(c.bare, fields.All())
}

// textMaps returns TextMapCarriers of every kind that hold values, each with
// what it holds after.
func textMaps(values text) map[string]struct {
	carrier
	held func() text
} {
	one, other, bytes, own, header := bare(values.without()), otelpropagation.MapCarrier(values.without()), bareBytes{bare(values.without())},
		&ownList{}, otelpropagation.HeaderCarrier{}
	for key, value := range values {
		own.Set(key, value)
		header.Set(key, value)
	}
	byKeys := func(c carrier, keys ...string) func() text {
		return func() text {
			held := text{}
			for _, key := range append(keys, c.Keys()...) {
				if value := c.Get(key); value != "" {
					held[key] = value
				}
			}
			return held
		}
	}
	return map[string]struct {
		carrier
		held func() text
	}{
		"bare":        {one, byKeys(one)},
		"map":         {other, byKeys(other)},
		"bare bytes":  {bytes, byKeys(bytes)},
		"own methods": {own, byKeys(own)},
		"header": {header, func() text {
			held := byKeys(header, "traceparent", "tracestate", "baggage", "waybill", "tenant", "ot-baggage-user")()
			for key := range header {
				delete(held, key)
			}
			return held
		}},
	}
}

// What Inject promises holds for TextMapCarriers of every kind.
func TestInjectTextMap_EveryKind(t *testing.T) {
	t.Parallel()
	ctx := full(t)
	foreign := propagation.WithPropagator(opaque{propagation.Default()})
	written := text{"traceparent": traceparentText, "tracestate": "vendor=1", "baggage": "user=alice", "tenant": "acme"}
	for _, tt := range []struct {
		name    string
		in      text
		options []propagation.Option
		want    text
	}{
		{name: "replaces", in: stale(), options: []propagation.Option{defaults}, want: written},
		{name: "replaces, not native", in: stale(), options: []propagation.Option{foreign}, want: written},
		{name: "clears", in: stale(), options: []propagation.Option{defaults, propagation.WithoutBaggage()}, want: written.without("baggage")},
		{name: "keeps", in: stale(), options: []propagation.Option{defaults, propagation.WithPolicy(propagation.KeepExisting)}, want: stale().without("waybill")},
		{name: "keeps, not native", in: stale(), options: []propagation.Option{foreign, propagation.WithPolicy(propagation.KeepExisting)}, want: stale().without("waybill")},
		{
			name:    "clears the baggage of OpenTracing",
			in:      text{"ot-baggage-old": "1", "tenant": "acme"},
			options: []propagation.Option{propagation.WithPropagator(openTracing{})},
			want:    text{"traceparent": traceparentText, "tracestate": "vendor=1", "ot-baggage-user": "alice", "tenant": "acme"},
		},
	} {
		for kind, c := range textMaps(tt.in) {
			propagation.InjectTextMap(ctx, c.carrier, tt.options...)
			if diff := cmp.Diff(tt.want, c.held().without("waybill")); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, kind, diff)
			}
		}
	}
}

// What is read does not depend on which methods a carrier has.
func TestReadTextMap_EveryKind(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]propagation.Option{"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()})} {
		for kind, c := range textMaps(stale()) {
			remote := propagation.ReadTextMap(c.carrier, option)
			if remote.Err() != nil || !remote.SpanContext().Equal(spanContextOf(t, otherText, "old=1")) ||
				remote.Baggage().String() != "old=1" || remote.Waybill().String() != waybillText {
				t.Errorf("%s, %s: %v, %v", name, kind, remote, remote.Err())
			}
		}
		for kind, c := range textMaps(text{"tenant": "acme"}) {
			if ctx := t.Context(); propagation.ExtractTextMap(ctx, c.carrier, option) != ctx {
				t.Errorf("%s, %s: nothing changed the context", name, kind)
			}
		}
	}
}
