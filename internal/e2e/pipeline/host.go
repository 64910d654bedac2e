// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/metrics"
)

// Main runs this process as a part of a pipeline and exits, if the environment
// says so. Otherwise it returns. TestMain must call it first.
func Main() {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return
	}
	if err := run(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(text string) error {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	// Sampled spans give the histograms exemplars. Nobody receives the spans.
	otel.SetTracerProvider(trace.NewTracerProvider())
	h, err := newHost(s)
	if err != nil {
		return err
	}
	switch s.Role {
	case roleSource:
		return h.serve(ctx, h.produce)
	case roleWorker:
		return h.serve(ctx, h.work)
	default:
		return h.runJob(ctx)
	}
}

// host is what the roles have in common.
type host struct {
	settings
	registry *prometheus.Registry
	metrics  *metrics.Metrics
	faults   faults
}

func newHost(s settings) (*host, error) {
	h := &host{settings: s, registry: prometheus.NewRegistry()}
	var err error
	h.metrics, err = metrics.New(h.registry, metrics.WithGoCollector(), metrics.WithProcessCollector())
	return h, err
}

// serve serves the metrics while fn runs.
func (h *host) serve(ctx context.Context, fn func(context.Context) error) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics.Handler(h.registry))
	mux.Handle("POST /faults/{pipeline}/{fault}", &h.faults)
	mux.HandleFunc("/-/ready", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: h.Listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	err := fn(ctx)
	if ctx.Err() != nil {
		err = nil // It was asked to stop.
	}
	return errors.Join(err, server.Close(), ignoreClosed(<-failed))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// row is a row of the pipelines.
type row struct {
	ID     int
	Amount float64
	Time   time.Time // The event time.
}
