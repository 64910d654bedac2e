// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

// samples returns the values of metrics by the names and labels that they have in
// Prometheus: prometheusName and prometheusLabel translate them.
func samples(all map[string]metricdata.Metrics, label func(name, key string) string) map[string]float64 {
	values := map[string]float64{}
	for _, m := range all {
		name := prometheusName(m)
		key := func(suffix string, set attribute.Set, more ...string) string {
			labels := slices.Clone(more)
			for _, pair := range set.ToSlice() {
				labels = append(labels, fmt.Sprintf("%s=%q", label(name, string(pair.Key)), pair.Value.AsString()))
			}
			slices.Sort(labels)
			return name + suffix + "{" + strings.Join(labels, ",") + "}"
		}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				values[key("", point.Attributes)] = float64(point.Value)
			}
		case metricdata.Sum[float64]:
			for _, point := range data.DataPoints {
				values[key("", point.Attributes)] = point.Value
			}
		case metricdata.Gauge[float64]:
			for _, point := range data.DataPoints {
				values[key("", point.Attributes)] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				values[key("_count", point.Attributes)] = float64(point.Count)
				values[key("_sum", point.Attributes)] = point.Sum
				var below uint64
				for i, bound := range point.Bounds {
					below += point.BucketCounts[i]
					values[key("_bucket", point.Attributes, fmt.Sprintf("le=%q", fmt.Sprint(bound)))] = float64(below)
				}
			}
		default:
			values[fmt.Sprintf("%s: unexpected %T", name, data)] = 0
		}
	}
	return values
}

// prometheusName returns the name of a metric in Prometheus, as the specification of
// OpenTelemetry translates it.
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
func prometheusName(m metricdata.Metrics) string {
	words := strings.FieldsFunc(m.Name, func(r rune) bool { return r == '.' || r == '_' })
	unit, ok := map[string]string{"s": "seconds", "By": "bytes"}[m.Unit]
	if ok && !slices.Contains(words, unit) {
		words = append(words, unit)
	}
	if instrumentOf(m) == "counter" {
		words = append(words, "total")
	}
	return strings.Join(words, "_")
}

// instrumentOf returns the kind of the instrument of a metric.
func instrumentOf(m metricdata.Metrics) string {
	var isMonotonic bool
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		isMonotonic = data.IsMonotonic
	case metricdata.Sum[float64]:
		isMonotonic = data.IsMonotonic
	case metricdata.Gauge[float64]:
		return "gauge"
	default:
		return "histogram"
	}
	if isMonotonic {
		return "counter"
	}
	return "updowncounter"
}

// prometheusLabel returns the label of the metrics of New for an attribute of NewOTel.
func prometheusLabel(name, key string) string {
	if key == "messaging.destination.name" {
		switch {
		case strings.HasPrefix(name, "etl_kafka_"):
			return "topic"
		case strings.HasPrefix(name, "etl_mongodb_"):
			return "collection"
		default:
			return "destination"
		}
	}
	if label, ok := map[string]string{
		"error.type":                         "error_type",
		"messaging.consumer.group.name":      "group",
		"messaging.destination.partition.id": "partition",
		"messaging.operation.name":           "operation",
		"messaging.system":                   "carrier",
	}[key]; ok {
		return label
	}
	return strings.TrimPrefix(key, "etl.")
}

// ownLabel is prometheusLabel if the attributes have the names of labels.
func ownLabel(_, key string) string { return key }

