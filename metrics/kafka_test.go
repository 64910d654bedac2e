// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

// kafkaEvents makes events of one group and topic of Kafka.
type kafkaEvents struct {
	m            *metrics.Metrics
	group, topic string
	reader       uint64
}

func (k kafkaEvents) sent(partition, messages, bytes int) {
	k.m.Sent(context.Background(), observe.Send{System: observe.SystemKafka, Destination: k.topic, Partition: partition, Messages: messages, Bytes: bytes})
}

func (k kafkaEvents) fetched(partition, bytes int, lag int64, queued time.Duration) {
	k.m.Fetched(context.Background(), observe.Fetch{
		System: observe.SystemKafka, Group: k.group, Topic: k.topic, Partition: partition, Bytes: bytes, Lag: lag, Queued: queued, Reader: k.reader,
	})
}

func (k kafkaEvents) committed(partition int, lag int64) {
	k.m.Committed(context.Background(), observe.Commit{System: observe.SystemKafka, Group: k.group, Topic: k.topic, Partition: partition, Lag: lag, Reader: k.reader})
}

func (k kafkaEvents) failed(operation, errorType string) {
	k.m.Failed(context.Background(), observe.Failure{System: observe.SystemKafka, Operation: operation, Destination: k.topic, ErrorType: errorType})
}

func (k kafkaEvents) partition(partition int) observe.Partition {
	return observe.Partition{System: observe.SystemKafka, Group: k.group, Topic: k.topic, Partition: partition, Reader: k.reader}
}

func (k kafkaEvents) redelivered(partition int) { k.m.Redelivered(k.partition(partition)) }
func (k kafkaEvents) revoked(partition int)     { k.m.Revoked(k.partition(partition)) }
func (k kafkaEvents) skipped(partition int, offsets int64) {
	k.m.Skipped(observe.Gap{Partition: k.partition(partition), Offsets: offsets})
}

func (k kafkaEvents) queued(change int) {
	k.m.Queued(observe.Queue{System: observe.SystemKafka, Destination: k.topic, Change: change})
}

func (k kafkaEvents) blocked(operation string, d time.Duration) {
	k.m.Blocked(observe.Block{System: observe.SystemKafka, Operation: operation, Destination: k.topic, Duration: d})
}

// orders makes the events of a reader of the topic "orders".
func orders(m *metrics.Metrics, reader uint64) kafkaEvents {
	return kafkaEvents{m: m, group: "workers", topic: "orders", reader: reader}
}

func (k kafkaEvents) processed(ctx context.Context, messages int, outcome observe.Outcome, d time.Duration) {
	k.m.Processed(ctx, observe.Process{System: observe.SystemKafka, Destination: k.topic, Messages: messages, Duration: d, Outcome: outcome})
}

