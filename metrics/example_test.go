// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// load runs a stage that reads two rows, keeps one and rejects one.
func load(m *metrics.Metrics, opts ...stages.Option) {
	p, _ := stages.NewPipeline("orders", stages.WithObserver(m))
	s, _ := p.Stage("load", opts...)
	_ = s.Run(context.Background(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(2)
		run.Wrote(1)
		run.Rejected(1, "no_price")
		return nil
	})
}

// show prints the series of a registry whose lines begin with one of prefixes.
func show(registry prometheus.Gatherer, prefixes ...string) {
	families, _ := registry.Gather()
	for _, family := range families {
		var text strings.Builder
		_, _ = expfmt.MetricFamilyToText(&text, family)
		for line := range strings.Lines(text.String()) {
			if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(line, prefix) }) {
				fmt.Print(line)
			}
		}
	}
}

func ExampleNew() {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	load(m, stages.WithSource("orders.raw"))
	show(registry, "etl_rows_", "etl_processing_seconds_count")
	// Output:
	// etl_processing_seconds_count{outcome="failure",pipeline="orders",stage="load"} 0
	// etl_processing_seconds_count{outcome="success",pipeline="orders",stage="load"} 1
	// etl_rows_processed_total{pipeline="orders",source="orders.raw",stage="load"} 1
	// etl_rows_read_total{pipeline="orders",source="orders.raw",stage="load"} 2
	// etl_rows_rejected_total{pipeline="orders",reason="no_price",stage="load"} 1
}

func ExampleNew_unregistered() {
	m, _ := metrics.New(nil)
	load(m)
	// Metrics is a Collector: register it where and when you like.
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	show(registry, "etl_rows_read_total")
	// Output: etl_rows_read_total{pipeline="orders",source="",stage="load"} 2
}

func ExampleHandler() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	load(m)
	mux := http.NewServeMux() // That of a server of yours.
	mux.Handle("/metrics", metrics.Handler(registry))

	scrape := httptest.NewRecorder()
	mux.ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.HasPrefix(line, "etl_rows_read_total") {
			fmt.Print(line)
		}
	}
	// Output: etl_rows_read_total{pipeline="orders",source="",stage="load"} 2
}

func ExampleListen() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	load(m)
	server, err := metrics.Listen(context.Background(), "127.0.0.1:0", registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Shutdown(context.Background()) }()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + server.Addr().String() + "/metrics")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "etl_rows_read_total") {
			fmt.Println(lines.Text())
		}
	}
	// Output: etl_rows_read_total{pipeline="orders",source="",stage="load"} 2
}

func ExampleWithPath() {
	server, err := metrics.Listen(context.Background(), "127.0.0.1:0", prometheus.NewRegistry(), metrics.WithPath("/internal/metrics"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(server.Close())
	// Output: <nil>
}

// startGateway starts a server that prints the path of what is pushed to it.
func startGateway() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
	}))
}

func ExampleNewPusher() {
	gateway := startGateway()
	defer gateway.Close()
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)
	pusher, err := metrics.NewPusher(gateway.URL, "nightly", registry, metrics.WithHTTPClient(gateway.Client()))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := stages.NewPipeline("orders", stages.WithObserver(m))
	_ = p.Run(context.Background(), func(context.Context) error { return nil }, stages.WithFlush(pusher.Push))
	// Output:
	// POST /metrics/job/nightly
	// POST /metrics/job/nightly/pipeline/orders
}

func ExampleWithGrouping() {
	gateway := startGateway()
	defer gateway.Close()
	pusher, _ := metrics.NewPusher(gateway.URL, "nightly", prometheus.NewRegistry(),
		metrics.WithHTTPClient(gateway.Client()), metrics.WithGrouping("team", "data"))
	_ = pusher.Push(context.Background())

	_, err := metrics.NewPusher(gateway.URL, "nightly", prometheus.NewRegistry(), metrics.WithGrouping("run_id", "4711"))
	fmt.Println(err)
	// Output:
	// POST /metrics/job/nightly/team/data
	// metrics: grouping label "run_id" makes a group for each process or run, which a Pushgateway never forgets
}

