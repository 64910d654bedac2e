// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// A carrier of your own tells the metrics what happens, as kafkacarrier does.
// Those of Kafka have series of Kafka.

func ExampleMetrics_Sent() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Sent(context.Background(), observe.Send{System: observe.SystemKafka, Destination: "orders", Partition: 2, Messages: 3, Bytes: 900})
	show(registry, "etl_kafka_messages_total")
	// Output: etl_kafka_messages_total{direction="out",partition="2",topic="orders"} 3
}

func ExampleMetrics_Fetched() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Fetched(context.Background(), observe.Fetch{System: observe.SystemKafka, Group: "workers", Topic: "orders", Partition: 2, Lag: 40, Reader: 1})
	show(registry, "etl_kafka_lag_messages")
	// Output: etl_kafka_lag_messages{group="workers",partition="2",topic="orders"} 40
}

func ExampleMetrics_Arrived() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Arrived(context.Background(), observe.Arrival{System: "nats", Destination: "orders", Hop: 2 * time.Second, EndToEnd: time.Minute})
	show(registry, "etl_hop_seconds_sum", "etl_end_to_end_seconds_sum")
	// Output:
	// etl_end_to_end_seconds_sum{destination="orders",pipeline="",stage=""} 60
	// etl_hop_seconds_sum{carrier="nats",destination="orders",pipeline="",stage=""} 2
}

func ExampleMetrics_Processed() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Processed(context.Background(), observe.Process{System: observe.SystemKafka, Destination: "orders", Messages: 1, Duration: 2 * time.Second})
	show(registry, "etl_kafka_processing_seconds_sum")
	// Output:
	// etl_kafka_processing_seconds_sum{outcome="failure",topic="orders"} 0
	// etl_kafka_processing_seconds_sum{outcome="success",topic="orders"} 2
}

func ExampleMetrics_Committed() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Committed(context.Background(), observe.Commit{System: observe.SystemKafka, Group: "workers", Topic: "orders", Partition: 2, Lag: 41, Reader: 1})
	show(registry, "etl_kafka_committed_lag_messages")
	// Output: etl_kafka_committed_lag_messages{group="workers",partition="2",topic="orders"} 41
}

func ExampleMetrics_Failed() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Failed(context.Background(), observe.Failure{System: observe.SystemKafka, Operation: "commit", Destination: "orders", ErrorType: "timeout"})
	show(registry, "etl_kafka_errors_total")
	// Output: etl_kafka_errors_total{error_type="timeout",operation="commit",topic="orders"} 1
}

func ExampleMetrics_Dropped() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Dropped(observe.Drop{Reason: observe.DropMalformed})
	show(registry, "etl_telemetry_dropped_total")
	// Output: etl_telemetry_dropped_total{reason="malformed_context"} 1
}

func ExampleMetrics_Redelivered() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Redelivered(observe.Partition{System: observe.SystemKafka, Group: "workers", Topic: "orders", Partition: 2, Reader: 1})
	show(registry, "etl_kafka_redelivered_total")
	// Output: etl_kafka_redelivered_total{topic="orders"} 1
}

func ExampleMetrics_Skipped() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	partition := observe.Partition{System: observe.SystemKafka, Group: "workers", Topic: "orders", Partition: 2, Reader: 1}
	m.Skipped(observe.Gap{Partition: partition, Offsets: 12})
	show(registry, "etl_kafka_offset_gaps_total")
	// Output: etl_kafka_offset_gaps_total{topic="orders"} 1
}

func ExampleMetrics_Revoked() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Fetched(context.Background(), observe.Fetch{System: observe.SystemKafka, Group: "workers", Topic: "orders", Partition: 2, Lag: 40, Reader: 1})
	m.Revoked(observe.Partition{System: observe.SystemKafka, Group: "workers", Topic: "orders", Partition: 2, Reader: 1})
	show(registry, "etl_kafka_lag_messages") // An old lag would look like a new one.
	// Output:
}

