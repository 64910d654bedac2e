// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/internal/semconv"
)

// What is recorded is pinned. A change of the golden file is a
// breaking change.
func TestTelemetryIsPinned(t *testing.T) {
	t.Parallel()
	f, m := flowtest.New(t), newMeter()
	everything(t, f, m)
	telemetry := describeSpans(recorded(t, f)) + describeMetrics(t, m)

	golden.Compare(t, "telemetry.golden", telemetry)
	documentation, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.FieldsFunc(telemetry, func(r rune) bool { return strings.ContainsRune(" \n,{}\"", r) }) {
		if strings.Contains(word, "messaging.") || strings.Contains(word, "waybill.") {
			if !strings.Contains(string(documentation), word) {
				t.Errorf("the package documentation does not name %s", word)
			}
		}
	}
}

// everything does all that records something.
func everything(t *testing.T, f *flowtest.Flow, m *meter) {
	t.Helper()
	shared := []kafkacarrier.ClientOption{
		withW3C(), kafkacarrier.WithTracerProvider(f.Service("all")), kafkacarrier.WithMeterProvider(m),
		kafkacarrier.WithMessageKey(nil), kafkacarrier.WithHeaders("app"),
		kafkacarrier.WithTopicTemplate(func(string) string { return "T" }), kafkacarrier.WithPartitionMetrics(),
	}
	plain := writerTo(&broker{answer: func(_ string, attempt int) (int16, error) {
		if attempt == 3 {
			return int16(kafka.InvalidTopic), nil
		}
		return 0, nil
	}})
	plain.Transport = kafkacarrier.NewTransport(plain.Transport, kafkacarrier.WithMeterProvider(m))
	w := kafkacarrier.NewWriter(plain, with[kafkacarrier.WriterOption](shared)...)
	if err := errors.Join(w.WriteMessages(t.Context(), value("1")), w.WriteMessages(t.Context(), numbered(2)...)); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteMessages(t.Context(), value("1")); err == nil {
		t.Error("the third produce did not fail")
	}
	tombstone := consumed(2, header("app", "1"), header("traceparent", traceparentA))
	tombstone.Value = nil
	other := consumed(3, header("traceparent", traceparentB))
	other.Topic, other.Partition = "refunds", 3
	s := inGroup(tombstone, tombstone, other)
	s.config.CommitInterval = 1
	r := kafkacarrier.NewReaderOf(s, with[kafkacarrier.ReaderOption](shared, kafkacarrier.WithPollSpans())...)
	for range 2 {
		msg, fetchErr := r.FetchMessage(t.Context())
		if err := errors.Join(fetchErr, r.Process(t.Context(), msg, doNothing), r.CommitMessages(t.Context(), msg)); err != nil {
			t.Fatal(err)
		}
	}
	s.config.CommitInterval = 0
	failing := func(context.Context) error { return kafka.InvalidTopic }
	msgs := []kafka.Message{tombstone, other}
	if r.ProcessBatch(t.Context(), msgs, failing) == nil || r.Process(t.Context(), tombstone, failing) == nil {
		t.Error("no error")
	}
	if err := errors.Join(r.CommitMessages(t.Context(), msgs...), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// describeSpans has a line for each span name and kind, and one for each
// attribute with the places it is on.
func describeSpans(spans tracetest.SpanStubs) string {
	lines := make(map[string]bool)
	for _, s := range spans {
		of := fmt.Sprintf("%q", s.Name)
		lines[fmt.Sprintf("span %s %s %s %s", of, s.SpanKind, s.InstrumentationScope.Name, strings.TrimPrefix(s.InstrumentationScope.SchemaURL, semconv.SchemaURL))] = true
		for _, a := range s.Attributes {
			lines[fmt.Sprintf("span %s has %s of type %s", of, a.Key, a.Value.Type())] = true
		}
		for _, l := range s.Links {
			for _, a := range l.Attributes {
				lines[fmt.Sprintf("span %s has links with %s of type %s", of, a.Key, a.Value.Type())] = true
			}
		}
	}
	return sorted(lines)
}

func describeMetrics(t *testing.T, m *meter) string {
	t.Helper()
	lines := make(map[string]bool)
	for _, metric := range m.metrics(t) {
		var sets []attribute.Set
		var kind string
		switch data := metric.Data.(type) {
		case metricdata.Sum[int64]:
			kind = fmt.Sprintf("counter, monotonic %t", data.IsMonotonic)
			for _, p := range data.DataPoints {
				sets = append(sets, p.Attributes)
			}
		case metricdata.Histogram[float64]:
			kind = fmt.Sprintf("histogram %v", data.DataPoints[0].Bounds)
			for _, p := range data.DataPoints {
				sets = append(sets, p.Attributes)
			}
		}
		lines[fmt.Sprintf("metric %s {%s} %s", metric.Name, metric.Unit, kind)] = true
		for _, set := range sets {
			name, _ := set.Value("messaging.operation.name")
			for _, kv := range set.ToSlice() {
				lines[fmt.Sprintf("metric %s of %s has %s", metric.Name, name.AsString(), kv.Key)] = true
			}
		}
	}
	return sorted(lines)
}

func sorted(lines map[string]bool) string {
	var all []string
	for line := range lines {
		all = append(all, strings.TrimRight(line, " ")+"\n")
	}
	slices.Sort(all)
	return strings.Join(all, "")
}
