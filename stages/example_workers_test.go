// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// runs prints the spans that have ended, with their parents and outcomes.
func runs(spans *tracetest.InMemoryExporter) {
	names := map[string]string{}
	for _, span := range spans.GetSpans() {
		names[span.SpanContext.SpanID().String()] = span.Name
	}
	var lines []string
	for _, span := range spans.GetSpans() {
		parent := names[span.Parent.SpanID().String()]
		if parent == "" {
			parent = "no span"
		}
		lines = append(lines, fmt.Sprintf("%s in %s: %s, %d links", span.Name, parent, attributeOf(span, "etl.outcome"), len(span.Links)))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}

// Fan-out: a stage starts a goroutine for each part of its work. Their spans are
// children of its span. One failure is one failure: the others were canceled.
func ExampleStage_Run_fanOut() {
	spans := tracetest.NewInMemoryExporter()
	orders := stages.Must(stages.NewPipeline("orders", stages.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))))
	load := stages.Must(orders.Stage("load"))
	loadPart := stages.WrapErr(stages.Must(orders.Stage("load part")), func(ctx context.Context, part int) error {
		if part == 1 {
			return errors.New("disk full")
		}
		<-ctx.Done()
		return ctx.Err()
	})

	err := load.Run(context.Background(), func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var workers sync.WaitGroup
		for part := range 3 {
			workers.Go(func() {
				if err := loadPart(ctx, part); err != nil {
					cancel(err) // The first one counts, as with errgroup.
				}
			})
		}
		workers.Wait()
		return context.Cause(ctx)
	})
	fmt.Println(err)
	runs(spans)
	// Output:
	// disk full
	// load in no span: failure, 0 links
	// load part in load: cancelled, 0 links
	// load part in load: cancelled, 0 links
	// load part in load: failure, 0 links
}

// A pool: workers take what one stage has put. Each row is a run in the flow that it
// came from, and the workers stop when their context does.
func ExampleQueue_pool() {
	spans := tracetest.NewInMemoryExporter()
	orders := stages.Must(stages.NewPipeline("orders", stages.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))))
	transform := stages.Must(orders.Stage("transform"))
	load := stages.Must(orders.Stage("load"))
	queue := stages.Must(stages.NewQueue[int](load, 16))
	insert := stages.WrapErr(load, func(context.Context, int) error { return nil })

	ctx := context.Background()
	var pool sync.WaitGroup
	for range 4 {
		pool.Go(func() {
			for ctx, row := range queue.All(ctx) {
				_ = insert(ctx, row)
			}
		})
	}
	for row := range 3 {
		_ = transform.Run(ctx, func(ctx context.Context) error { return queue.Put(ctx, row) })
	}
	queue.Close()
	pool.Wait()
	runs(spans)
	// Output:
	// load in transform: success, 1 links
	// load in transform: success, 1 links
	// load in transform: success, 1 links
	// transform in no span: success, 0 links
	// transform in no span: success, 0 links
	// transform in no span: success, 0 links
}

// Fan-in: a run that joins rows of two inputs is linked to both.
func ExampleBatch_fanIn() {
	spans := tracetest.NewInMemoryExporter()
	orders := stages.Must(stages.NewPipeline("orders", stages.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))))
	join := stages.Must(orders.Stage("join"))
	prices := stages.Must(stages.NewQueue[int](join, 16))
	amounts := stages.Must(stages.NewQueue[int](join, 16))
	ctx := context.Background()
	_ = stages.Must(orders.Stage("read prices")).Run(ctx, func(ctx context.Context) error { return prices.Put(ctx, 3) })
	_ = stages.Must(orders.Stage("read amounts")).Run(ctx, func(ctx context.Context) error { return amounts.Put(ctx, 14) })

	price, _ := prices.Take(ctx)
	amount, _ := amounts.Take(ctx)
	both := []propagation.Remote{price.Remote(), amount.Remote()}
	_ = stages.Batch(ctx, join, both, func(context.Context) error {
		fmt.Println("total", price.Value*amount.Value)
		return nil
	}, stages.WithRows(1))
	runs(spans)
	// Output:
	// total 42
	// join in no span: success, 2 links
	// read amounts in no span: success, 0 links
	// read prices in no span: success, 0 links
}
