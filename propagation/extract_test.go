// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// malformed are values under traceparent that are none, and why. Secret, which
// two of them hold, must show nowhere.
var malformed = map[string]struct{ value, reason string }{
	"short":              {value: "00-secret", reason: "shorter than 55 bytes"},
	"one byte short":     {value: traceparentText[:54], reason: "shorter than 55 bytes"},
	"upper case":         {value: strings.ToUpper(traceparentText), reason: "a digit is not lower-case hexadecimal"},
	"over-long":          {value: traceparentText + "0", reason: "longer than the 55 bytes of version 00"},
	"very long":          {value: traceparentText + repeated(1<<20), reason: "longer than the 55 bytes of version 00"},
	"with a secret":      {value: traceparentText + "-secret", reason: "longer than the 55 bytes of version 00"},
	"trailing dash":      {value: traceparentText + "-", reason: "longer than the 55 bytes of version 00"},
	"zero trace id":      {value: "00-00000000000000000000000000000000-b7ad6b7169203331-01", reason: "the trace id is all zeros"},
	"zero span id":       {value: "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", reason: "the span id is all zeros"},
	"all zero":           {value: "00-00000000000000000000000000000000-0000000000000000-00", reason: "the trace id is all zeros"},
	"duplicated":         {value: traceparentText + "," + traceparentText, reason: "longer than the 55 bytes of version 00"},
	"version ff":         {value: "ff" + traceparentText[2:], reason: "version ff is forbidden"},
	"later, no dash":     {value: "01" + traceparentText[2:] + ".x", reason: "no dash after the flags of a later version"},
	"reserved flag":      {value: traceparentText[:53] + "09", reason: "a flag is set that version 00 reserves"},
	"other dividers":     {value: strings.ReplaceAll(traceparentText, "-", "_"), reason: "the fields are not divided by dashes at the fixed places"},
	"binary":             {value: repeated(20) + "\x00\xff\xfe" + repeated(32), reason: "the fields are not divided by dashes at the fixed places"},
	"binary digits":      {value: "00-" + "\x00\x01\x02\x03" + traceparentText[7:], reason: "a digit is not lower-case hexadecimal"},
	"space around":       {value: " " + traceparentText + " ", reason: "the fields are not divided by dashes at the fixed places"},
	"space after":        {value: traceparentText + " ", reason: "longer than the 55 bytes of version 00"},
	"digits of another":  {value: "00-٠af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", reason: "a digit is not lower-case hexadecimal"},
	"sign before digits": {value: "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", reason: "a digit is not lower-case hexadecimal"},
}

// It is not parallel, because it must see what is logged.
func TestRead_MalformedContexts(t *testing.T) {
	failOnLog(t)
	for name, tt := range malformed {
		t.Run(name, func(t *testing.T) {
			carrier := text{"traceparent": tt.value, "tracestate": "a=1", "baggage": "user=alice", "waybill": waybillText}
			all := readers(carrier)
			if name != "trailing dash" { // Which OpenTelemetry's own takes.
				for kind, read := range readers(carrier, propagation.WithPropagator(opaque{propagation.Default()})) {
					all[kind+", not native"] = read
				}
			}
			for kind, read := range all {
				for _, ctx := range []context.Context{t.Context(), full(t)} {
					got, remote := read(ctx)
					if got != ctx {
						t.Errorf("%s: the context changed", kind)
					}
					var why *propagation.MalformedError
					if !errors.As(remote.Err(), &why) || why.Key != "traceparent" || why.Reason != tt.reason {
						t.Fatalf("%s: the error is %v, want the reason %q", kind, remote.Err(), tt.reason)
					}
					if text := remote.Err().Error(); strings.Contains(text, "secret") || text != "malformed traceparent: "+tt.reason {
						t.Errorf("%s: the error says %q", kind, text)
					}
					if remote.SpanContext().IsValid() || remote.Baggage().Len() != 0 || !remote.Waybill().IsZero() {
						t.Errorf("%s: half of a malformed context was read", kind)
					}
				}
			}
		})
	}
}

