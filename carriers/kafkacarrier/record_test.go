// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/observe"
)

// meter is a MeterProvider that can be read.
type meter struct {
	*sdkmetric.MeterProvider
	reader *sdkmetric.ManualReader
}

func newMeter() *meter {
	reader := sdkmetric.NewManualReader()
	return &meter{sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), reader}
}

// series returns the counts of all series by their name and attributes without
// the system and the operation type, which go with the operation name.
func (m *meter) series(t testing.TB) map[string]int64 {
	t.Helper()
	return seriesOf(m.metrics(t))
}

func seriesOf(metrics []metricdata.Metrics) map[string]int64 {
	series := make(map[string]int64)
	for _, metric := range metrics {
		switch data := metric.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				series[metric.Name+labels(metric.Name, point.Attributes)] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				series[metric.Name+labels(metric.Name, point.Attributes)] = int64(point.Count)
			}
		}
	}
	return series
}

func (m *meter) metrics(t testing.TB) []metricdata.Metrics {
	t.Helper()
	metrics, err := m.collect()
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

func (m *meter) collect() ([]metricdata.Metrics, error) {
	var all metricdata.ResourceMetrics
	if err := m.reader.Collect(context.Background(), &all); err != nil {
		return nil, err
	}
	var metrics []metricdata.Metrics
	for _, scope := range all.ScopeMetrics {
		metrics = append(metrics, scope.Metrics...)
	}
	return metrics, nil
}

// print prints the series, for an example.
func (m *meter) print() {
	metrics, err := m.collect()
	if err != nil {
		fmt.Println(err)
	}
	series := seriesOf(metrics)
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Println(name, series[name])
	}
}

func labels(metric string, set attribute.Set) string {
	var parts []string
	for _, kv := range set.ToSlice() {
		switch {
		case kv.Key == "messaging.system", kv.Key == "messaging.operation.type":
		case strings.HasPrefix(string(kv.Key), "server.") && strings.HasPrefix(metric, "messaging."): // That of all.
		default:
			key := strings.TrimPrefix(string(kv.Key), "messaging.")
			parts = append(parts, key+"="+kv.Value.String())
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// events is an observer that keeps what it is told.
type events struct {
	observe.NoMessaging

	mu  sync.Mutex
	all []string
}

var (
	_ observe.MessagingObserver = (*events)(nil)
	_ observe.PartitionObserver = (*events)(nil)
)

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, fmt.Sprintf(format, args...))
}

func (e *events) Sent(_ context.Context, s observe.Send) {
	e.add("sent %s/%d messages=%d bytes=%d", s.Destination, s.Partition, s.Messages, s.Bytes)
}

func (e *events) Fetched(_ context.Context, f observe.Fetch) {
	when := "queued"
	if f.Queued < 0 {
		when = "timeless"
	}
	e.add("fetched %s %s/%d bytes=%d lag=%d %s", f.Group, f.Topic, f.Partition, f.Bytes, f.Lag, when)
}

func (e *events) Arrived(_ context.Context, a observe.Arrival) {
	e.add("arrived %s hop=%v end-to-end=%v", a.Destination, a.Hop.Round(time.Minute), a.EndToEnd.Round(time.Minute))
}

func (e *events) Committed(_ context.Context, c observe.Commit) {
	e.add("committed %s %s/%d lag=%d", c.Group, c.Topic, c.Partition, c.Lag)
}

func (e *events) Redelivered(p observe.Partition) {
	e.add("redelivered %s %s/%d", p.Group, p.Topic, p.Partition)
}

func (e *events) Skipped(g observe.Gap) {
	e.add("skipped %s %s/%d offsets=%d", g.Group, g.Topic, g.Partition.Partition, g.Offsets)
}

func (e *events) Revoked(p observe.Partition) {
	e.add("revoked %s %s/%d", p.Group, p.Topic, p.Partition)
}

func (e *events) Failed(_ context.Context, f observe.Failure) {
	e.add("failed %s %s %s", f.Operation, f.Destination, f.ErrorType)
}

func (e *events) Dropped(d observe.Drop) { e.add("dropped %s", d.Reason) }

// take returns what was told since the last take, sorted.
func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := e.all
	e.all = nil
	sort.Strings(taken)
	return taken
}

// named returns the spans called name.
func named(spans tracetest.SpanStubs, name string) tracetest.SpanStubs {
	var found tracetest.SpanStubs
	for _, s := range spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// recorded waits until all spans have ended and returns them.
func recorded(t testing.TB, f *flowtest.Flow) tracetest.SpanStubs {
	t.Helper()
	return f.Wait(5 * time.Second).Spans()
}
