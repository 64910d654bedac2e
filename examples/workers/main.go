// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command workers runs a stage on a pool of goroutines with errgroup. Rows come
// through a queue, each with the context it was put with. A row that cannot be stored
// stops the pool: that is one failure, and the other workers were canceled.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-go/waybill/stages"
)

const workers = 3

var errFull = errors.New("disk full")

// store is the function that loads a row.
func store(ctx context.Context, row int) error {
	if row == workers-1 {
		return errFull
	}
	<-ctx.Done() // What is slow sees that the pool has stopped.
	return ctx.Err()
}

func main() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	if err := run(context.Background(), provider); !errors.Is(err, errFull) {
		log.Fatalf("run = %v, want %v", err, errFull)
	}
	for _, line := range outcomes(spans) {
		fmt.Println(line)
	}
}

func run(ctx context.Context, provider *sdktrace.TracerProvider) error {
	pipeline, err := stages.NewPipeline("orders", stages.WithTracerProvider(provider), stages.WithErrorType(errFull, "disk_full"))
	if err != nil {
		return err
	}
	extract, err := pipeline.Stage("extract")
	if err != nil {
		return err
	}
	load, err := pipeline.Stage("load")
	if err != nil {
		return err
	}
	queue, err := stages.NewQueue[int](load, workers)
	if err != nil {
		return err
	}
	insert := stages.WrapErr(load, store)

	return pipeline.Run(ctx, func(ctx context.Context) error {
		pool, ctx := errgroup.WithContext(ctx)
		pool.Go(func() error {
			defer queue.Close() // The workers end when it is empty.
			return extract.Run(ctx, func(ctx context.Context) error {
				for row := range workers {
					if err := queue.Put(ctx, row); err != nil {
						return err
					}
				}
				return nil
			})
		})
		for range workers {
			pool.Go(func() error {
				for ctx, row := range queue.All(ctx) {
					if err := insert(ctx, row); err != nil {
						return err
					}
				}
				return ctx.Err()
			})
		}
		return pool.Wait()
	})
}

// outcomes returns a line for each span: its name, how it ended, and the number of
// spans it is linked to.
func outcomes(spans *tracetest.InMemoryExporter) []string {
	var lines []string
	for _, span := range spans.GetSpans() {
		attributes := attribute.NewSet(span.Attributes...)
		outcome, _ := attributes.Value("etl.outcome")
		lines = append(lines, fmt.Sprintf("%s: %s, %d links", span.Name, outcome.AsString(), len(span.Links)))
	}
	slices.Sort(lines)
	return lines
}
