// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/examples/internal/local"
)

// system is a shop: the service api takes orders and sends them over Kafka to worker.
// Both export their spans.
type system struct {
	api, worker *service

	broker   string // The address of the broker.
	endpoint string // The URL of the receiver of spans.
	traces   *local.Traces

	services []*service
	replicas map[string]int
	cleanups []func()
}

func newSystem() (*system, error) {
	s := &system{replicas: make(map[string]int)}
	dir, err := os.MkdirTemp("", "diagnosis-")
	if err != nil {
		return nil, err
	}
	s.cleanups = append(s.cleanups, func() { _ = os.RemoveAll(dir) })
	var stop func()
	if s.traces, s.endpoint, stop, err = local.StartTraces(filepath.Join(dir, "spans.jsonl"), ""); err != nil {
		s.close()
		return nil, err
	}
	s.cleanups = append(s.cleanups, stop)
	if s.broker, stop, err = local.StartKafka("orders", "orders.retry", "orders.v2", "invoices"); err != nil {
		s.close()
		return nil, err
	}
	s.cleanups = append(s.cleanups, stop)
	s.api, s.worker = s.service("api"), s.service("worker")
	return s, nil
}

// close stops the servers.
func (s *system) close() {
	for len(s.cleanups) > 0 {
		last := len(s.cleanups) - 1
		s.cleanups[last]()
		s.cleanups = s.cleanups[:last]
	}
}

// shutdown exports the spans of all services.
func (s *system) shutdown(ctx context.Context) error {
	var errs []error
	for _, service := range s.services {
		errs = append(errs, service.provider.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// service is a process of a service, as far as tracing is concerned: it has a provider
// of its own.
type service struct {
	trace.Tracer

	provider *sdktrace.TracerProvider
}

// service starts a process that exports to the receiver of spans.
func (s *system) service(name string, opts ...sdktrace.TracerProviderOption) *service {
	return s.start(name, append(opts, sdktrace.WithBatcher(exporterTo(s.endpoint), sdktrace.WithBlocking()))...)
}

// start starts a process that exports nowhere unless opts has an exporter.
func (s *system) start(name string, opts ...sdktrace.TracerProviderOption) *service {
	s.replicas[name]++
	instance := name + "-" + strconv.Itoa(s.replicas[name])
	provider := sdktrace.NewTracerProvider(append([]sdktrace.TracerProviderOption{
		sdktrace.WithIDGenerator(newIDs(instance)), // So that a recording can be compared with an earlier one.
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", name), attribute.String("service.instance.id", instance))),
	}, opts...)...)
	added := &service{Tracer: provider.Tracer("example.com/shop"), provider: provider}
	s.services = append(s.services, added)
	return added
}

func exporterTo(endpoint string) sdktrace.SpanExporter {
	return otlptracehttp.NewUnstarted(otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
}

// ids makes the same ids in each run.
type ids struct {
	mu     sync.Mutex
	random *rand.ChaCha8
}

// newIDs returns a generator that has a text for its seed.
func newIDs(seed string) *ids {
	hash := fnv.New128a()
	_, _ = hash.Write([]byte(seed)) // It never fails.
	var key [32]byte
	copy(key[:], hash.Sum(nil))
	return &ids{random: rand.NewChaCha8(key)}
}

// NewIDs implements [sdktrace.IDGenerator].
func (g *ids) NewIDs(ctx context.Context) (traceID trace.TraceID, spanID trace.SpanID) {
	g.mu.Lock()
	_, _ = g.random.Read(traceID[:]) // It never fails.
	g.mu.Unlock()
	return traceID, g.NewSpanID(ctx, traceID)
}

// NewSpanID implements [sdktrace.IDGenerator].
func (g *ids) NewSpanID(context.Context, trace.TraceID) (spanID trace.SpanID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = g.random.Read(spanID[:])
	return spanID
}