// gathered returns the samples of a registry, in the form of samples.
func gathered(t testing.TB, gatherer prometheus.Gatherer) map[string]float64 {
	t.Helper()
	values := map[string]float64{}
	for name, family := range families(t, gatherer) {
		for _, m := range family.GetMetric() {
			key := func(suffix string, more ...string) string {
				labels := slices.Clone(more)
				for label, value := range labelsOf(m) {
					if value != "" {
						labels = append(labels, fmt.Sprintf("%s=%q", label, value))
					}
				}
				slices.Sort(labels)
				return name + suffix + "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case m.GetCounter() != nil:
				values[key("")] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				values[key("")] = m.GetGauge().GetValue()
			default:
				values[key("_count")] = float64(m.GetHistogram().GetSampleCount())
				values[key("_sum")] = m.GetHistogram().GetSampleSum()
				for _, bucket := range m.GetHistogram().GetBucket() {
					values[key("_bucket", fmt.Sprintf("le=%q", fmt.Sprint(bucket.GetUpperBound())))] = float64(bucket.GetCumulativeCount())
				}
			}
		}
	}
	return values
}

// withoutEmpty removes the histograms of values, with their buckets, that have no
// observation: OpenTelemetry cannot show one.
func withoutEmpty(values map[string]float64) map[string]float64 {
	counts := maps.Clone(values)
	maps.DeleteFunc(values, func(key string, _ float64) bool {
		for _, suffix := range []string{"_count{", "_sum{", "_bucket{"} {
			if name, labels, ok := strings.Cut(key, suffix); ok {
				kept := slices.DeleteFunc(strings.Split(strings.TrimSuffix(labels, "}"), ","), func(label string) bool { return strings.HasPrefix(label, "le=") })
				count, isHistogram := counts[name+"_count{"+strings.Join(kept, ",")+"}"]
				return isHistogram && count == 0
			}
		}
		return false
	})
	return values
}

// isNow reports whether the value of a series depends on when, and in what process,
// it is read.
func isNow(key string) bool {
	return strings.HasPrefix(key, "etl_memory_bytes") || strings.Contains(key, "_timestamp_seconds") && !strings.HasPrefix(key, "etl_watermark")
}