// readers read one carrier in every way there is.
func readers(carrier text, opts ...propagation.Option) map[string]func(context.Context) (context.Context, propagation.Remote) {
	opts = append([]propagation.Option{defaults}, opts...)
	var bytes list
	h := http.Header{}
	for key, value := range carrier {
		bytes = append(bytes, header{key, []byte(value)})
		h[http.CanonicalHeaderKey(key)] = []string{value}
	}
	return map[string]func(context.Context) (context.Context, propagation.Remote){
		"accessor": func(ctx context.Context) (context.Context, propagation.Remote) {
			return propagation.Extract(ctx, carrier, textAccessor{}, opts...), propagation.Read(carrier, textAccessor{}, opts...)
		},
		"getter": func(ctx context.Context) (context.Context, propagation.Remote) {
			return propagation.Extract(ctx, carrier, getOnly, opts...), propagation.Read(carrier, getOnly, opts...)
		},
		"bytes": func(ctx context.Context) (context.Context, propagation.Remote) {
			return propagation.Extract(ctx, &bytes, listAccessor{}, opts...), propagation.Read(&bytes, listAccessor{}, opts...)
		},
		"map": func(ctx context.Context) (context.Context, propagation.Remote) {
			c := otelpropagation.MapCarrier(carrier)
			return propagation.ExtractTextMap(ctx, c, opts...), propagation.ReadTextMap(c, opts...)
		},
		"header": func(ctx context.Context) (context.Context, propagation.Remote) {
			c := otelpropagation.HeaderCarrier(h)
			return propagation.ExtractTextMap(ctx, c, opts...), propagation.ReadTextMap(c, opts...)
		},
		"bytes of its own": func(ctx context.Context) (context.Context, propagation.Remote) {
			c := &ownList{bytes}
			return propagation.ExtractTextMap(ctx, c, opts...), propagation.ReadTextMap(c, opts...)
		},
	}
}

func TestExtract_ReadsWhatOpenTelemetryWould(t *testing.T) {
	t.Parallel()
	carrier := text{"traceparent": traceparentText, "tracestate": "a=1,b=2", "baggage": "user=alice,tier=gold", "waybill": waybillText}
	want := spanContextOf(t, traceparentText, "a=1,b=2")
	type key struct{}
	parent, cancel := context.WithCancel(context.WithValue(contents{otherText, "old=1", "old=1"}.context(t), key{}, "value"))
	for kind, read := range readers(carrier) {
		got, remote := read(parent)
		for _, ctx := range []context.Context{got, remote.Context(parent)} {
			if sc := trace.SpanContextFromContext(ctx); !sc.Equal(want) || !sc.IsRemote() {
				t.Errorf("%s: the span context is %v", kind, sc)
			}
			requireBaggage(t, kind, baggage.FromContext(ctx).String(), "user=alice,tier=gold")
			if w := propagation.WaybillFromContext(ctx); w.String() != waybillText || w != remote.Waybill() {
				t.Errorf("%s: the waybill is %v", kind, w)
			}
			if ctx.Value(key{}) != "value" {
				t.Errorf("%s: the values of ctx are lost", kind)
			}
		}
		if remote.Err() != nil || !remote.SpanContext().Equal(want) {
			t.Errorf("%s: Read has %v, %v", kind, remote.SpanContext(), remote.Err())
		}
		defer func() {
			if got.Err() == nil {
				t.Errorf("%s: the cancellation of ctx is lost", kind)
			}
		}()
	}
	cancel()
}

