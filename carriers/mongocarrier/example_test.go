// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// collection stands for a *mongo.Collection of either driver.
type collection struct{ docs []map[string]any }

func (c *collection) InsertOne(doc map[string]any) { c.docs = append(c.docs, doc) }

// ClaimOne stands for FindOneAndUpdate.
func (c *collection) ClaimOne() (doc map[string]any, ok bool) {
	if len(c.docs) == 0 {
		return nil, false
	}
	doc, c.docs = c.docs[0], c.docs[1:]
	return doc, true
}

// A collection is used as a queue: one service inserts a document, and another
// claims it and handles it in the same trace.
func Example() {
	otel.SetTracerProvider(sdktrace.NewTracerProvider()) // In a program, with an exporter.
	defer otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample())))
	jobs := &collection{}

	// The producer.
	ctx, span := otel.Tracer("shop").Start(context.Background(), "place order")
	jobs.InsertOne(mongocarrier.InjectM(ctx, map[string]any{"_id": 42, "item": "tea"}))
	span.End()

	// The poller, in another process.
	consumer := mongocarrier.NewConsumer("jobs")
	for doc, ok := jobs.ClaimOne(); ok; doc, ok = jobs.ClaimOne() {
		err := consumer.Process(context.Background(), mongocarrier.ReadM(doc), func(ctx context.Context) error {
			fmt.Println("one trace:", trace.SpanContextFromContext(ctx).TraceID() == span.SpanContext().TraceID())
			fmt.Println("handled:", doc["item"])
			return nil
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// one trace: true
	// handled: tea
}
