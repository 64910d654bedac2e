// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/baggage"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// The examples use D, M and Raw of this package in place of those of a driver,
// and Trace Context without a waybill, whose times change.

// exampleContext returns a ctx with a span, as a handler has it.
func exampleContext() context.Context {
	return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
}

var (
	onlyW3C      = propagation.WithPropagator(propagation.TraceContext{})
	traceContext = mongocarrier.WithPropagation(onlyW3C)
)

// exampleRaw returns a document of bytes with the context of exampleContext.
func exampleRaw() Raw {
	doc, err := mongocarrier.InjectRaw(exampleContext(), Raw("\x0e\x00\x00\x00\x10_id\x00\x2a\x00\x00\x00\x00"), traceContext)
	if err != nil {
		panic(err)
	}
	return doc
}

// exampleEvent returns the event of a change stream about a document.
func exampleEvent(operation string, doc Raw) Raw {
	event := append([]byte("\x02operationType\x00"), byte(len(operation)+1), 0, 0, 0)
	event = append(append(event, operation...), 0)
	return frame(append(append(event, "\x03fullDocument\x00"...), doc...))
}

// toJSON returns a document as text.
func toJSON(doc any) string {
	text, err := json.Marshal(doc)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func ExampleInjectD() {
	doc := mongocarrier.InjectD(exampleContext(), D{{"_id", 42}, {"state", "new"}}, traceContext)
	for _, e := range doc {
		fmt.Println(e.Key, toJSON(e.Value))
	}
	// Output:
	// _id 42
	// state "new"
	// _otel {"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}
}

func ExampleInjectM() {
	doc := mongocarrier.InjectM(exampleContext(), M{"_id": 42}, traceContext)
	fmt.Println(toJSON(doc))
	// Output: {"_id":42,"_otel":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}}
}

func ExampleInjectRaw() {
	doc := Raw("\x0e\x00\x00\x00\x10_id\x00\x2a\x00\x00\x00\x00") // {_id: 42}
	carrying, err := mongocarrier.InjectRaw(exampleContext(), doc, traceContext)
	fmt.Println(len(doc), len(carrying), err)

	_, err = mongocarrier.InjectRaw(exampleContext(), doc[:7], traceContext)
	fmt.Println(errors.Is(err, mongocarrier.ErrMalformed))
	// Output:
	// 14 99 <nil>
	// true
}

func ExampleExtractD() {
	doc := D{{"_id", 42}, {"_otel", D{{"traceparent", "00-01000000000000000000000000000000-0200000000000000-01"}}}}
	ctx := mongocarrier.ExtractD(context.Background(), doc)
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleExtractM() {
	doc := M{"_id": 42, "_otel": M{"traceparent": "00-01000000000000000000000000000000-0200000000000000-01"}}
	ctx := mongocarrier.ExtractM(context.Background(), doc)
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleExtractRaw() {
	ctx := mongocarrier.ExtractRaw(context.Background(), exampleRaw())
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleReadD() {
	remote := mongocarrier.ReadD(D{{"_id", 42}})
	fmt.Println(remote.Err())
	// Output: the carrier holds no trace context
}

func ExampleReadM() {
	remote := mongocarrier.ReadM(M{"_id": 42, "_otel": "no context"})
	fmt.Println(remote.Err())
	// Output: the carrier holds no trace context
}

func ExampleReadRaw() {
	remote := mongocarrier.ReadRaw(exampleRaw())
	fmt.Println(remote.SpanContext().SpanID(), remote.Err())
	// Output: 0200000000000000 <nil>
}

func ExampleStripD() {
	doc := mongocarrier.InjectD(exampleContext(), D{{"_id", 42}})
	fmt.Println(mongocarrier.StripD(doc))
	// Output: [{_id 42}]
}

func ExampleStripM() {
	doc := mongocarrier.InjectM(exampleContext(), M{"_id": 42})
	fmt.Println(mongocarrier.StripM(doc))
	// Output: map[_id:42]
}

func ExampleStripRaw() {
	fmt.Println(len(exampleRaw()), len(mongocarrier.StripRaw(exampleRaw())))
	// Output: 99 14
}

func ExampleDigest() {
	doc := exampleRaw()
	again, err := mongocarrier.InjectRaw(exampleContext(), mongocarrier.StripRaw(doc)) // Written by another, later.
	fmt.Println(mongocarrier.Digest(doc) == mongocarrier.Digest(again), err)
	// Output: true <nil>
}

func ExampleField() {
	type order struct {
		ID    int                `bson:"_id"`
		Trace mongocarrier.Field `bson:"_otel,omitempty"`
	}
	written := order{ID: 42, Trace: mongocarrier.Capture(exampleContext(), onlyW3C)}

	// And where it is found:
	ctx := written.Trace.Context(context.Background())
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleCapture() {
	c := mongocarrier.Capture(exampleContext(), onlyW3C)
	fmt.Println(c.Traceparent)
	// Output: 00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleField_Context() {
	c := mongocarrier.Field{Traceparent: "00-01000000000000000000000000000000-0200000000000000-01"}
	fmt.Println(trace.SpanContextFromContext(c.Context(context.Background())).TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleField_IsZero() {
	fmt.Println(mongocarrier.Capture(context.Background()).IsZero())
	// Output: true
}

func ExampleField_Remote() {
	c := mongocarrier.Field{Traceparent: "00-01-02-01"}
	fmt.Println(c.Remote().Err())
	// Output: malformed traceparent: shorter than 55 bytes
}

// Others write numbers to the field.
func ExampleLenientField() {
	const int32Type = 0x10
	var field mongocarrier.LenientField
	err := field.UnmarshalBSONValue(int32Type, []byte{7, 0, 0, 0}) // as driver v2 does.
	fmt.Println(field.IsZero(), err)
	// Output: true <nil>
}

func ExampleLenientField_Context() {
	field := mongocarrier.LenientField{Traceparent: "00-01000000000000000000000000000000-0200000000000000-01"}
	fmt.Println(trace.SpanContextFromContext(field.Context(context.Background())).TraceID())
	// Output: 01000000000000000000000000000000
}

func ExampleLenientField_IsZero() {
	fmt.Println(mongocarrier.LenientField{}.IsZero())
	// Output: true
}

func ExampleLenientField_Remote() {
	field := mongocarrier.LenientField(mongocarrier.Capture(exampleContext()))
	fmt.Println(field.Remote().SpanContext().SpanID())
	// Output: 0200000000000000
}

func ExampleLenientField_UnmarshalBSONValue() {
	const documentType = 0x03
	var field mongocarrier.LenientField
	err := field.UnmarshalBSONValue(documentType, exampleRaw()[20:98]) // the value of _otel.
	fmt.Println(field.Traceparent, err)
	// Output: 00-01000000000000000000000000000000-0200000000000000-01 <nil>
}

func ExampleSetFields() {
	onInsert, set := mongocarrier.SetFields(exampleContext(), mongocarrier.ModeBoth, traceContext)
	set["state"] = "new"
	fmt.Println(toJSON(M{"$setOnInsert": onInsert, "$set": set}))
	// Output: {"$set":{"_otel_last":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"},"state":"new"},"$setOnInsert":{"_otel":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}}}
}

func ExamplePipelineStage() {
	pipeline := []any{M{"$set": M{"total": M{"$sum": "$items.price"}}}}
	if stage, ok := mongocarrier.PipelineStage(exampleContext(), mongocarrier.ModeLastWriter, traceContext); ok {
		pipeline = append(pipeline, stage)
	}
	fmt.Println(toJSON(pipeline[1]))
	// Output: {"$set":{"_otel":{"$literal":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}}}}
}

func ExampleJSONSchemaProperties() {
	properties := map[string]any{"state": M{"bsonType": "string"}}
	maps.Copy(properties, mongocarrier.JSONSchemaProperties(traceContext))
	fmt.Println(toJSON(M{"additionalProperties": false, "properties": properties}))
	// Output: {"additionalProperties":false,"properties":{"_otel":{"bsonType":"object","properties":{"traceparent":{"bsonType":"string"},"tracestate":{"bsonType":"string"}}},"state":{"bsonType":"string"}}}
}

func ExampleReadChangeEvent() {
	event := exampleEvent("insert", exampleRaw()) // the Current of a change stream.
	remote, source := mongocarrier.ReadChangeEvent(event)
	orders := mongocarrier.NewConsumer("orders")
	err := orders.Process(context.Background(), remote, func(ctx context.Context) error {
		fmt.Println(source, trace.SpanContextFromContext(ctx).TraceID())
		return nil
	}, mongocarrier.WithContextSource(source))
	fmt.Println(err)
	// Output:
	// written 01000000000000000000000000000000
	// <nil>
}

func ExampleContextSource_String() {
	fmt.Println(mongocarrier.ContextSourceCreation)
	// Output: creation
}

func ExampleIsOnlyContext() {
	event := exampleEvent("insert", exampleRaw())
	if !mongocarrier.IsOnlyContext(event) { // It is not a mark of our own.
		fmt.Println("handle it")
	}
	// Output: handle it
}

func ExampleDocuments() {
	cursor := &stream{docs: []Raw{exampleRaw(), mongocarrier.StripRaw(exampleRaw())}} // a *mongo.Cursor.
	for ctx, doc := range mongocarrier.Documents(context.Background(), cursor, func() Raw { return cursor.Current }) {
		fmt.Println(len(doc), trace.SpanContextFromContext(ctx).IsValid())
	}
	// Output:
	// 99 true
	// 14 false
}

func ExampleChangeEvents() {
	changes := &stream{docs: []Raw{exampleEvent("insert", exampleRaw())}} // a *mongo.ChangeStream.
	for ctx := range mongocarrier.ChangeEvents(context.Background(), changes, func() Raw { return changes.Current }) {
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	}
	// Output: 01000000000000000000000000000000
}

func ExampleProcess() {
	claimed := exampleRaw()
	err := mongocarrier.Process(context.Background(), mongocarrier.ReadRaw(claimed), func(ctx context.Context) error {
		fmt.Println("in the trace", trace.SpanContextFromContext(ctx).TraceID())
		return errors.New("no stock")
	})
	fmt.Println(err)
	// Output:
	// in the trace 01000000000000000000000000000000
	// no stock
}

func ExampleProcessBatch() {
	var remotes []propagation.Remote
	for _, doc := range []Raw{exampleRaw(), exampleRaw()} {
		remotes = append(remotes, mongocarrier.ReadRaw(doc))
	}
	err := mongocarrier.ProcessBatch(context.Background(), remotes, func(context.Context) error {
		fmt.Println(len(remotes), "documents")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 2 documents
	// <nil>
}

func ExampleNewConsumer() {
	orders := mongocarrier.NewConsumer("orders") // Once, for all documents of the collection.
	claimed := exampleRaw()
	err := orders.Process(context.Background(), mongocarrier.ReadRaw(claimed), nothing)
	fmt.Println(err)
	// Output: <nil>
}

// A poller has claimed a document, which counts how often it was handed out.
func ExampleConsumer_Process() {
	orders := mongocarrier.NewConsumer("orders")
	claimed, attempts := exampleRaw(), 1
	err := orders.Process(context.Background(), mongocarrier.ReadRaw(claimed), func(ctx context.Context) error {
		fmt.Println("in the trace", trace.SpanContextFromContext(ctx).TraceID())
		return errors.New("no stock")
	}, mongocarrier.WithAttempt(attempts))
	fmt.Println(err)
	// Output:
	// in the trace 01000000000000000000000000000000
	// no stock
}

func ExampleConsumer_ProcessBatch() {
	orders := mongocarrier.NewConsumer("orders")
	var remotes []propagation.Remote
	for _, doc := range []Raw{exampleRaw(), exampleRaw()} {
		remotes = append(remotes, mongocarrier.ReadRaw(doc))
	}
	err := orders.ProcessBatch(context.Background(), remotes, func(context.Context) error {
		fmt.Println(len(remotes), "documents")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 2 documents
	// <nil>
}

func ExampleComment() {
	fmt.Println(mongocarrier.Comment(exampleContext(), "orders of the day"))
	// Output: orders of the day traceparent='00-01000000000000000000000000000000-0200000000000000-01'
}

func ExampleCommentDocument() {
	fmt.Println(toJSON(mongocarrier.CommentDocument(exampleContext(), "orders of the day")))
	// Output: {"text":"orders of the day","traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}
}

func ExampleNewD() {
	doc := D{{"_id", 42}}
	c := mongocarrier.NewD(&doc)
	c.Set("b3", "0")
	fmt.Println(doc[1].Key, c.Get("b3"))
	// Output: _otel 0
}

func ExampleNewM() {
	doc := M{"_id": 42}
	mongocarrier.NewM(doc).Set("b3", "0")
	fmt.Println(len(doc))
	// Output: 2
}

func ExampleNewRaw() {
	doc := mongocarrier.StripRaw(exampleRaw())
	c := mongocarrier.NewRaw(&doc)
	c.Set("b3", "0")
	fmt.Println(c.Keys())
	// Output: [b3]
}

func ExampleCarrier_Delete() {
	doc := M{"_otel": M{"b3": "0", "baggage": "a=1"}}
	mongocarrier.NewM(doc).Delete("baggage")
	fmt.Println(mongocarrier.NewM(doc).Keys())
	// Output: [b3]
}

func ExampleCarrier_Get() {
	fmt.Println(mongocarrier.NewM(M{"_otel": M{"b3": "0"}}).Get("b3"))
	// Output: 0
}

func ExampleCarrier_Keys() {
	fmt.Println(mongocarrier.NewM(M{"_id": 42, "_otel": M{"b3": "0"}}).Keys())
	// Output: [b3]
}

func ExampleCarrier_Set() {
	doc := M{"_id": 42}
	mongocarrier.NewM(doc, mongocarrier.WithField("meta.trace")).Set("b3", "0")
	fmt.Println(toJSON(doc["meta"]))
	// Output: {"trace":{"b3":"0"}}
}

// A path with dots names a field of a nested document.
func ExampleWithField() {
	doc := mongocarrier.InjectM(exampleContext(), M{"meta": M{}}, traceContext, mongocarrier.WithField("meta.trace"))
	fmt.Println(toJSON(doc))
	// Output: {"meta":{"trace":{"traceparent":"00-01000000000000000000000000000000-0200000000000000-01"}}}
}

// The outbox connector of Debezium reads one string.
func ExampleWithForm() {
	doc := mongocarrier.InjectM(exampleContext(), M{}, traceContext, mongocarrier.WithForm(mongocarrier.FormProperties))
	fmt.Print(doc[mongocarrier.DebeziumField])
	// Output: traceparent=00-01000000000000000000000000000000-0200000000000000-01
}

// Documents that are inserted together share one text, and writing them again
// writes the same.
func ExampleWithCaptured() {
	captured := mongocarrier.WithCaptured(mongocarrier.Capture(exampleContext()))
	docs := make([]any, 1000)
	for i := range docs {
		docs[i] = mongocarrier.InjectM(context.Background(), M{"_id": i}, captured)
	}
	fmt.Println(mongocarrier.ReadM(docs[999].(M)).SpanContext().SpanID())
	// Output: 0200000000000000
}

// A document that nobody else uses.
func ExampleWithInPlace() {
	doc := M{"_id": 42}
	doc = mongocarrier.InjectM(exampleContext(), doc, mongocarrier.WithInPlace())
	fmt.Println(len(doc))
	// Output: 2
}

func ExampleWithPropagation() {
	members, err := baggage.Parse("tenant=acme,user=alice")
	ctx := baggage.ContextWithBaggage(exampleContext(), members)
	// In Trace Context and Baggage only, and of the baggage one member.
	doc := mongocarrier.InjectM(ctx, M{"_id": 42}, mongocarrier.WithPropagation(
		propagation.WithPropagator(propagation.Compose(propagation.TraceContext{}, propagation.Baggage{})),
		propagation.WithBaggage("tenant")))
	fmt.Println(toJSON(doc["_otel"]), err)
	// Output: {"traceparent":"00-01000000000000000000000000000000-0200000000000000-01","baggage":"tenant=acme"} <nil>
}

func ExampleWithLastWriterField() {
	onInsert, set := mongocarrier.SetFields(exampleContext(), mongocarrier.ModeBoth,
		mongocarrier.WithField("meta.creator"), mongocarrier.WithLastWriterField("meta.writer"))
	fmt.Println(slices.Collect(maps.Keys(onInsert)), slices.Collect(maps.Keys(set)))
	// Output: [meta.creator] [meta.writer]
}

func ExampleWithAttempt() {
	orders := mongocarrier.NewConsumer("orders")
	// A second attempt starts a trace of its own, with a link.
	_ = orders.Process(context.Background(), mongocarrier.ReadRaw(exampleRaw()), func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID() == trace.TraceID{1})
		return nil
	}, mongocarrier.WithAttempt(2))
	// Output: false
}

func ExampleWithContextSource() {
	orders := mongocarrier.NewConsumer("orders")
	remote, source := mongocarrier.ReadChangeEvent(exampleEvent("update", exampleRaw()))
	fmt.Println(source)
	// Whoever made the document did not make this change: a link is enough.
	_ = orders.Process(context.Background(), remote, func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID() == trace.TraceID{1})
		return nil
	}, mongocarrier.WithContextSource(source))
	// Output:
	// creation
	// false
}

func ExampleWithStartOptions() {
	// Anyone can write to the collection.
	inbox := mongocarrier.NewConsumer("inbox", mongocarrier.WithStartOptions(propagation.WithUntrusted()))
	_ = inbox.Process(context.Background(), mongocarrier.ReadRaw(exampleRaw()), func(ctx context.Context) error {
		fmt.Println(trace.SpanContextFromContext(ctx).TraceID() == trace.TraceID{1})
		return nil
	})
	// Output: false
}

func ExampleWithObserver() {
	o := &counter{} // In a program, the one of package metrics.
	orders := mongocarrier.NewConsumer("orders", mongocarrier.WithObserver(o))
	_ = orders.Process(context.Background(), mongocarrier.ReadRaw(exampleRaw()), nothing)
	fmt.Println(o.documents)
	// Output: 1
}

// counter counts the documents that were handled.
type counter struct {
	observe.NoMessaging

	documents int
}

func (c *counter) Processed(_ context.Context, p observe.Process) { c.documents += p.Messages }

// A failed span says why.
func ExampleWithErrorDescription() {
	provider, spans := exampleProvider()
	orders := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(provider), mongocarrier.WithErrorDescription(nil))
	_ = orders.Process(context.Background(), mongocarrier.ReadRaw(exampleRaw()), func(context.Context) error {
		return errors.New("no stock")
	})
	fmt.Println(spans.GetSpans()[0].Status.Description)
	// Output: no stock
}

func ExampleWithTracerProvider() {
	provider, spans := exampleProvider()
	orders := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(provider))
	_ = orders.Process(context.Background(), mongocarrier.ReadRaw(exampleRaw()), nothing)
	fmt.Println(spans.GetSpans()[0].Name)
	// Output: process orders
}

func exampleProvider() (*sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	exporter := tracetest.NewInMemoryExporter()
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)), exporter
}

func ExampleWithMeterProvider() {
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	orders := mongocarrier.NewConsumer("orders", mongocarrier.WithMeterProvider(provider))
	_ = orders.Process(context.Background(), mongocarrier.ReadRaw(exampleRaw()), nothing)

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &collected); err != nil {
		fmt.Println(err)
	}
	for _, m := range collected.ScopeMetrics[0].Metrics {
		fmt.Println(m.Name)
	}
	// Unordered output:
	// messaging.process.duration
	// messaging.client.consumed.messages
}