func TestRead_AbsentContexts(t *testing.T) {
	t.Parallel()
	ctx := full(t)
	for name, carrier := range map[string]text{
		"nil": nil, "empty": {}, "empty values": {"traceparent": "", "tracestate": "", "baggage": "", "waybill": ""},
		"other keys": {"tenant": "acme", "Traceparent": traceparentText}, "a tracestate alone": {"tracestate": "a=1"},
		"malformed others": {"baggage": "=", "waybill": "00-"},
	} {
		for kind, read := range readers(carrier) {
			if kind == "header" && name == "other keys" {
				continue // HTTP does not tell the spellings apart.
			}
			got, remote := read(ctx)
			if got != ctx {
				t.Errorf("%s, %s: the context changed", name, kind)
			}
			if !errors.Is(remote.Err(), propagation.ErrAbsent) {
				t.Errorf("%s, %s: the error is %v", name, kind, remote.Err())
			}
		}
	}
}

func TestRead_BaggageAndWaybillAlone(t *testing.T) {
	t.Parallel()
	ctx := contents{traceparent: traceparentText}.context(t)
	for kind, read := range readers(text{"baggage": "user=alice", "waybill": waybillText}) {
		got, remote := read(ctx)
		if !errors.Is(remote.Err(), propagation.ErrAbsent) {
			t.Errorf("%s: the error is %v", kind, remote.Err())
		}
		if !trace.SpanContextFromContext(got).Equal(trace.SpanContextFromContext(ctx)) {
			t.Errorf("%s: the span of ctx was replaced", kind)
		}
		if baggage.FromContext(got).Member("user").Value() != "alice" || propagation.WaybillFromContext(got).Hops != 2 {
			t.Errorf("%s: the baggage or the waybill is lost", kind)
		}
	}
}

// It is not parallel, because it must see what is logged.
func TestRead_MalformedCompanions(t *testing.T) {
	failOnLog(t)
	for name, carrier := range map[string]text{
		"tracestate": {"tracestate": "a=1,A=2"},
		"baggage":    {"baggage": "a b=c,%"},
		"waybill":    {"waybill": waybillText[:36]},
		"all":        {"tracestate": "\xff", "baggage": "\x00", "waybill": "\xff"},
		"huge":       {"tracestate": repeated(1 << 20), "baggage": repeated(1 << 20), "waybill": repeated(1 << 20)},
	} {
		carrier["traceparent"] = traceparentText
		for kind, read := range readers(carrier) {
			_, remote := read(t.Context())
			if remote.Err() != nil {
				t.Errorf("%s, %s: the error is %v", name, kind, remote.Err())
			}
			if remote.SpanContext().TraceState().Len() != 0 || remote.Baggage().Len() != 0 || !remote.Waybill().IsZero() {
				t.Errorf("%s, %s: it was read", name, kind)
			}
		}
	}
}

func TestExtract_NilCarriers(t *testing.T) {
	t.Parallel()
	ctx := full(t)
	for _, option := range []propagation.Option{defaults, propagation.WithPropagator(opaque{propagation.Default()})} {
		if propagation.Extract[text](ctx, text{"traceparent": otherText}, nil, option) != ctx {
			t.Error("a nil getter changed the context")
		}
		if propagation.Extract[text](ctx, nil, propagation.GetterFunc[text](nil), option, nil) != ctx {
			t.Error("a nil GetterFunc changed the context")
		}
		if propagation.ExtractTextMap(ctx, nil, option) != ctx {
			t.Error("a nil carrier changed the context")
		}
		for name, remote := range map[string]propagation.Remote{
			"nil getter":  propagation.Read[text](nil, nil, option),
			"nil func":    propagation.Read[text](nil, propagation.GetterFunc[text](nil), option),
			"nil carrier": propagation.ReadTextMap(nil, option),
			"nil map":     propagation.ReadTextMap(otelpropagation.MapCarrier(nil), option),
			"nil header":  propagation.ReadTextMap(otelpropagation.HeaderCarrier(nil), option),
		} {
			if !errors.Is(remote.Err(), propagation.ErrAbsent) {
				t.Errorf("%s: the error is %v", name, remote.Err())
			}
		}
		//nolint:staticcheck // a nil ctx is documented.
		for name, got := range map[string]context.Context{
			"Extract":        propagation.Extract[text](nil, text{"traceparent": otherText}, textAccessor{}, option),
			"ExtractTextMap": propagation.ExtractTextMap(nil, otelpropagation.MapCarrier{"traceparent": otherText}, option),
			"Context":        propagation.Read(text{"traceparent": otherText}, textAccessor{}, option).Context(nil),
		} {
			if !trace.SpanContextFromContext(got).IsValid() {
				t.Errorf("%s with a nil ctx lost the context", name)
			}
		}
		if propagation.ExtractTextMap(nil, nil, option) == nil || propagation.Extract[text](nil, nil, nil, option) == nil { //nolint:staticcheck // a nil ctx is documented.
			t.Error("a nil ctx stays nil")
		}
	}
}

