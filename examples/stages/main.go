// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command stages is a whole pipeline, in pipeline.go: it extracts rows, validates
// them, transforms them, and loads them from a queue. All of it is timed, counted
// and, by the global tracer provider of a program that sets one, traced. The metrics
// are at http://localhost:8000/metrics until it ends, by itself or by Ctrl-C.
package main

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"log"
	"math"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
)

// numbers yields n rows, ten a second, until ctx is done.
func numbers(ctx context.Context, n int) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for i := range n {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return
			}
			if !yield(row{i}, nil) {
				return
			}
		}
	}
}

func main() {
	addr := flag.String("metrics", ":8000", "the address of the metrics")
	rows := flag.Int("rows", math.MaxInt, "how many rows to process, ten a second; without it, until Ctrl-C")
	flag.Parse()
	if err := run(*addr, *rows); err != nil {
		log.Fatal(err)
	}
}

func run(addr string, rows int) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	registry := prometheus.NewRegistry()
	observer, err := metrics.New(registry, metrics.WithGoCollector(), metrics.WithProcessCollector())
	if err != nil {
		return err
	}
	server, err := metrics.Listen(ctx, addr, registry)
	if err != nil {
		return err
	}
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	fmt.Printf("metrics: http://localhost:%s/metrics\n", port)

	p, err := newPipeline(observer)
	if err != nil {
		return err
	}
	if err := p.run(ctx, numbers(ctx, rows)); ctx.Err() == nil {
		return err
	}
	return nil // It was interrupted.
}
