// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// traceOnly keeps the examples to what is always the same: a propagator for the
// trace context alone, and one span.
var traceOnly = propagation.WithPropagator(propagation.TraceContext{})

func exampleContext() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID:    trace.TraceID{0: 0x4b, 15: 1},
		SpanID:     trace.SpanID{0: 0x1f, 7: 1},
		TraceFlags: trace.FlagsSampled,
	}))
}

func sampled(tb testing.TB) context.Context {
	tb.Helper()
	return trace.ContextWithSpanContext(tb.Context(), trace.SpanContextFromContext(exampleContext()))
}

func ExampleMap() {
	metadata := map[string]string{"topic": "orders"} // As of a Watermill message.
	propagation.InjectTextMap(exampleContext(), carriers.Map(metadata), traceOnly)

	fmt.Println(metadata["traceparent"])
	// Output: 00-4b000000000000000000000000000001-1f00000000000001-01
}

func ExampleAnyMap() {
	table := amqpTable{"attempt": 2} // As of an AMQP message.
	propagation.InjectTextMap(exampleContext(), carriers.AnyMap(table), traceOnly)

	remote := propagation.ReadTextMap(carriers.AnyMap(table), traceOnly)
	fmt.Println(remote.SpanContext().TraceID(), table["attempt"])
	// Output: 4b000000000000000000000000000001 2
}

func ExampleMultiMap() {
	header := natsHeader{} // As of a NATS message.
	propagation.InjectTextMap(exampleContext(), carriers.MultiMap(header), traceOnly)

	fmt.Println(header["traceparent"])
	// Output: [00-4b000000000000000000000000000001-1f00000000000001-01]
}

func ExampleBytesMap() {
	metadata := map[string][]byte{} // As of an Avro file.
	propagation.InjectTextMap(exampleContext(), carriers.BytesMap(metadata), traceOnly)

	fmt.Printf("%s\n", metadata["traceparent"])
	// Output: 00-4b000000000000000000000000000001-1f00000000000001-01
}

func ExamplePairs() {
	var message publish // As of MQTT v5.
	propagation.InjectTextMap(exampleContext(), (*carriers.Pairs[userProperty])(&message.User), traceOnly)

	fmt.Println(message.User)
	// Output: [{traceparent 00-4b000000000000000000000000000001-1f00000000000001-01}]
}

// A list that has no type of its own.
func ExamplePair() {
	var list carriers.Pairs[carriers.Pair]
	propagation.InjectTextMap(exampleContext(), &list, traceOnly)

	fmt.Println(list[0].Key, list[0].Value)
	// Output: traceparent 00-4b000000000000000000000000000001-1f00000000000001-01
}

// A text is read back as it was written, and keeps what is not its own.
func ExampleText() {
	column := "# of the outbox\ncustomer=acme\n"
	text := carriers.Properties(&column)
	propagation.InjectTextMap(exampleContext(), text, traceOnly)
	fmt.Println(propagation.ReadTextMap(text, traceOnly).SpanContext().TraceID())

	text.Delete("traceparent")
	fmt.Print(column)
	// Output:
	// 4b000000000000000000000000000001
	// # of the outbox
	// customer=acme
}

func ExampleFoldedMap() {
	// The metadata of an object, in a spelling that its store has chosen.
	metadata := map[string]string{"Traceparent": "00-4b000000000000000000000000000001-1f00000000000001-01"}

	fmt.Println(propagation.ReadTextMap(carriers.FoldedMap(metadata), traceOnly).SpanContext().TraceID())
	// Output: 4b000000000000000000000000000001
}

func ExampleFoldedMultiMap() {
	md := map[string][]string{} // The metadata of gRPC refuses upper case.
	carriers.FoldedMultiMap(md).Set("X-Amzn-Trace-Id", "Root=1-4b000000-000000000000000000000001")

	fmt.Println(md)
	// Output: map[x-amzn-trace-id:[Root=1-4b000000-000000000000000000000001]]
}

func ExampleJSON() {
	metadata := json.RawMessage(`{"customer": "acme", "rows": 12}`) // As of a River job.
	propagation.InjectTextMap(exampleContext(), carriers.JSON(&metadata), traceOnly)

	fmt.Println(string(metadata))
	// Output: {"customer": "acme", "rows": 12,"traceparent":"00-4b000000000000000000000000000001-1f00000000000001-01"}
}

func ExampleProperties() {
	var tracingSpanContext string // The column of an outbox that Debezium reads.
	propagation.InjectTextMap(exampleContext(), carriers.Properties(&tracingSpanContext), traceOnly)

	fmt.Print(tracingSpanContext)
	// Output: traceparent=00-4b000000000000000000000000000001-1f00000000000001-01
}

// A medium that refuses a message with more than 10 attributes.
func ExampleWithin() {
	attributes := map[string]string{}
	for i := range 10 {
		attributes[fmt.Sprint("user-", i)] = "value"
	}
	inject := func(m map[string]string) {
		propagation.InjectTextMap(exampleContext(), carriers.Map(m), traceOnly)
	}
	fmt.Println(carriers.Within(attributes, 10, inject), len(attributes))

	delete(attributes, "user-9")
	fmt.Println(carriers.Within(attributes, 10, inject), len(attributes))
	// Output:
	// false 10
	// true 10
}

// attribute is an entry of SQS, whose values are structs of pointers.
type attribute struct{ DataType, StringValue *string }

type attributes struct{}

func (attributes) Set(m map[string]attribute, key, value string) {
	text := "String"
	m[key] = attribute{DataType: &text, StringValue: &value}
}

// A map of a type that no shape fits takes a Setter.
func ExampleWithin_setter() {
	message := map[string]attribute{}
	carriers.Within(message, 10, func(m map[string]attribute) {
		propagation.Inject(exampleContext(), m, attributes{}, traceOnly)
	})

	fmt.Println(*message["traceparent"].StringValue)
	// Output: 00-4b000000000000000000000000000001-1f00000000000001-01
}