func TestRemote_Zero(t *testing.T) {
	t.Parallel()
	var remote propagation.Remote
	ctx := full(t)
	if remote.Context(ctx) != ctx || !errors.Is(remote.Err(), propagation.ErrAbsent) {
		t.Errorf("its error is %v", remote.Err())
	}
	if remote.SpanContext().IsValid() || remote.Baggage().Len() != 0 || !remote.Waybill().IsZero() || remote.Link().SpanContext.IsValid() {
		t.Error("it holds something")
	}
	if remote.Context(nil) == nil { //nolint:staticcheck // a nil ctx is documented.
		t.Error("a nil ctx stays nil")
	}
}

func TestRemote_Link(t *testing.T) {
	t.Parallel()
	remote := propagation.Read(text{"traceparent": traceparentText}, textAccessor{}, defaults)
	link := remote.Link(attribute.Int("offset", 7))
	if !link.SpanContext.Equal(remote.SpanContext()) || len(link.Attributes) != 1 || link.Attributes[0] != attribute.Int("offset", 7) {
		t.Errorf("the link is %v", link)
	}
}

func TestRemote_RetainsNothingOfTheCarrier(t *testing.T) {
	t.Parallel()
	carrier := list{
		{"traceparent", []byte(traceparentText)},
		{"tracestate", []byte("a=1")},
		{"baggage", []byte("user=alice")},
		{"waybill", []byte(waybillText)},
	}
	remote := propagation.Read(&carrier, listAccessor{}, defaults)
	for _, h := range carrier {
		for i := range h.value {
			h.value[i] = 'x'
		}
	}
	if !remote.SpanContext().Equal(spanContextOf(t, traceparentText, "a=1")) ||
		remote.Baggage().String() != "user=alice" || remote.Waybill().String() != waybillText {
		t.Errorf("the remote changed with the carrier: %v", remote)
	}
}

func TestRead_RepeatedBaggage(t *testing.T) {
	t.Parallel()
	carrier := list{
		{"traceparent", []byte(traceparentText)},
		{"baggage", []byte("a=1")},
		{"tenant", []byte("x")},
		{"baggage", nil},
		{"baggage", []byte("b=2,c=3")},
	}
	for name, option := range map[string]propagation.Option{
		"native": defaults, "not native": propagation.WithPropagator(opaque{propagation.Default()}),
	} {
		requireBaggage(t, name, propagation.Read(&carrier, listAccessor{}, option).Baggage().String(), "a=1,b=2,c=3")
		requireBaggage(t, name+", own methods", propagation.ReadTextMap(&ownList{carrier}, option).Baggage().String(), "a=1,b=2,c=3")
	}
}

// ownList is a list with the optional methods of a TextMapCarrier.
type ownList struct{ list }

func (l *ownList) Get(key string) string          { return listAccessor{}.Get(&l.list, key) }
func (l *ownList) GetBytes(key string) []byte     { return listAccessor{}.GetBytes(&l.list, key) }
func (l *ownList) Set(key, value string)          { listAccessor{}.Set(&l.list, key, value) }
func (l *ownList) Delete(key string)              { listAccessor{}.Delete(&l.list, key) }
func (l *ownList) Keys() []string                 { return listAccessor{}.Keys(&l.list) }
func (l *ownList) Values(key string) []string     { return listAccessor{}.Values(&l.list, key) }
func (l *ownList) SetFields(f propagation.Fields) { listAccessor{}.SetFields(&l.list, f) }