func ExampleMetrics_Queued() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Queued(observe.Queue{System: observe.SystemKafka, Destination: "orders", Change: 5})
	m.Queued(observe.Queue{System: observe.SystemKafka, Destination: "orders", Change: -2})
	show(registry, "etl_kafka_queued_messages")
	// Output: etl_kafka_queued_messages{topic="orders"} 3
}

func ExampleMetrics_Blocked() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	m.Blocked(observe.Block{System: observe.SystemKafka, Operation: "send", Destination: "orders", Duration: time.Second})
	show(registry, "etl_kafka_blocked_seconds_total")
	// Output: etl_kafka_blocked_seconds_total{operation="send",topic="orders"} 1
}

// A framework of your own that runs stages tells their observer.
func ExampleMetrics_Stage() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	run := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load"})
	run.Started(context.Background())
	run.Ended(context.Background(), observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: "timeout", Duration: time.Second})
	show(registry, "etl_errors_total")
	// Output: etl_errors_total{error_type="timeout",pipeline="orders",stage="load"} 1
}

// Metrics is a Collector, so it can be registered later, or with other labels.
func ExampleMetrics_Collect() {
	m, _ := metrics.New(nil)
	registry := prometheus.NewRegistry()
	prometheus.WrapRegistererWith(prometheus.Labels{"app": "importer"}, registry).MustRegister(m)
	load(m)
	show(registry, "etl_rows_read_total")
	// Output: etl_rows_read_total{app="importer",pipeline="orders",source="",stage="load"} 2
}

// A registry calls Describe when a Collector is registered.
func ExampleMetrics_Describe() {
	m, _ := metrics.New(nil)
	descs := make(chan *prometheus.Desc, 100)
	m.Describe(descs)
	fmt.Println(len(descs) > 30)
	// Output: true
}

// The queue in front of a stage, and the checks of its rows.
func ExampleMetrics_stages() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	p := stages.Must(stages.NewPipeline("orders", stages.WithObserver(m)))
	validate := stages.Must(p.Stage("validate"))
	queue, _ := stages.NewQueue[float64](validate, 100)
	ctx := context.Background()
	for _, price := range []float64{9.5, -1, 3} {
		_ = queue.Put(ctx, price)
	}
	item, _ := queue.Take(ctx)
	_ = validate.Run(ctx, func(ctx context.Context) error {
		stages.Validate(ctx, validate, item.Value, stages.NewCheck("price_positive", func(price float64) bool { return price > 0 }))
		return nil
	})
	show(registry, "etl_queue_rows", "etl_queue_capacity", "etl_checks")
	queue.Close()
	// Output:
	// etl_checks_total{check="price_positive",pipeline="orders",result="passed",stage="validate"} 1
	// etl_checks_total{check="price_positive",pipeline="orders",result="rejected",stage="validate"} 0
	// etl_queue_capacity_rows{pipeline="orders",stage="validate"} 100
	// etl_queue_rows{pipeline="orders",stage="validate"} 2
}

func ExamplePusher_Push() {
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics/job/nightly/pipeline/orders/stage/load" {
			fmt.Println(r.Method, r.URL.Path)
		}
	}))
	defer gateway.Close()
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	load(m)
	pusher, _ := metrics.NewPusher(gateway.URL, "nightly", registry)
	fmt.Println(pusher.Push(context.Background()))
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// POST /metrics/job/nightly/pipeline/orders/stage/load
	// <nil>
}

func ExampleServer_Addr() {
	server, err := metrics.Listen(context.Background(), "127.0.0.1:0", prometheus.NewRegistry())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	fmt.Println(server.Addr().Network())
	// Output: tcp
}

// Shutdown lets the scrapes in progress end.
func ExampleServer_Shutdown() {
	server, err := metrics.Listen(context.Background(), "127.0.0.1:0", prometheus.NewRegistry())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(server.Shutdown(ctx))
	// Output: <nil>
}

// Close ends the scrapes in progress.
func ExampleServer_Close() {
	server, err := metrics.Listen(context.Background(), "127.0.0.1:0", prometheus.NewRegistry())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Close())
	// Output: <nil>
}
