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

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
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
				series[metric.Name+labels(point.Attributes)] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				series[metric.Name+labels(point.Attributes)] = int64(point.Count)
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

func labels(set attribute.Set) string {
	var parts []string
	for _, kv := range set.ToSlice() {
		switch kv.Key {
		case "messaging.system", "messaging.operation.type":
		default:
			key := strings.TrimPrefix(string(kv.Key), "messaging.")
			parts = append(parts, key+"="+kv.Value.String())
		}
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// events is an Observer that keeps what it is told.
type events struct {
	mu  sync.Mutex
	all []string
}

var _ kafkacarrier.Observer = (*events)(nil)

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, fmt.Sprintf(format, args...))
}

func (e *events) KafkaSent(topic string, partition, messages, bytes int) {
	e.add("sent %s/%d messages=%d bytes=%d", topic, partition, messages, bytes)
}

func (e *events) KafkaFetched(group, topic string, partition, bytes int, lag int64, queued time.Duration) {
	when := "queued"
	if queued < 0 {
		when = "timeless"
	}
	e.add("fetched %s %s/%d bytes=%d lag=%d %s", group, topic, partition, bytes, lag, when)
}

func (e *events) KafkaTravelled(_ context.Context, topic string, hop, endToEnd time.Duration) {
	e.add("travelled %s hop=%v end-to-end=%v", topic, hop.Round(time.Minute), endToEnd.Round(time.Minute))
}

func (e *events) KafkaCommitted(group, topic string, partition int, lag int64) {
	e.add("committed %s %s/%d lag=%d", group, topic, partition, lag)
}

func (e *events) KafkaRedelivered(group, topic string, partition int) {
	e.add("redelivered %s %s/%d", group, topic, partition)
}

func (e *events) KafkaSkipped(group, topic string, partition int, offsets int64) {
	e.add("skipped %s %s/%d offsets=%d", group, topic, partition, offsets)
}

func (e *events) KafkaRevoked(group, topic string, partition int) {
	e.add("revoked %s %s/%d", group, topic, partition)
}

func (e *events) KafkaFailed(operation, topic, errorType string) {
	e.add("failed %s %s %s", operation, topic, errorType)
}

func (e *events) KafkaDropped(reason string) { e.add("dropped %s", reason) }

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
