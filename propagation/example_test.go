// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	otelpropagation "go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// frame is the header of a protocol of one's own: a carrier nobody foresaw.
type frame struct{ fields [][2]string }

// frames reads and writes the header of a frame.
type frames struct{}

func (frames) Get(f *frame, key string) string {
	for _, field := range f.fields {
		if field[0] == key {
			return field[1]
		}
	}
	return ""
}

func (frames) Set(f *frame, key, value string) {
	frames{}.Delete(f, key)
	f.fields = append(slices.Clip(f.fields), [2]string{key, value})
}

func (frames) Delete(f *frame, key string) {
	f.fields = slices.DeleteFunc(slices.Clone(f.fields), func(field [2]string) bool { return field[0] == key })
}

// traceOnly keeps an example to what is always the same.
var traceOnly = propagation.WithPropagator(propagation.TraceContext{})

// sending is the ctx of a producer: a span, and a baggage of two members.
func sending() context.Context {
	held := map[string]string{"traceparent": traceparentText, "tracestate": "vendor=1", "baggage": "tier=gold,user=alice"}
	return propagation.ExtractTextMap(context.Background(), otelpropagation.MapCarrier(held), defaults)
}

// received is a remote of a carrier that came in.
func received() propagation.Remote {
	return propagation.ReadTextMap(otelpropagation.MapCarrier(propagation.Map(sending(), defaults)), defaults)
}

// printing prints how each span relates to others when it starts.
type printing struct{}

func (printing) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	fmt.Printf("%s: parent %s, %d links\n", s.Name(), s.Parent().SpanID(), len(s.Links()))
}
func (printing) OnEnd(sdktrace.ReadOnlySpan)      {}
func (printing) Shutdown(context.Context) error   { return nil }
func (printing) ForceFlush(context.Context) error { return nil }

func exampleTracer() trace.Tracer {
	return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(printing{}), sdktrace.WithSampler(sdktrace.AlwaysSample())).Tracer("example")
}

func ExampleInject() {
	f := &frame{}
	propagation.Inject(sending(), f, frames{}, traceOnly)

	fmt.Println(f.fields)
	// Output: [[traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01] [tracestate vendor=1]]
}

func ExampleExtract() {
	f := &frame{}
	propagation.Inject(sending(), f, frames{})

	ctx := propagation.Extract(context.Background(), f, frames{})
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID(), baggage.FromContext(ctx).Member("user").Value())
	// Output: 0af7651916cd43dd8448eb211c80319c alice
}

