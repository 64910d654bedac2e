// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// One run loads what three runs have put into a queue, and is linked to them.
func ExampleBatch() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	orders := stages.Must(stages.NewPipeline("orders", stages.WithTracerProvider(provider)))
	transform := stages.Must(orders.Stage("transform"))
	load := stages.Must(orders.Stage("load"))
	queue := stages.Must(stages.NewQueue[string](load, 100))
	ctx := context.Background()
	for _, row := range []string{"a", "b", "c"} {
		_ = transform.Run(ctx, func(ctx context.Context) error { return queue.Put(ctx, row) })
	}
	queue.Close()

	var rows []string
	var remotes []propagation.Remote
	for item, err := queue.Take(ctx); err == nil; item, err = queue.Take(ctx) {
		rows, remotes = append(rows, item.Value), append(remotes, item.Remote())
	}
	_ = stages.Batch(ctx, load, remotes, func(ctx context.Context) error {
		stages.FromContext(ctx).Wrote(len(rows))
		return nil
	})

	for _, span := range spans.GetSpans() {
		fmt.Println(span.Name, len(span.Links), "links")
	}
	// Output:
	// transform 0 links
	// transform 0 links
	// transform 0 links
	// load 3 links
}

// Rows that came without contexts are counted all the same.
func ExampleWithRows() {
	orders := stages.Must(stages.NewPipeline("orders"))
	load := stages.Must(orders.Stage("load"))
	rows := []string{"a", "b"}
	err := stages.Batch(context.Background(), load, nil, func(context.Context) error {
		fmt.Println("inserted", rows)
		return nil
	}, stages.WithRows(len(rows)))
	fmt.Println(err)
	// Output:
	// inserted [a b]
	// <nil>
}

func ExampleWithStartOptions() {
	orders := stages.Must(stages.NewPipeline("orders"))
	load := stages.Must(orders.Stage("load"))
	err := stages.Batch(context.Background(), load, make([]propagation.Remote, 500),
		func(context.Context) error { return nil },
		stages.WithStartOptions(propagation.AsLink(), propagation.WithMaxLinks(16)))
	fmt.Println(err)
	// Output: <nil>
}