// searching is a propagator that finds its fields by looking at all keys.
type searching struct{ propagation.TraceContext }

func (searching) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	for _, key := range carrier.Keys() {
		if strings.HasSuffix(key, "-parent") {
			return propagation.TraceContext{}.Extract(ctx, otelpropagation.MapCarrier{"traceparent": carrier.Get(key)})
		}
	}
	return ctx
}

func (searching) Fields() []string { return []string{"x-parent"} }

func TestRead_PropagatorsThatSearchForKeys(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(searching{})
	carrier := text{"tenant": "acme", "x-parent": traceparentText}
	want := spanContextOf(t, traceparentText, "")
	for kind, read := range readers(carrier, option) {
		got, remote := read(t.Context())
		found := trace.SpanContextFromContext(got).Equal(want) && remote.Err() == nil
		if found != (kind != "getter" && kind != "header") { // One without keys, and one that spells them otherwise.
			t.Errorf("%s: found is %t (%v)", kind, found, remote.Err())
		}
	}
}

func TestRemote_ErrOfAnotherFormat(t *testing.T) {
	t.Parallel()
	b3like := renamed{"b3"}
	for _, tt := range []struct {
		name       string
		propagator propagation.TextMapPropagator
		carrier    text
		want       string
	}{
		{name: "absent", propagator: b3like, carrier: text{"tenant": "acme"}, want: "the carrier holds no trace context"},
		{name: "malformed", propagator: b3like, carrier: text{"b3": "secret"}, want: "malformed b3: the propagator did not accept it"},
		{name: "malformed W3C", propagator: opaque{propagation.TraceContext{}}, carrier: text{"traceparent": "secret"}, want: "malformed traceparent: shorter than 55 bytes"},
		{name: "companions only", propagator: opaque{propagation.Default()}, carrier: text{"tracestate": "a=1", "baggage": "a=1", "waybill": waybillText}, want: "the carrier holds no trace context"},
		{name: "a decision of B3 alone", propagator: b3like, carrier: text{"b3": "0"}, want: "the carrier holds no trace context"},
		{name: "a field of its own", propagator: renamed{"x-tenant"}, carrier: text{"x-tenant": "acme"}, want: "the carrier holds no trace context"},
		{name: "what only it takes", propagator: opaque{propagation.TraceContext{}}, carrier: text{"traceparent": traceparentText + "-"}, want: "<nil>"},
	} {
		remote := propagation.Read(tt.carrier, textAccessor{}, propagation.WithPropagator(tt.propagator))
		got := "<nil>"
		if remote.Err() != nil {
			got = remote.Err().Error()
		}
		if got != tt.want {
			t.Errorf("%s: the error is %q, want %q", tt.name, got, tt.want)
		}
	}
}

// tenancy is a propagator of something else than a trace context.
type tenancy struct{}

type tenantKey struct{}

func (tenancy) Inject(context.Context, propagation.TextMapCarrier) {}
func (tenancy) Fields() []string                                   { return []string{"x-tenant"} }

func (tenancy) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return context.WithValue(ctx, tenantKey{}, carrier.Get("x-tenant"))
}

func TestExtract_ValuesWithoutASpan(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(otelpropagation.NewCompositeTextMapPropagator(propagation.Default(), tenancy{}))
	for kind, read := range readers(text{"x-tenant": "acme", "baggage": "a=1"}, option) {
		got, remote := read(t.Context())
		if got.Value(tenantKey{}) != "acme" {
			t.Errorf("%s: the tenant is lost", kind)
		}
		requireBaggage(t, kind, remote.Baggage().String(), "a=1")
	}
	// A malformed trace context takes all with it.
	for kind, read := range readers(text{"x-tenant": "acme", "traceparent": "secret"}, option) {
		if got, _ := read(t.Context()); got.Value(tenantKey{}) != nil {
			t.Errorf("%s: half of a malformed context was read", kind)
		}
	}
}