// closedGateway is a client for which no server answers.
var closedGateway = &http.Client{Transport: transportFunc(func(*http.Request) (*http.Response, error) {
	fmt.Println("no answer")
	return nil, io.ErrUnexpectedEOF
})}

func ExampleWithHTTPClient() {
	pusher, _ := metrics.NewPusher("pushgateway:9091", "nightly", prometheus.NewRegistry(),
		metrics.WithHTTPClient(closedGateway), metrics.WithPushRetries(0))
	fmt.Println(pusher.Push(context.Background()))
	// Output:
	// no answer
	// metrics: push: Post "http://pushgateway:9091/metrics/job/nightly": unexpected EOF
}

func ExampleWithPushRetries() {
	pusher, _ := metrics.NewPusher("pushgateway:9091", "nightly", prometheus.NewRegistry(),
		metrics.WithHTTPClient(closedGateway), metrics.WithPushRetries(1))
	fmt.Println(pusher.Push(context.Background()) != nil)
	// Output:
	// no answer
	// no answer
	// true
}

func ExampleWithPushTimeout() {
	pusher, _ := metrics.NewPusher("pushgateway:9091", "nightly", prometheus.NewRegistry(),
		metrics.WithHTTPClient(closedGateway), metrics.WithPushTimeout(50*time.Millisecond)) // Too short for a second attempt.
	fmt.Println(pusher.Push(context.Background()) != nil)
	// Output:
	// no answer
	// true
}

func ExampleWithNamespace() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithNamespace("warehouse"))
	load(m)
	show(registry, "warehouse_rows_read_total")
	// Output: warehouse_rows_read_total{pipeline="orders",source="",stage="load"} 2
}

func ExampleWithConstLabels() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithConstLabels(map[string]string{"team": "data"}))
	load(m)
	show(registry, "etl_rows_read_total")
	// Output: etl_rows_read_total{pipeline="orders",source="",stage="load",team="data"} 2
}

func ExampleWithBuckets() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithBuckets(60, 3600))
	load(m)
	show(registry, `etl_processing_seconds_bucket{outcome="success"`)
	// Output:
	// etl_processing_seconds_bucket{outcome="success",pipeline="orders",stage="load",le="60"} 1
	// etl_processing_seconds_bucket{outcome="success",pipeline="orders",stage="load",le="3600"} 1
	// etl_processing_seconds_bucket{outcome="success",pipeline="orders",stage="load",le="+Inf"} 1
}

func ExampleWithoutClassicBuckets() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithoutClassicBuckets())
	load(m)
	show(registry, `etl_processing_seconds_bucket{outcome="success"`)
	// Output: etl_processing_seconds_bucket{outcome="success",pipeline="orders",stage="load",le="+Inf"} 1
}

func ExampleWithoutNativeHistograms() {
	_, err := metrics.New(nil, metrics.WithoutNativeHistograms(), metrics.WithoutClassicBuckets())
	fmt.Println(err)
	// Output: metrics: etl_processing_seconds: the histogram has neither classic nor native buckets
}

func ExampleWithoutExemplars() {
	registry := prometheus.NewRegistry()
	_, first := metrics.New(registry, metrics.WithoutExemplars())
	_, second := metrics.New(registry)
	fmt.Println(first)
	fmt.Println(second)
	// Output:
	// <nil>
	// metrics: conflict with a registered metric: etl_processing_seconds has other exemplars
}

func ExampleWithoutPartitions() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithoutPartitions())
	for partition := range 3 {
		m.Sent(context.Background(), observe.Send{
			System: observe.SystemKafka, Destination: "orders", Partition: partition, Messages: 10, Bytes: 1000,
		})
	}
	show(registry, "etl_kafka_messages_total")
	// Output: etl_kafka_messages_total{direction="out",partition="",topic="orders"} 30
}

func ExampleWithGoCollector() {
	registry := prometheus.NewRegistry()
	_, _ = metrics.New(registry, metrics.WithGoCollector())
	families, _ := registry.Gather()
	for _, family := range families {
		if family.GetName() == "go_goroutines" {
			fmt.Println(family.GetHelp())
		}
	}
	// Output: Number of goroutines that currently exist.
}

