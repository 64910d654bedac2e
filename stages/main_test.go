// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func TestMain(m *testing.M) {
	// The provider that is global at first would send all to the first one that
	// a test sets, for good.
	otel.SetTracerProvider(noop.NewTracerProvider())
	goleak.VerifyTestMain(m)
}

// probe is an observer that remembers all it is told.
type probe struct {
	mu         sync.Mutex
	resolved   []observe.StageID
	results    []observe.RunEnd
	counts     map[string]int
	checks     map[string]observe.Check // The sums by name.
	drops      map[string]int
	watermarks []time.Time
	resets     []time.Time
	ages       []time.Duration
	latencies  []time.Duration

	inFlight, lowest atomic.Int64
}

func newProbe() *probe {
	return &probe{counts: map[string]int{}, checks: map[string]observe.Check{}, drops: map[string]int{}}
}

func (p *probe) Stage(id observe.StageID) observe.RunObserver {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolved = append(p.resolved, id)
	return p
}

func (p *probe) Started(context.Context) { p.inFlight.Add(1) }

func (p *probe) Ended(_ context.Context, result observe.RunEnd) {
	if n := p.inFlight.Add(-1); n < p.lowest.Load() {
		p.lowest.Store(n)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.results = append(p.results, result)
}

// countNames are the keys of probe.counts.
var countNames = map[observe.CountKind]string{
	observe.CountRead: "read", observe.CountWrote: "wrote", observe.CountRejected: "rejected",
	observe.CountBytesIn: "bytes in", observe.CountBytesOut: "bytes out", observe.CountRetried: "retried",
}

func (p *probe) Counted(c observe.Count) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[strings.TrimSpace(countNames[c.Kind]+" "+c.Reason)] += c.N
}

func (p *probe) Checked(c observe.Check) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.checks[c.Name]
	p.checks[c.Name] = observe.Check{Name: c.Name, Passed: sum.Passed + c.Passed, Rejected: sum.Rejected + c.Rejected}
}

func (p *probe) Latency(_ context.Context, l observe.Latency) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latencies = append(p.latencies, l.EndToEnd)
}

func (p *probe) Watermark(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watermarks = append(p.watermarks, t)
}

func (p *probe) WatermarkReset(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets = append(p.resets, t)
}

func (p *probe) RowAge(_ context.Context, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ages = append(p.ages, age)
}

func (p *probe) Dropped(d observe.Drop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops[d.Reason]++
}

// last returns the result of the run that ended last, without its duration.
func (p *probe) last(t *testing.T) observe.RunEnd {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.results) == 0 {
		t.Fatal("no run has ended")
	}
	result := p.results[len(p.results)-1]
	result.Duration, result.Downstream = 0, 0
	return result
}

func (p *probe) dropped(reason string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drops[reason]
}

// rig is one stage with all that looks at it.
type rig struct {
	*stages.Stage
	probe *probe
	spans *tracetest.InMemoryExporter
}

// spansProvider makes one more provider that exports to r.spans.
func (r rig) spansProvider(t testing.TB) *sdktrace.TracerProvider {
	t.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.spans))
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) })
	return provider
}

// newRig makes the stage "load" of the pipeline "orders".
func newRig(t testing.TB, opts ...stages.Option) rig {
	t.Helper()
	r := rig{probe: newProbe(), spans: tracetest.NewInMemoryExporter()}
	opts = append([]stages.Option{stages.WithTracerProvider(r.spansProvider(t)), stages.WithObserver(r.probe)}, opts...)
	r.Stage = mustStage(t, mustPipeline(t), "load", opts...)
	return r
}

func mustPipeline(t testing.TB, opts ...stages.Option) *stages.Pipeline {
	t.Helper()
	p, err := stages.NewPipeline("orders", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustStage(t testing.TB, p *stages.Pipeline, name string, opts ...stages.Option) *stages.Stage {
	t.Helper()
	s, err := p.Stage(name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// span returns the only span that has ended.
func (r rig) span(t *testing.T) tracetest.SpanStub {
	t.Helper()
	spans := r.spans.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	return spans[0]
}

// attributeOf returns the value of a span attribute as text, or nothing.
func attributeOf(span tracetest.SpanStub, key attribute.Key) string {
	for _, a := range span.Attributes {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// recovered returns what fn panics with.
func recovered(fn func()) (value any) {
	defer func() { value = recover() }()
	fn()
	return nil
}