// sameSeries compares what New and NewOTel have observed.
func sameSeries(t *testing.T, want, got map[string]float64) {
	t.Helper()
	want = withoutEmpty(want)
	for key, value := range got {
		if other, ok := want[key]; ok && isNow(key) && math.Abs(other-value) < other/2 {
			got[key] = other
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Errorf("series (-New +NewOTel):\n%s", diff)
	}
}

const (
	kafkaSystem = observe.SystemKafka
	mongoSystem = observe.SystemMongoDB
)

// events are all events that package observe has, with odd values too.
var events = map[string]func(ctx context.Context, m *metrics.Metrics, run stageObserver){
	"Started": func(ctx context.Context, _ *metrics.Metrics, run stageObserver) { run.Started(ctx) },
	"Ended": func(ctx context.Context, _ *metrics.Metrics, run stageObserver) {
		for outcome := range observe.Outcome(observe.Outcomes + 1) {
			run.Started(ctx)
			run.Ended(ctx, observe.RunEnd{Outcome: outcome, ErrorType: "io.EOF", Duration: time.Second, Downstream: time.Minute})
		}
		run.Started(ctx)
		run.Ended(ctx, observe.RunEnd{Duration: -time.Second, Downstream: -time.Second})
	},
	"Counted": func(_ context.Context, _ *metrics.Metrics, run stageObserver) {
		for kind := observe.CountRead; kind <= observe.CountRetried; kind++ {
			for _, n := range []int{0, 3, -1, 1 << 40} {
				run.Counted(observe.Count{Kind: kind, N: n, Reason: "no_price"})
			}
		}
		run.Counted(observe.Count{Kind: observe.CountRejected, N: 1, Reason: "\xff"})
	},
	"Checked": func(_ context.Context, _ *metrics.Metrics, run stageObserver) {
		run.Checked(observe.Check{Name: "has_price", Passed: 2, Rejected: 1})
		run.Checked(observe.Check{Name: "", Passed: -2})
	},
	"Batched": func(ctx context.Context, _ *metrics.Metrics, run stageObserver) {
		for _, rows := range []int{0, 1, 5000, -1} {
			run.Batched(ctx, observe.Batch{Rows: rows})
		}
	},
	"Queue": func(_ context.Context, _ *metrics.Metrics, run stageObserver) {
		run.Queue(&stageQueue{stats: observe.QueueStats{Rows: 3, Capacity: 8, Blocked: time.Second}})
		run.Queue(&stageQueue{stats: observe.QueueStats{Blocked: time.Minute, Done: true}})
		run.Queue(&stageQueue{panic: "queue"})
		run.Queue(nil)
	},
	"Waited":    func(ctx context.Context, _ *metrics.Metrics, run stageObserver) { run.Waited(ctx, time.Second) },
	"Watermark": func(_ context.Context, _ *metrics.Metrics, run stageObserver) { run.Watermark(watermark) },
	"WatermarkReset": func(_ context.Context, m *metrics.Metrics, run stageObserver) {
		run.Watermark(watermark)
		run.WatermarkReset(watermark.Add(-time.Hour))
		run.Watermark(watermark.Add(-2 * time.Hour))
		gone, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "gone"}).(stageObserver)
		gone.Watermark(watermark)
		gone.WatermarkReset(time.Time{})
	},
	"RowAge": func(ctx context.Context, _ *metrics.Metrics, run stageObserver) { run.RowAge(ctx, 48*time.Hour) },
	"Latency": func(ctx context.Context, _ *metrics.Metrics, run stageObserver) {
		run.Latency(ctx, observe.Latency{EndToEnd: time.Minute})
		run.Latency(ctx, observe.Latency{EndToEnd: 1 << 62})
	},
	"Dropped": func(_ context.Context, m *metrics.Metrics, run stageObserver) {
		run.Dropped(observe.Drop{Reason: observe.DropTracer})
		m.Dropped(observe.Drop{Reason: observe.DropSkew, System: kafkaSystem, Destination: "orders"})
	},
	"Sent": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Sent(ctx, observe.Send{System: kafkaSystem, Destination: "orders", Partition: 1, Messages: 2, Bytes: 20})
		m.Sent(ctx, observe.Send{System: kafkaSystem, Destination: "orders", Partition: -1, Messages: -2, Bytes: -20})
		m.Sent(ctx, observe.Send{System: "nats", Destination: "orders", Messages: 1})
	},
	"Fetched": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Fetched(ctx, observe.Fetch{System: kafkaSystem, Group: "workers", Topic: "orders", Partition: 1, Bytes: 10, Lag: 3, Queued: time.Second, Reader: 1})
		m.Fetched(ctx, observe.Fetch{System: kafkaSystem, Topic: "orders", Partition: 2, Bytes: 10, Lag: -1, Queued: -1, Reader: 1})
	},
	"Arrived": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		for _, system := range []string{kafkaSystem, mongoSystem, "nats"} {
			m.Arrived(ctx, observe.Arrival{System: system, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
		}
		within := context.WithValue(ctx, observe.StageContextKey{}, &observe.StageID{Pipeline: "orders", Stage: "load"})
		m.Arrived(within, observe.Arrival{System: kafkaSystem, Hop: time.Hour, EndToEnd: 1 << 62})
	},
	"Processed": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		for outcome := range observe.Outcome(observe.Outcomes + 1) {
			for _, system := range []string{kafkaSystem, mongoSystem} {
				m.Processed(ctx, observe.Process{System: system, Destination: "orders", Group: "workers", Messages: 2, Duration: time.Second, Outcome: outcome, ErrorType: "io.EOF"})
			}
		}
	},
	"Committed": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Committed(ctx, observe.Commit{System: kafkaSystem, Group: "workers", Topic: "orders", Partition: 1, Lag: 4, Reader: 1})
	},
	"Failed": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Failed(ctx, observe.Failure{System: kafkaSystem, Operation: "send", Destination: "orders", ErrorType: "eof"})
		m.Failed(ctx, observe.Failure{System: kafkaSystem, Operation: "commit"})
	},
	"Redelivered": func(_ context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Redelivered(observe.Partition{System: kafkaSystem, Topic: "orders"})
	},
	"Skipped": func(_ context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Skipped(observe.Gap{Partition: observe.Partition{System: kafkaSystem, Topic: "orders"}, Offsets: 3})
	},
	"Revoked": func(ctx context.Context, m *metrics.Metrics, _ stageObserver) {
		for reader := range uint64(2) {
			m.Fetched(ctx, observe.Fetch{System: kafkaSystem, Group: "left", Topic: "orders", Partition: 1, Lag: int64(reader), Reader: reader})
			m.Fetched(ctx, observe.Fetch{System: kafkaSystem, Group: "left", Topic: "orders", Partition: 2, Lag: 9, Reader: reader})
			m.Revoked(observe.Partition{System: kafkaSystem, Group: "left", Topic: "orders", Partition: 2, Reader: reader})
		}
		m.Revoked(observe.Partition{System: kafkaSystem, Group: "left", Topic: "orders", Partition: 1, Reader: 1})
	},
	"Queued": func(_ context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Queued(observe.Queue{System: kafkaSystem, Destination: "orders", Change: 3})
		m.Queued(observe.Queue{System: kafkaSystem, Destination: "orders", Change: -2})
	},
	"Blocked": func(_ context.Context, m *metrics.Metrics, _ stageObserver) {
		m.Blocked(observe.Block{System: kafkaSystem, Operation: "send", Destination: "orders", Duration: 1500 * time.Millisecond})
	},
}

