// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/transformprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// factories are the processors that the configurations use.
var factories = map[string]processor.Factory{
	"probabilistic_sampler": probabilisticsamplerprocessor.NewFactory(),
	"redaction":             redactionprocessor.NewFactory(),
	"tail_sampling":         tailsamplingprocessor.NewFactory(),
	"transform":             transformprocessor.NewFactory(),
}

// pipeline is the processors of a pipeline, and what comes out of them.
type pipeline struct {
	first consumer.Traces
	sink  *consumertest.TracesSink
	stop  func()
}

// newPipeline starts the processors of the pipeline name in the configuration at
// path.
func newPipeline(t *testing.T, path, name string) *pipeline {
	t.Helper()
	conf := load(t, path)
	var ids struct {
		Processors []component.ID `mapstructure:"processors"`
		Receivers  []component.ID `mapstructure:"receivers"`
		Exporters  []component.ID `mapstructure:"exporters"`
	}
	unmarshal(t, conf, "service::pipelines::"+name, &ids)
	p := &pipeline{sink: new(consumertest.TracesSink)}
	p.first = p.sink
	var running []processor.Traces
	for _, id := range slices.Backward(ids.Processors) {
		running = append(running, newProcessor(t, conf, id, p.first))
		p.first = running[len(running)-1]
	}
	p.stop = func() {
		for _, p := range slices.Backward(running) {
			if err := p.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	return p
}

// newProcessor starts the processor id, which sends to next.
func newProcessor(t *testing.T, conf *confmap.Conf, id component.ID, next consumer.Traces) processor.Traces {
	t.Helper()
	factory, ok := factories[id.Type().String()]
	if !ok {
		t.Fatalf("no test for the processor %s", id)
	}
	cfg := factory.CreateDefaultConfig()
	unmarshal(t, conf, "processors::"+id.String(), cfg)
	if err := confmap.Validate(cfg); err != nil {
		t.Fatalf("the configuration of %s: %v", id, err)
	}
	started, err := factory.CreateTraces(t.Context(), processortest.NewNopSettings(factory.Type()), cfg, next)
	if err != nil {
		t.Fatalf("make %s: %v", id, err)
	}
	if err := started.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatalf("start %s: %v", id, err)
	}
	return started
}

func load(t *testing.T, path string) *confmap.Conf {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

func unmarshal(t *testing.T, conf *confmap.Conf, key string, into any) {
	t.Helper()
	sub, err := conf.Sub(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Unmarshal(into); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
}

// run sends batches through the processors, stops them, and returns the spans that
// came out.
func (p *pipeline) run(t *testing.T, batches []ptrace.Traces) []ptrace.Span {
	t.Helper()
	for _, batch := range batches {
		if err := p.first.ConsumeTraces(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	p.stop()
	var spans []ptrace.Span
	for _, batch := range p.sink.AllTraces() {
		for _, resource := range batch.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					spans = append(spans, span)
				}
			}
		}
	}
	return spans
}

// receiver is a tracer provider whose spans arrive over OTLP.
type receiver struct {
	*sdktrace.TracerProvider

	mu      sync.Mutex
	batches []ptrace.Traces
}

// newReceiver returns a receiver whose provider has opts.
func newReceiver(t *testing.T, opts ...sdktrace.TracerProviderOption) *receiver {
	t.Helper()
	r := new(receiver)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		export := ptraceotlp.NewExportRequest()
		if err == nil {
			err = export.UnmarshalProto(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.batches = append(r.batches, export.Traces())
	}))
	t.Cleanup(server.Close)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(server.URL+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	r.TracerProvider = sdktrace.NewTracerProvider(append(opts, sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(100_000)))...)
	return r
}

// received returns what has arrived once all spans have been sent.
func (r *receiver) received(t *testing.T) []ptrace.Traces {
	t.Helper()
	if err := r.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.batches
}
