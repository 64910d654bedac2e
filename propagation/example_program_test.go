// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation_test

import (
	"context"
	"fmt"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/propagation"
)

// record is a message of a queue that nobody foresaw: a payload behind a header
// of lines.
type record struct {
	header  []string
	payload string
}

// lines reads and writes the header of a record. It is a whole carrier.
type lines struct{}

func (lines) Get(r *record, key string) string {
	for _, line := range r.header {
		if k, value, ok := strings.Cut(line, ": "); ok && k == key {
			return value
		}
	}
	return ""
}

func (lines) Set(r *record, key, value string) {
	lines{}.Delete(r, key)
	r.header = append(r.header, key+": "+value)
}

func (lines) Delete(r *record, key string) {
	var kept []string
	for _, line := range r.header {
		if !strings.HasPrefix(line, key+": ") {
			kept = append(kept, line)
		}
	}
	r.header = kept
}

// A producer writes its context to a record, and a consumer continues it.
func Example() {
	tracer := sdktrace.NewTracerProvider().Tracer("orders")
	queue := make(chan *record, 1)

	// The producer.
	ctx, span := tracer.Start(context.Background(), "send order")
	order := &record{payload: "42 parcels"}
	propagation.Inject(ctx, order, lines{})
	queue <- order
	sent := span.SpanContext()
	span.End()

	// The consumer, as a rule in another process.
	received := <-queue
	remote := propagation.Read(received, lines{})
	_, span = propagation.Start(context.Background(), tracer, "process order", []propagation.Remote{remote})
	defer span.End()

	fmt.Println("one trace:", span.SpanContext().TraceID() == sent.TraceID())
	fmt.Println("hops:", remote.Waybill().Hops)
	// Output:
	// one trace: true
	// hops: 1
}