// allEvents lets all events happen, in one order.
func allEvents(ctx context.Context, m *metrics.Metrics) {
	for _, name := range slices.Sorted(maps.Keys(events)) {
		events[name](ctx, m, observerOf(m))
	}
}

func TestNewOTel_SameSeriesAsNew(t *testing.T) {
	t.Parallel()
	for name, event := range events {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			m := mustNew(t, registry)
			event(t.Context(), m, observerOf(m))
			provider, reader := newReader()
			m = mustNewOTel(t, provider)
			event(t.Context(), m, observerOf(m))
			sameSeries(t, gathered(t, registry), samples(collected(t, reader), prometheusLabel))
		})
	}
}

func TestNewOTel_SameSeriesAsNewForOptions(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]metrics.SharedOption{
		"none":       nil,
		"partitions": {metrics.WithoutPartitions()},
		"limit":      {metrics.WithLabelLimit(1)},
		"latency":    {metrics.WithMaxLatency(time.Second)},
		"no latency": {metrics.WithMaxLatency(0)},
		"buckets":    {metrics.WithBuckets(0.5, 50)},
		"nil":        {nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var prometheusOpts []metrics.Option
			otelOpts := []metrics.OTelOption{metrics.WithPrometheusLabels()}
			for _, opt := range opts {
				prometheusOpts, otelOpts = append(prometheusOpts, opt), append(otelOpts, opt)
			}
			registry := prometheus.NewPedanticRegistry()
			allEvents(t.Context(), mustNew(t, registry, prometheusOpts...))
			provider, reader := newReader()
			allEvents(t.Context(), mustNewOTel(t, provider, otelOpts...))
			sameSeries(t, gathered(t, registry), samples(collected(t, reader), ownLabel))
		})
	}
}

// A method of an observer that no event calls would not be compared.
func TestNewOTel_EveryEventIsCompared(t *testing.T) {
	t.Parallel()
	for _, observer := range []reflect.Type{
		reflect.TypeFor[stageObserver](), reflect.TypeFor[observe.MessagingObserver](),
		reflect.TypeFor[observe.PartitionObserver](), reflect.TypeFor[observe.BackpressureObserver](),
	} {
		for method := range observer.Methods() {
			if events[method.Name] == nil {
				t.Errorf("no event calls %s", method.Name)
			}
		}
	}
}
