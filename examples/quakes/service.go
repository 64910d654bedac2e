// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// services are the services of this program, by their command.
var services = map[string]func(context.Context, *service, []string) error{
	"ingest":   ingest,
	"clean":    clean,
	"dispatch": dispatch,
	"assess":   assess,
	"report":   report,
}

// service has what each service needs: its telemetry and its database.
type service struct {
	metrics *metrics.Metrics
	log     *slog.Logger
	db      *mongo.Database
	spans   *sdktrace.TracerProvider

	pushing sync.Mutex // Prevents an older push from arriving after a newer one.
	pusher  *metrics.Pusher
}

// errFinish is the cause of the context of a service that should finish its work
// before it ends.
var errFinish = errors.New("told to finish")

// pushInterval is the time between two pushes of the metrics of a service.
const pushInterval = 200 * time.Millisecond

// runService runs the service called name and returns its exit status.
func runService(name string, args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go listen(cancel)

	s, err := newService(name)
	if err == nil {
		go s.pushEvery(ctx, pushInterval)
		err = services[name](ctx, s, args)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return 0
}

// listen ends the context of the service on a signal, or when the supervisor ends.
func listen(cancel context.CancelCauseFunc) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	gone := make(chan struct{})
	if setting(envSupervised) != "" {
		go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(gone) }()
	}
	select {
	case <-gone:
		cancel(errors.New("the supervisor has gone"))
	case sig := <-signals:
		if sig == syscall.SIGTERM {
			cancel(errFinish)
		}
		cancel(errors.New("interrupted"))
	}
}

// newService sets up the telemetry, as any service does at its start, and connects to
// the database.
func newService(name string) (*service, error) {
	spans, err := newTracerProvider(name)
	if err != nil {
		return nil, err
	}
	otel.SetTracerProvider(spans)
	otel.SetTextMapPropagator(propagation.Default())

	registry := prometheus.NewRegistry()
	observer, err := metrics.New(registry)
	if err != nil {
		return nil, err
	}
	pusher, err := metrics.NewPusher(setting(envPushgateway), name, registry,
		metrics.WithGrouping("process", instance()))
	if err != nil {
		return nil, err
	}
	client, err := connect(setting(envMongo))
	if err != nil {
		return nil, err
	}
	return &service{
		metrics: observer,
		log:     slog.New(stages.NewLogHandler(slog.NewTextHandler(os.Stderr, nil))),
		db:      client.Database(setting(envDatabase)),
		spans:   spans,
		pusher:  pusher,
	}, nil
}

// newTracerProvider returns a provider that exports to OTEL_EXPORTER_OTLP_ENDPOINT.
func newTracerProvider(name string) (*sdktrace.TracerProvider, error) {
	exporter, err := otlptracehttp.New(context.Background())
	if err != nil {
		return nil, err
	}
	described, err := resource.New(context.Background(), resource.WithFromEnv(), resource.WithAttributes(
		attribute.String("service.name", name),
		attribute.String("service.instance.id", instance()),
	))
	if err != nil {
		return nil, err
	}
	return sdktrace.NewTracerProvider(
		// Without WithBlocking, a full queue drops spans without an error.
		sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()),
		sdktrace.WithResource(described),
	), nil
}

// instance returns the name of this process: the one that the supervisor has set, or
// the name of the pod.
func instance() string { return cmp.Or(setting(envInstance), setting("HOSTNAME")) }

// newPipeline returns a pipeline whose stages report to the metrics of the service.
func (s *service) newPipeline(name string) (*stages.Pipeline, error) {
	return stages.NewPipeline(name, stages.WithObserver(s.metrics))
}

// flush exports the remaining spans and pushes the metrics.
func (s *service) flush(ctx context.Context) error {
	return errors.Join(s.spans.ForceFlush(ctx), s.push(ctx))
}

func (s *service) push(ctx context.Context) error {
	s.pushing.Lock()
	defer s.pushing.Unlock()
	return s.pusher.Push(ctx)
}

// handOver calls flush for a service that has no run to flush after.
func (s *service) handOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gracePeriod)
	defer cancel()
	if err := s.flush(ctx); err != nil {
		s.log.ErrorContext(ctx, "telemetry was lost", "error", err)
	}
}

// pushEvery pushes the metrics until ctx ends.
func (s *service) pushEvery(ctx context.Context, interval time.Duration) {
	for {
		select {
		case <-time.After(interval):
			_ = s.push(ctx) // The next push, or the flush at the end, has the same metrics.
		case <-ctx.Done():
			return
		}
	}
}