// The time of handling is by topic and outcome; successes and failures exist from
// the first message on.
func TestMetrics_KafkaProcessing(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithoutClassicBuckets())
	k := orders(m, 1)
	k.processed(t.Context(), 1, observe.OutcomeSuccess, time.Second)
	if diff := cmp.Diff([]string{
		`etl_kafka_processing_seconds_count{outcome="failure",topic="orders"} 0`,
		`etl_kafka_processing_seconds_count{outcome="success",topic="orders"} 1`,
	}, lines(t, registry, "etl_kafka_processing_seconds_count")); diff != "" {
		t.Errorf("series of a first success (-want +got)\n%s", diff)
	}
	k.processed(t.Context(), 100, observe.OutcomeFailure, 2*time.Second)
	k.processed(t.Context(), 1, observe.OutcomeCanceled, -time.Second)
	k.processed(nil, 1, observe.Outcome(200), time.Hour) //nolint:staticcheck // A nil ctx is allowed.
	k.topic = ""                                         // Several topics.
	k.processed(inSpan(t.Context(), trace.FlagsSampled), 2, observe.OutcomePanic, time.Minute)
	if diff := cmp.Diff([]string{
		`etl_kafka_processing_seconds_sum{outcome="cancelled",topic="orders"} 0`,
		`etl_kafka_processing_seconds_sum{outcome="failure",topic=""} 0`,
		`etl_kafka_processing_seconds_sum{outcome="failure",topic="orders"} 2`,
		`etl_kafka_processing_seconds_sum{outcome="panic",topic=""} 60`,
		`etl_kafka_processing_seconds_sum{outcome="success",topic=""} 0`,
		`etl_kafka_processing_seconds_sum{outcome="success",topic="orders"} 1`,
	}, lines(t, registry, "etl_kafka_processing_seconds_sum")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

func TestMetrics_KafkaTraffic(t *testing.T) {
	t.Parallel()
	feed := func(m *metrics.Metrics) {
		k := orders(m, 1)
		k.sent(0, 2, 20)
		k.sent(1, 1, 5)
		k.sent(-1, 1, 7)
		k.fetched(0, 10, 3, time.Second)
		k.fetched(0, 11, 2, -time.Second)
		k.redelivered(0)
		k.skipped(0, 12)
		k.failed("commit", "REBALANCE_IN_PROGRESS")
		k.failed("commit", "REBALANCE_IN_PROGRESS")
		kafkaEvents{m: m}.failed("poll", "eof")
	}
	for name, test := range map[string]struct {
		opts []metrics.Option
		want []string
	}{
		"by partition": {nil, []string{
			`etl_kafka_bytes_total{direction="in",partition="0",topic="orders"} 21`,
			`etl_kafka_bytes_total{direction="out",partition="",topic="orders"} 7`,
			`etl_kafka_bytes_total{direction="out",partition="0",topic="orders"} 20`,
			`etl_kafka_bytes_total{direction="out",partition="1",topic="orders"} 5`,
			`etl_kafka_messages_total{direction="in",partition="0",topic="orders"} 2`,
			`etl_kafka_messages_total{direction="out",partition="",topic="orders"} 1`,
			`etl_kafka_messages_total{direction="out",partition="0",topic="orders"} 2`,
			`etl_kafka_messages_total{direction="out",partition="1",topic="orders"} 1`,
		}},
		"by topic": {[]metrics.Option{metrics.WithoutPartitions()}, []string{
			`etl_kafka_bytes_total{direction="in",partition="",topic="orders"} 21`,
			`etl_kafka_bytes_total{direction="out",partition="",topic="orders"} 32`,
			`etl_kafka_messages_total{direction="in",partition="",topic="orders"} 2`,
			`etl_kafka_messages_total{direction="out",partition="",topic="orders"} 4`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			feed(mustNew(t, registry, test.opts...))
			if diff := cmp.Diff(test.want, lines(t, registry, "etl_kafka_messages", "etl_kafka_bytes")); diff != "" {
				t.Errorf("traffic (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff([]string{
				`etl_kafka_errors_total{error_type="REBALANCE_IN_PROGRESS",operation="commit",topic="orders"} 2`,
				`etl_kafka_errors_total{error_type="eof",operation="poll",topic=""} 1`,
				`etl_kafka_lag_messages{group="workers",partition="0",topic="orders"} 2`,
				`etl_kafka_offset_gaps_total{topic="orders"} 1`,
				`etl_kafka_queue_seconds_count{topic="orders"} 1`,
				`etl_kafka_queue_seconds_sum{topic="orders"} 1`,
				`etl_kafka_redelivered_total{topic="orders"} 1`,
			}, lines(t, registry, "etl_kafka_errors", "etl_kafka_lag", "etl_kafka_offset", "etl_kafka_queue_seconds_c", "etl_kafka_queue_seconds_s", "etl_kafka_redelivered")); diff != "" {
				t.Errorf("others (-want +got)\n%s", diff)
			}
		})
	}
}

// What can happen to a topic that is read exists at 0.
func TestMetrics_KafkaSeriesExistFromTheFirstFetch(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	kafkaEvents{m: m, topic: "written"}.sent(0, 1, 1)
	orders(m, 1).fetched(0, 10, 3, time.Second)
	if diff := cmp.Diff([]string{
		`etl_kafka_offset_gaps_total{topic="orders"} 0`,
		`etl_kafka_redelivered_total{topic="orders"} 0`,
	}, lines(t, registry, "etl_kafka_offset_gaps", "etl_kafka_redelivered")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

func TestMetrics_KafkaBackpressure(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	k := orders(mustNew(t, registry), 1)
	k.queued(100)
	k.queued(-40)
	k.blocked("send", 2*time.Second)
	k.blocked("send", -time.Second)
	k.blocked("poll", time.Second)
	if diff := cmp.Diff([]string{
		`etl_kafka_blocked_seconds_total{operation="poll",topic="orders"} 1`,
		`etl_kafka_blocked_seconds_total{operation="send",topic="orders"} 2`,
		`etl_kafka_queued_messages{topic="orders"} 60`,
	}, lines(t, registry, "etl_kafka_blocked", "etl_kafka_queued")); diff != "" {
		t.Errorf("backpressure (-want +got)\n%s", diff)
	}
}

func TestMetrics_KafkaLabelsAreBounded(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithLabelLimit(5))
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				n := i + worker*100
				topic := "topic-" + strconv.Itoa(n)
				k := kafkaEvents{m: m, group: "group-" + topic, topic: topic, reader: uint64(worker)}
				k.sent(n, 1, 1)
				k.fetched(n, 1, 1, time.Second)
				k.failed(topic, topic)
				k.redelivered(n)
				k.skipped(n, 1)
				m.Arrived(t.Context(), observe.Arrival{System: observe.SystemKafka, Destination: topic})
				first := kafkaEvents{m: m, group: "workers", topic: "topic-0", reader: uint64(worker)}
				first.fetched(n, 1, 1, time.Second)
				first.committed(n, 1)
			}
		})
	}
	all.Wait()
	long := strings.Repeat("long", 100)
	kafkaEvents{m: m, topic: long}.sent(0, 1, 1)
	kafkaEvents{m: m, group: long, topic: "\xff"}.fetched(0, 1, 1, 0)
	sent := 0.0
	for name, limit := range map[string]int{
		"etl_kafka_messages_total":         2 * 6 * 6,
		"etl_kafka_redelivered_total":      6,
		"etl_kafka_offset_gaps_total":      6,
		"etl_kafka_queue_seconds":          6,
		"etl_kafka_errors_total":           6 * 6 * 6,
		"etl_kafka_lag_messages":           10_000,
		"etl_kafka_committed_lag_messages": 10_000,
		"etl_hop_seconds":                  6,
		"etl_end_to_end_seconds":           6,
	} {
		series := families(t, registry)[name].GetMetric()
		if len(series) > limit || len(series) == 0 {
			t.Errorf("%s has %d series, want at most %d", name, len(series), limit)
		}
		for _, metric := range series {
			if name == "etl_kafka_messages_total" && labelsOf(metric)["direction"] == "out" {
				sent += metric.GetCounter().GetValue()
			}
		}
	}
	if sent != 8*500+1 {
		t.Errorf("%v messages were sent, want %d", sent, 8*500+1)
	}
	for _, metric := range families(t, registry)["etl_telemetry_label_overflow_total"].GetMetric() {
		if label := labelsOf(metric)["label"]; (label == "topic" || label == "destination") && metric.GetCounter().GetValue() == 0 {
			t.Errorf("the overflow of %s is not counted", label)
		}
	}
}

