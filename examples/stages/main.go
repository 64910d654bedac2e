// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command stages makes a function a stage of a pipeline: it stays the function
// it was, and is timed, counted and, by the global tracer provider of a program
// that sets one, traced. The metrics are at http://localhost:8000/metrics until it
// ends by itself or by Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

var errOdd = errors.New("odd")

// half is any function of yours.
func half(ctx context.Context, n int) (int, error) {
	run := stages.FromContext(ctx) // What it counts is up to it.
	run.Read(1)
	if n%2 != 0 {
		return 0, errOdd
	}
	run.Wrote(1)
	return n / 2, nil
}

func main() {
	addr := flag.String("metrics", ":8000", "the address of the metrics")
	rows := flag.Int("rows", 100, "how many rows to process, ten a second")
	flag.Parse()
	if err := run(*addr, *rows); err != nil {
		log.Fatal(err)
	}
}

func run(addr string, rows int) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	registry := prometheus.NewRegistry()
	observer, err := metrics.New(registry)
	if err != nil {
		return err
	}
	server, err := metrics.Listen(ctx, addr, registry)
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	fmt.Printf("metrics: http://localhost:%s/metrics\n", port)

	pipeline, err := stages.NewPipeline("example", stages.WithObserver(observer), stages.WithErrorType(errOdd, "odd"))
	if err != nil {
		return err
	}
	stage, err := pipeline.Stage("half")
	if err != nil {
		return err
	}
	measured := stages.Wrap(stage, half) // A function of the same type.
	for n := range rows {
		if m, err := measured(ctx, n); err != nil {
			fmt.Println(n, "->", err)
		} else {
			fmt.Println(n, "->", m)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
