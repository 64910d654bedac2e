// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// Three workers load what one transform puts into the queue. Each row is loaded in
// the flow that it came from.
func ExampleQueue() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	orders := stages.Must(stages.NewPipeline("orders", stages.WithTracerProvider(provider)))
	transform := stages.Must(orders.Stage("transform"))
	load := stages.Must(orders.Stage("load"))
	queue := stages.Must(stages.NewQueue[string](load, 100))
	insert := stages.WrapErr(load, func(context.Context, string) error { return nil })

	ctx := context.Background()
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for ctx, row := range queue.All(ctx) {
				_ = insert(ctx, row)
			}
		})
	}
	_ = transform.Run(ctx, func(ctx context.Context) error {
		defer queue.Close()
		for _, row := range []string{"a", "b", "c", "d"} {
			if err := queue.Put(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
	workers.Wait()

	traces := map[string]bool{}
	for _, span := range spans.GetSpans() {
		traces[span.SpanContext.TraceID().String()] = true
	}
	fmt.Println(len(spans.GetSpans()), "spans,", len(traces), "trace")
	// Output: 5 spans, 1 trace
}

func ExampleNewQueue() {
	_, err := stages.NewQueue[string](nil, 0)
	fmt.Println(err, errors.Is(err, stages.ErrInvalidCapacity))
	// Output: stages: invalid capacity: 0 true
}

// A producer waits no longer than its context.
func ExampleQueue_Put() {
	queue := stages.Must(stages.NewQueue[string](nil, 1))
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(queue.Put(ctx, "a"))
	fmt.Println(queue.Put(ctx, "b"))
	// Output:
	// <nil>
	// context deadline exceeded
}

func ExampleQueue_Take() {
	queue := stages.Must(stages.NewQueue[string](nil, 10))
	ctx := context.Background()
	_ = queue.Put(ctx, "a")
	queue.Close()
	for {
		item, err := queue.Take(ctx)
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(item.Value)
	}
	// Output:
	// a
	// stages: queue closed
}

func ExampleQueue_All() {
	queue := stages.Must(stages.NewQueue[string](nil, 10))
	ctx := context.Background()
	_ = queue.Put(ctx, "a")
	_ = queue.Put(ctx, "b")
	queue.Close()
	for ctx, row := range queue.All(ctx) {
		fmt.Println(row, ctx.Err())
	}
	// Output:
	// a <nil>
	// b <nil>
}

// Close lets producers return that nobody takes from any more.
func ExampleQueue_Close() {
	queue := stages.Must(stages.NewQueue[string](nil, 1))
	ctx := context.Background()
	_ = queue.Put(ctx, "a")
	refused := make(chan error)
	go func() { refused <- queue.Put(ctx, "b") }()
	queue.Close()
	fmt.Println(<-refused)
	// Output: stages: queue closed
}

func ExampleQueue_Stats() {
	queue := stages.Must(stages.NewQueue[string](nil, 10))
	_ = queue.Put(context.Background(), "a")
	stats := queue.Stats()
	fmt.Println(stats.Rows, "of", stats.Capacity, "done:", stats.Done)
	// Output: 1 of 10 done: false
}

// The context of an item is canceled by its consumer, and not by its producer.
func ExampleItem_Context() {
	queue := stages.Must(stages.NewQueue[string](nil, 1))
	type key struct{}
	producer, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "tenant blue"))
	_ = queue.Put(producer, "a")
	cancel() // The producer is done.

	consumer := context.Background()
	item, _ := queue.Take(consumer)
	ctx := item.Context(consumer)
	fmt.Println(item.Value, ctx.Value(key{}), ctx.Err())
	// Output: a tenant blue <nil>
}

// Many items are handled by one run, which is linked to all of them.
func ExampleItem_Remote() {
	queue := stages.Must(stages.NewQueue[string](nil, 10))
	origin := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	ctx := propagation.ContextWithWaybill(context.Background(), propagation.Waybill{Origin: origin})
	_ = queue.Put(ctx, "a")
	item, _ := queue.Take(ctx)
	fmt.Println(item.Remote().Waybill().Origin)
	// Output: 2026-10-01 00:00:00 +0000 UTC
}