func TestMetrics_ValuesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	k := kafkaEvents{m: m, group: "\xff", topic: "\xff"}
	k.sent(-5, -1, -1)
	k.fetched(-5, -1, -1, -1)
	k.committed(-5, -1)
	k.revoked(-5)
	k.skipped(-1, -1)
	k.queued(-1)
	m.Dropped(observe.Drop{Reason: "\xff"})
	for _, system := range []string{observe.SystemKafka, observe.SystemMongoDB, "", "\xff"} {
		m.Fetched(nil, observe.Fetch{System: system, Queued: time.Second})                                                   //nolint:staticcheck // A nil context is the case.
		m.Arrived(nil, observe.Arrival{System: system, Destination: "\xff", Hop: -1, EndToEnd: -1})                          //nolint:staticcheck // A nil context is the case.
		m.Processed(nil, observe.Process{System: system, Destination: "\xff", Messages: -1, Outcome: 99, ErrorType: "\xff"}) //nolint:staticcheck // A nil context is the case.
		m.Processed(nil, observe.Process{System: system, Destination: "\xff", Messages: 1, Outcome: 99, ErrorType: "\xff"})  //nolint:staticcheck // A nil context is the case.
		m.Processed(nil, observe.Process{System: system, Destination: "\xff", Messages: 1, Outcome: observe.OutcomeFailure}) //nolint:staticcheck // A nil context is the case.
		m.Failed(nil, observe.Failure{System: system, Operation: "\xff", ErrorType: "\xff"})                                 //nolint:staticcheck // A nil context is the case.
	}
	run := m.Stage(observe.StageID{})
	run.Ended(nil, observe.RunEnd{Outcome: 99, Duration: -1}) //nolint:staticcheck // A nil context is the case.
	if counts, ok := run.(observe.CountObserver); ok {
		counts.Counted(observe.Count{Kind: 99, N: 1})
		counts.Counted(observe.Count{Kind: observe.CountRead, N: -1})
	}
	families(t, registry)
}