// renamed carries a traceparent under another key.
type renamed struct{ key string }

func (p renamed) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	own := otelpropagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, own)
	carrier.Set(p.key, own["traceparent"])
}

func (p renamed) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return propagation.TraceContext{}.Extract(ctx, otelpropagation.MapCarrier{"traceparent": carrier.Get(p.key)})
}

func (p renamed) Fields() []string { return []string{p.key} }

func TestInject_AnotherFormat(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(renamed{"b3"})
	got := inject(full(t), text{"b3": "old", "tenant": "acme"}, textAccessor{}, option)
	if len(got) != 2 || got["b3"] != traceparentText {
		t.Errorf("Inject makes %v", got)
	}
	if got := inject(t.Context(), text{"b3": "old"}, textAccessor{}, option, propagation.WithPolicy(propagation.Replace)); len(got) != 0 {
		t.Errorf("Replace without a span leaves %v", got)
	}
	kept := inject(full(t), text{"b3": otherText}, textAccessor{}, option, propagation.WithPolicy(propagation.KeepExisting))
	if kept["b3"] != otherText {
		t.Errorf("KeepExisting makes %v", kept)
	}
	if got := inject(full(t), text{}, textAccessor{}, option, propagation.WithMaxBytes(len("b3")+54)); len(got) != 0 {
		t.Errorf("over the budget: %v", got)
	}
	if got := inject(full(t), text{}, textAccessor{}, option, propagation.WithMaxBytes(len("b3")+55)); len(got) != 1 {
		t.Errorf("at the budget: %v", got)
	}
}

// hostile is a propagator that fails in the middle of each call.
type hostile struct{ renamed }

func (h hostile) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	h.renamed.Inject(ctx, carrier)
	panic("no")
}

func (hostile) Extract(context.Context, propagation.TextMapCarrier) context.Context { panic("no") }

// forgetful is a propagator that returns no context.
type forgetful struct{ renamed }

func (forgetful) Extract(context.Context, propagation.TextMapCarrier) context.Context { return nil }

func TestInject_PropagatorsThatFail(t *testing.T) {
	t.Parallel()
	option := propagation.WithPropagator(hostile{renamed{"b3"}})
	for _, budget := range []int{0, 1000} {
		got := inject(full(t), text{"b3": "old", "tenant": "acme"}, textAccessor{}, option, propagation.WithMaxBytes(budget))
		if len(got) != 1 || got["tenant"] != "acme" {
			t.Errorf("Inject makes %v", got)
		}
	}
	for _, option := range []propagation.Option{option, propagation.WithPropagator(forgetful{renamed{"b3"}})} {
		for _, rule := range []propagation.Option{nil, propagation.WithoutBaggage()} {
			carrier, ctx := text{"b3": traceparentText}, full(t)
			if got := propagation.Extract(ctx, carrier, textAccessor{}, option, rule); !trace.SpanContextFromContext(got).Equal(trace.SpanContextFromContext(ctx)) ||
				baggage.FromContext(got).String() != baggage.FromContext(ctx).String() {
				t.Error("Extract changed ctx")
			}
			var malformed *propagation.MalformedError
			if err := propagation.Read(carrier, textAccessor{}, option, rule).Err(); !errors.As(err, &malformed) || malformed.Key != "b3" {
				t.Errorf("Read says %v", err)
			}
		}
	}
}

func TestRead_TimesAreExact(t *testing.T) {
	t.Parallel()
	origin := time.Date(2024, 5, 17, 9, 30, 1, 123456789, time.FixedZone("", 3600))
	ctx := propagation.ContextWithWaybill(full(t), propagation.Waybill{Origin: origin})
	w := propagation.Read(text(propagation.Map(ctx, defaults)), textAccessor{}, defaults).Waybill()
	if !w.Origin.Equal(micros(origin)) || w.Origin.Location() != time.UTC {
		t.Errorf("the origin is %v, want %v", w.Origin, micros(origin))
	}
}
