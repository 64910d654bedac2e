// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/carriers"
	"github.com/waybill-go/waybill/propagation"
)

// natsMessage has the header of a NATS message, a map of lists.
type natsMessage struct {
	Header map[string][]string
	Data   []byte
}

// A producer and a consumer of a client library whose header is a map.
func Example() {
	tracer := sdktrace.NewTracerProvider().Tracer("orders")

	// The producer.
	ctx, span := tracer.Start(context.Background(), "send order")
	message := natsMessage{Header: map[string][]string{"Content-Type": {"text/plain"}}, Data: []byte("42 parcels")}
	propagation.InjectTextMap(ctx, carriers.MultiMap(message.Header))
	sent := span.SpanContext()
	span.End()

	// The consumer, as a rule in another process.
	remote := propagation.ReadTextMap(carriers.MultiMap(message.Header))
	_, span = propagation.Start(context.Background(), tracer, "process order", []propagation.Remote{remote})
	defer span.End()

	fmt.Println("one trace:", span.SpanContext().TraceID() == sent.TraceID())
	fmt.Println("other headers:", message.Header["Content-Type"])
	// Output:
	// one trace: true
	// other headers: [text/plain]
}