func ExampleWithProcessCollector() {
	// The default registry has these metrics, so it keeps its own.
	m, err := metrics.New(prometheus.DefaultRegisterer, metrics.WithProcessCollector())
	fmt.Println(err)
	prometheus.Unregister(m)
	// Output: <nil>
}

func ExampleWithMaxLatency() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithMaxLatency(30*24*time.Hour))
	for _, age := range []time.Duration{time.Second, 56 * 365 * 24 * time.Hour} { // The second one is since 1970.
		m.Arrived(context.Background(), observe.Arrival{System: observe.SystemKafka, Destination: "orders", Hop: age, EndToEnd: age})
	}
	show(registry, "etl_hop_seconds_sum", "etl_telemetry_dropped_total")
	// Output:
	// etl_hop_seconds_sum{carrier="kafka",destination="orders",pipeline="",stage=""} 1
	// etl_telemetry_dropped_total{reason="stale_waybill"} 2
}

func ExampleWithLabelLimit() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry, metrics.WithLabelLimit(2))
	p, _ := stages.NewPipeline("orders", stages.WithObserver(m))
	s, _ := p.Stage("load")
	_ = s.Run(context.Background(), func(ctx context.Context) error {
		for id := range 100 {
			stages.FromContext(ctx).Rejected(1, fmt.Sprint("order ", id, " has no price"))
		}
		return nil
	})
	show(registry, "etl_rows_rejected_total", `etl_telemetry_label_overflow_total{label="reason"`)
	// Output:
	// etl_rows_rejected_total{pipeline="orders",reason="_OTHER",stage="load"} 98
	// etl_rows_rejected_total{pipeline="orders",reason="order 0 has no price",stage="load"} 1
	// etl_rows_rejected_total{pipeline="orders",reason="order 1 has no price",stage="load"} 1
	// etl_telemetry_label_overflow_total{label="reason"} 98
}

// sent returns the context of data that was sent just now, as a carrier holds it.
func sent() map[string]string {
	ctx := propagation.ContextWithWaybill(context.Background(), propagation.Waybill{Origin: time.Now(), Sent: time.Now()})
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	return propagation.Map(trace.ContextWithSpanContext(ctx, span), propagation.WithPropagator(propagation.Default()))
}

func ExampleMetrics_kafka() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)

	// A kafkacarrier.Reader and a kafkacarrier.Writer measure more.
	msg := kafka.Message{Topic: "orders", Value: []byte("{}")}
	for key, value := range sent() {
		msg.Headers = append(msg.Headers, kafka.Header{Key: key, Value: []byte(value)})
	}
	consumer := kafkacarrier.NewConsumer(kafkacarrier.WithObserver(m))
	_ = consumer.Process(context.Background(), msg, func(context.Context) error { return nil })

	show(registry, "etl_hop_seconds_count", "etl_end_to_end_seconds_count")
	// Output:
	// etl_end_to_end_seconds_count{destination="orders",pipeline="",stage=""} 1
	// etl_hop_seconds_count{carrier="kafka",destination="orders",pipeline="",stage=""} 1
}

func ExampleMetrics_mongoDB() {
	registry := prometheus.NewRegistry()
	m, _ := metrics.New(registry)

	document := map[string]any{"total": 12, "_otel": map[string]any{}}
	for key, value := range sent() {
		document["_otel"].(map[string]any)[key] = value
	}
	orders := mongocarrier.NewConsumer("orders", mongocarrier.WithObserver(m))
	_ = orders.Process(context.Background(), mongocarrier.ReadM(document), func(context.Context) error { return nil })

	show(registry, "etl_mongodb_queue_seconds_count", `etl_mongodb_documents_total{collection="orders",outcome="success"}`)
	// Output:
	// etl_mongodb_documents_total{collection="orders",outcome="success"} 1
	// etl_mongodb_queue_seconds_count{collection="orders"} 1
}