func ExampleRead() {
	f := &frame{fields: [][2]string{{"traceparent", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"}}}

	fmt.Println(propagation.Read(f, frames{}, traceOnly).Err())
	fmt.Println(propagation.Read(&frame{}, frames{}, traceOnly).Err())
	// Output:
	// malformed traceparent: a digit is not lower-case hexadecimal
	// the carrier holds no trace context
}

func ExampleMap() {
	fmt.Println(propagation.Map(sending(), traceOnly))
	// Output: map[traceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 tracestate:vendor=1]
}

func ExampleInjectTextMap() {
	header := otelpropagation.HeaderCarrier{"Tracestate": {"old=1"}, "Accept": {"text/plain"}}
	ctx := trace.ContextWithSpanContext(context.Background(), received().SpanContext().WithTraceState(trace.TraceState{}))
	propagation.InjectTextMap(ctx, header, traceOnly)

	fmt.Println(header) // The tracestate of the earlier context is gone.
	// Output: map[Accept:[text/plain] Traceparent:[00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01]]
}

func ExampleExtractTextMap() {
	metadata := otelpropagation.MapCarrier{"traceparent": traceparentText}
	ctx := propagation.ExtractTextMap(context.Background(), metadata)

	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: 0af7651916cd43dd8448eb211c80319c
}

func ExampleReadTextMap() {
	remote := propagation.ReadTextMap(otelpropagation.MapCarrier{"traceparent": traceparentText})

	fmt.Println(remote.SpanContext().SpanID(), remote.Err())
	// Output: b7ad6b7169203331 <nil>
}

func ExampleSetterFunc() {
	set := propagation.SetterFunc[*[]string](func(args *[]string, key, value string) {
		*args = append(*args, "--"+key+"="+value)
	})
	var args []string
	propagation.Inject(sending(), &args, set, traceOnly)

	fmt.Println(args[0])
	// Output: --traceparent=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
}

func ExampleGetterFunc() {
	row := map[string]any{"traceparent": traceparentText, "amount": 12}
	get := propagation.GetterFunc[map[string]any](func(row map[string]any, key string) string {
		value, _ := row[key].(string)
		return value
	})

	fmt.Println(propagation.Read(row, get).SpanContext().TraceID())
	// Output: 0af7651916cd43dd8448eb211c80319c
}

func ExampleWithPropagator() {
	carrier := propagation.Map(sending(), propagation.WithPropagator(propagation.Baggage{}))

	fmt.Println(carrier)
	// Output: map[baggage:tier=gold,user=alice]
}

func ExampleWithPolicy() {
	message := otelpropagation.MapCarrier{"traceparent": otherText} // It has a context of its own.
	propagation.InjectTextMap(sending(), message, traceOnly, propagation.WithPolicy(propagation.KeepExisting))
	fmt.Println(message)

	propagation.InjectTextMap(context.Background(), message, traceOnly, propagation.WithPolicy(propagation.Replace))
	fmt.Println(message)
	// Output:
	// map[traceparent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00]
	// map[]
}

func ExampleWithMaxBytes() {
	for _, maxBytes := range []int{200, 150, 110, 66, 65} {
		carrier := propagation.Map(sending(), defaults, propagation.WithMaxBytes(maxBytes))
		fmt.Println(maxBytes, slices.Sorted(keysOf(carrier)))
	}
	// Output:
	// 200 [baggage traceparent tracestate waybill]
	// 150 [traceparent tracestate waybill]
	// 110 [traceparent waybill]
	// 66 [traceparent]
	// 65 []
}

func keysOf(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

func ExampleWithBaggage() {
	carrier := propagation.Map(sending(), defaults, propagation.WithBaggage("tier"))

	fmt.Println(carrier["baggage"])
	// Output: tier=gold
}

func ExampleWithoutBaggage() {
	_, ok := propagation.Map(sending(), defaults, propagation.WithoutBaggage())["baggage"]

	fmt.Println(ok)
	// Output: false
}

func ExampleDefault() {
	fields := propagation.Default().Fields()
	slices.Sort(fields)

	fmt.Println(fields)
	// Output: [baggage traceparent tracestate waybill]
}

func ExampleCompose() {
	p := propagation.Compose(propagation.TraceContext{}, propagation.WaybillPropagator{})
	fields := p.Fields()
	slices.Sort(fields)

	fmt.Println(fields)
	// Output: [traceparent tracestate waybill]
}

// A handler of one message, with no span around it.
func ExampleStart() {
	_, span := propagation.Start(context.Background(), exampleTracer(), "process", []propagation.Remote{received()})
	defer span.End()
	// Output: process: parent b7ad6b7169203331, 1 links
}

// A handler of a batch. The remotes without a context are not linked.
func ExampleStart_batch() {
	other := propagation.ReadTextMap(otelpropagation.MapCarrier{"traceparent": otherText}, traceOnly)
	batch := []propagation.Remote{received(), other, {}, received()}

	_, span := propagation.Start(context.Background(), exampleTracer(), "process", batch)
	defer span.End()
	// Output: process: parent 0000000000000000, 2 links
}

func ExampleAsParent() {
	ambient := propagation.ReadTextMap(otelpropagation.MapCarrier{"traceparent": otherText}, traceOnly).Context(context.Background())

	_, span := propagation.Start(ambient, exampleTracer(), "process", []propagation.Remote{received()}, propagation.AsParent())
	defer span.End()
	// Output: process: parent b7ad6b7169203331, 2 links
}

func ExampleAsLink() {
	_, span := propagation.Start(context.Background(), exampleTracer(), "retry", []propagation.Remote{received()}, propagation.AsLink())
	defer span.End()
	// Output: retry: parent 0000000000000000, 1 links
}

// A message that waited for days does not prolong its trace.
func ExampleWithMaxAge() {
	old := propagation.ReadTextMap(otelpropagation.MapCarrier{"traceparent": traceparentText, "waybill": "00-05f3b1a2c3d4e5-05f3b1a2c3d4e5-0001"}, defaults)

	_, span := propagation.Start(context.Background(), exampleTracer(), "process", []propagation.Remote{old}, propagation.WithMaxAge(24*time.Hour))
	defer span.End()
	// Output: process: parent 0000000000000000, 1 links
}

func ExampleWithUntrusted() {
	ctx, span := propagation.Start(context.Background(), exampleTracer(), "process", []propagation.Remote{received()}, propagation.WithUntrusted())
	defer span.End()

	fmt.Println(baggage.FromContext(ctx).Len(), "members of baggage")
	// Output:
	// process: parent 0000000000000000, 1 links
	// 0 members of baggage
}

func ExampleWithLinkAttributes() {
	offsets := []int64{41, 42}
	attributes := func(i int) []attribute.KeyValue {
		fmt.Println("a link with the offset", offsets[i])
		return []attribute.KeyValue{attribute.Int64("messaging.kafka.offset", offsets[i])}
	}
	batch := []propagation.Remote{{}, received()}

	_, span := propagation.Start(context.Background(), exampleTracer(), "process", batch, propagation.WithLinkAttributes(attributes))
	defer span.End()
	// Output:
	// a link with the offset 42
	// process: parent 0000000000000000, 1 links
}

func ExampleWithMaxLinks() {
	batch := []propagation.Remote{received(), received()}
	_, span := propagation.Start(context.Background(), exampleTracer(), "process", batch, propagation.WithMaxLinks(16))
	defer span.End()
	// Output: process: parent 0000000000000000, 1 links
}

func ExampleWithSpanOptions() {
	_, span := propagation.Start(context.Background(), exampleTracer(), "process", nil,
		propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindConsumer)))
	defer span.End()

	fmt.Println(span.(sdktrace.ReadOnlySpan).SpanKind())
	// Output:
	// process: parent 0000000000000000, 0 links
	// consumer
}

func ExampleRemote_Context() {
	ctx := received().Context(context.Background())

	fmt.Println(trace.SpanContextFromContext(ctx).IsRemote(), propagation.WaybillFromContext(ctx).Hops)
	// Output: true 1
}

func ExampleRemote_Link() {
	link := received().Link(attribute.Int("offset", 42))

	fmt.Println(link.SpanContext.SpanID(), link.Attributes[0].Value.AsInt64())
	// Output: b7ad6b7169203331 42
}

func ExampleRemote_Err() {
	err := propagation.ReadTextMap(otelpropagation.MapCarrier{}, traceOnly).Err()

	fmt.Println(errors.Is(err, propagation.ErrAbsent))
	// Output: true
}

func ExampleMalformedError() {
	_, err := propagation.ParseWaybill("00-0")
	if malformed, ok := errors.AsType[*propagation.MalformedError](err); ok {
		fmt.Println(malformed.Key, "is", malformed.Reason)
	}
	// Output: waybill is shorter than 37 bytes
}

// Data that has a time of its own keeps it over every hop.
func ExampleContextWithWaybill() {
	event := time.Date(2024, 5, 17, 9, 30, 0, 0, time.UTC)
	ctx := propagation.ContextWithWaybill(sending(), propagation.Waybill{Origin: event})
	carrier := otelpropagation.MapCarrier(propagation.Map(ctx, defaults))

	w := propagation.ReadTextMap(carrier, defaults).Waybill()
	fmt.Println(w.Origin, w.Hops)
	// Output: 2024-05-17 09:30:00 +0000 UTC 1
}

func ExampleWaybillFromContext() {
	ctx := received().Context(context.Background())
	w := propagation.WaybillFromContext(ctx)

	fmt.Println(w.Hops, time.Since(w.Origin) < time.Minute)
	// Output: 1 true
}

func ExampleParseWaybill() {
	w, err := propagation.ParseWaybill("00-0618a2fede1600-0618a2feed5840-0002")

	fmt.Println(w.Sent.Sub(w.Origin), w.Hops, err)
	// Output: 1s 2 <nil>
}

func ExampleWaybill() {
	at := time.Date(2024, 5, 17, 9, 30, 0, 0, time.UTC)

	fmt.Println(propagation.Waybill{Origin: at, Sent: at.Add(time.Second), Hops: 1})
	fmt.Println(propagation.Waybill{}.IsZero())
	// Output:
	// 00-0618a2fede1600-0618a2feed5840-0001
	// true
}

// A service that knows this package by its propagator only.
func ExampleWaybillPropagator() {
	p := otelpropagation.NewCompositeTextMapPropagator(otelpropagation.TraceContext{}, propagation.WaybillPropagator{})
	header := otelpropagation.HeaderCarrier{}
	p.Inject(sending(), header)

	fmt.Println(propagation.ReadTextMap(header, defaults).Waybill().Hops)
	// Output: 1
}

// A batch with one context: it is encoded once and written to each message.
func ExampleEncode() {
	fields := propagation.Encode(sending(), traceOnly)

	batch := make([]map[string][]byte, 2)
	for i := range batch {
		batch[i] = map[string][]byte{}
		for pair := range fields.Len() {
			batch[i][fields.Key(pair)] = fields.AppendValue(nil, pair)
		}
	}
	fmt.Printf("%s\n%s\n", batch[0], batch[1])
	// Output:
	// map[traceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 tracestate:vendor=1]
	// map[traceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 tracestate:vendor=1]
}

func ExampleFields() {
	fields := propagation.Encode(sending(), traceOnly)

	for key, value := range fields.All() {
		fmt.Println(key, "=", value)
	}
	fmt.Println("removed before:", fields.Cleared())
	// Output:
	// traceparent = 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	// tracestate = vendor=1
	// removed before: [traceparent tracestate]
}

// What is left out first, as the room gets smaller.
func ExampleFields_Shrink() {
	fields := propagation.Encode(sending(), defaults)
	for fields.Len() > 0 {
		var keys []string
		for key := range fields.All() {
			keys = append(keys, key)
		}
		fmt.Println(fields.Size(), keys)
		fields = fields.Shrink(fields.Size() - 1)
	}
	// Output:
	// 155 [traceparent waybill tracestate baggage]
	// 128 [traceparent waybill tracestate]
	// 110 [traceparent waybill]
	// 66 [traceparent]
}

// A medium with room for two attributes.
func ExampleFields_ShrinkFunc() {
	fields := propagation.Encode(sending(), defaults).ShrinkFunc(func(f propagation.Fields) bool { return f.Len() <= 2 })

	fmt.Println(fields.Key(0), fields.Key(1), fields.IsReduced())
	// Output: traceparent waybill true
}

// A carrier that is written at once.
func ExampleFieldsSetter() {
	list := []string{"content-type: text/plain", "Traceparent: old"}
	propagation.Inject[*[]string](sending(), &list, wholeList{}, traceOnly)

	fmt.Println(strings.Join(list, "\n"))
	// Output:
	// content-type: text/plain
	// traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	// tracestate: vendor=1
}

// wholeList writes a list of lines.
type wholeList struct{}

func (wholeList) Set(list *[]string, key, value string) { *list = append(*list, key+": "+value) }

func (wholeList) SetFields(list *[]string, fields propagation.Fields) {
	kept := make([]string, 0, len(*list)+fields.Len())
	for _, line := range *list {
		if key, _, _ := strings.Cut(line, ": "); !fields.Clears(key) {
			kept = append(kept, line)
		}
	}
	for key, value := range fields.All() {
		kept = append(kept, key+": "+value)
	}
	*list = kept
}

// A message with a new context keeps none in another format.
func ExampleIsContextKey() {
	for _, key := range []string{"X-B3-TraceId", "uberctx-tenant", "content-type"} {
		fmt.Println(key, propagation.IsContextKey(key))
	}
	// Output:
	// X-B3-TraceId true
	// uberctx-tenant true
	// content-type false
}

func ExampleIsUntrusted() {
	ctx, span := propagation.Start(context.Background(), nil, "webhook", []propagation.Remote{received()}, propagation.WithUntrusted())
	defer span.End()

	fmt.Println(propagation.IsUntrusted(ctx), propagation.IsUntrusted(context.Background()))
	// Output: true false
}

// A message that is written twice before it is sent makes one hop.
func ExampleRemote_Unsent() {
	message := otelpropagation.MapCarrier(propagation.Map(sending(), defaults))

	ctx := propagation.ReadTextMap(message, defaults).Unsent().Context(context.Background())
	propagation.InjectTextMap(ctx, message, defaults)

	fmt.Println(propagation.ReadTextMap(message, defaults).Waybill().Hops)
	// Output: 1
}

// Data that has been under way for a minute, a second of it since it was sent.
func ExampleRemote_Latency() {
	now := time.Date(2024, 5, 17, 9, 30, 0, 0, time.UTC)
	w := propagation.Waybill{Origin: now.Add(-time.Minute), Sent: now.Add(-time.Second), Hops: 3}
	message := otelpropagation.MapCarrier{"waybill": w.String()}

	latency, err := propagation.ReadTextMap(message, defaults).Latency(now)
	fmt.Println(latency.Hop, latency.Total, err)
	// Output: 1s 1m0s <nil>
}

func ExampleWithMaxWaybillAge() {
	message := otelpropagation.MapCarrier{"waybill": "00-00000000000001-00000000000001-0001"} // Of 1970.

	_, err := propagation.ReadTextMap(message, defaults, propagation.WithMaxWaybillAge(30*24*time.Hour)).Latency(time.Now())
	fmt.Println(err)
	// Output: the waybill holds a time that is not plausible
}

// With the usual formats a carrier may leave every other key alone.
func ExampleFields_UsesContextKeys() {
	fmt.Println(propagation.Encode(context.Background(), traceOnly).UsesContextKeys())
	// Output: true
}

// With the usual formats a carrier may leave every other key alone.
func ExampleUsesContextKeys() {
	fmt.Println(propagation.UsesContextKeys(traceOnly))
	fmt.Println(propagation.UsesContextKeys(propagation.WithPropagator(requestID{})))
	// Output:
	// true
	// false
}
