// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

func mustNewOTel(t testing.TB, provider metric.MeterProvider, opts ...metrics.OTelOption) *metrics.Metrics {
	t.Helper()
	m, err := metrics.NewOTel(provider, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newReader returns a provider and what reads it.
func newReader(opts ...sdkmetric.Option) (*sdkmetric.MeterProvider, *sdkmetric.ManualReader) {
	reader := sdkmetric.NewManualReader()
	return sdkmetric.NewMeterProvider(append(opts, sdkmetric.WithReader(reader))...), reader
}

// collected returns the metrics of the scope of this package, by name.
func collected(t testing.TB, reader *sdkmetric.ManualReader) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.WithoutCancel(t.Context()), &all); err != nil {
		t.Fatal(err)
	}
	byName := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		if scope.Scope.Name != "github.com/waybill-go/waybill/metrics" {
			t.Errorf("scope = %q, want that of package metrics", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// Names, units, kinds and attributes are API.
func TestNewOTel_Golden(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	allEvents(t.Context(), mustNewOTel(t, provider))
	all := collected(t, reader)
	for _, m := range series.All() {
		found := false
		for _, data := range all {
			found = found || prometheusName(data) == m.In("etl") && data.Description == m.Help
		}
		if !found {
			t.Errorf("no instrument has the name %s in Prometheus and its help", m.In("etl"))
		}
	}
	var pinned, printed strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		m := all[name]
		row := fmt.Sprintf("%-32s %-11s %-13s ", m.Name, m.Unit, instrumentOf(m))
		fmt.Fprintf(&pinned, "%s %s\n", row, strings.Join(slices.Sorted(maps.Keys(attributesOf(m))), ","))
		fmt.Fprintf(&printed, "//\t%s\n", row+prometheusName(m))
	}
	golden.Compare(t, "otel.golden", pinned.String())

	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for line := range strings.Lines(string(doc)) {
		if strings.HasPrefix(line, "//\tetl.") && strings.Contains(line, " etl_") {
			table.WriteString(line)
		}
	}
	if diff := cmp.Diff(printed.String(), table.String()); diff != "" {
		t.Errorf("doc.go does not print the instruments (-want +got):\n%s", diff)
	}
}

// The attributes of the documentation are those of the instruments.
func TestNewOTel_DocumentedAttributes(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "An empty label has no attribute:\n//\n")
	table, _, _ = strings.Cut(table, "//\n")
	documented := map[string]string{} // By label.
	for line := range strings.Lines(table) {
		labels, keys, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "//\t"), "  ")
		of := strings.Split(strings.TrimSpace(keys), ", ")
		for i, label := range strings.Split(labels, ", ") {
			documented[label] = of[min(i, len(of)-1)]
		}
	}
	provider, reader := newReader()
	allEvents(t.Context(), mustNewOTel(t, provider))
	used := map[string]string{}
	for _, m := range collected(t, reader) {
		for key := range attributesOf(m) {
			used[prometheusLabel(prometheusName(m), key)] = key
		}
	}
	if diff := cmp.Diff(used, documented); diff != "" {
		t.Errorf("attributes by label (-used +documented):\n%s", diff)
	}
}

// attributesOf returns the keys of all attributes of a metric.
func attributesOf(m metricdata.Metrics) map[string]bool {
	keys := map[string]bool{}
	add := func(set attribute.Set) {
		for _, pair := range set.ToSlice() {
			keys[string(pair.Key)] = true
		}
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, point := range data.DataPoints {
			add(point.Attributes)
		}
	case metricdata.Sum[float64]:
		for _, point := range data.DataPoints {
			add(point.Attributes)
		}
	case metricdata.Gauge[float64]:
		for _, point := range data.DataPoints {
			add(point.Attributes)
		}
	case metricdata.Histogram[float64]:
		for _, point := range data.DataPoints {
			add(point.Attributes)
		}
	}
	return keys
}

// A sum of deltas is what is reported without them. Counters of which nothing is
// counted any more, and gauges, stay.
func TestNewOTel_DeltaTemporality(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	reader := sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(sdkmetric.DeltaTemporalitySelector))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	both := []*metrics.Metrics{mustNew(t, registry), mustNewOTel(t, provider)}
	want, sums := map[string]float64{}, map[string]float64{}
	for range 3 {
		for _, m := range both {
			allEvents(t.Context(), m)
		}
		want = gathered(t, registry) // Each time, because a queue that panics is counted at each collection.
		all := collected(t, reader)
		isDelta := map[string]bool{}
		for _, m := range all {
			isDelta[prometheusName(m)] = instrumentOf(m) == "counter" || instrumentOf(m) == "histogram"
		}
		for key, value := range samples(all, prometheusLabel) {
			name, _, _ := strings.Cut(key, "{")
			for _, suffix := range []string{"_count", "_sum", "_bucket"} {
				name = strings.TrimSuffix(name, suffix)
			}
			if isDelta[name] {
				value += sums[key]
			}
			sums[key] = value
		}
	}
	sameSeries(t, want, sums)

	idle := samples(collected(t, reader), prometheusLabel)
	if got, ok := idle[`etl_rows_read_total{pipeline="orders",source="orders.raw",stage="load"}`]; got != 0 || !ok {
		t.Errorf("rows of an idle stage: %v, %v; want 0, true", got, ok)
	}
	if got := idle[`etl_kafka_lag_messages{group="workers",partition="1",topic="orders"}`]; got != 3 {
		t.Errorf("lag of an idle partition = %v, want 3", got)
	}
}

// Over the limit of the SDK, the series that came first keep their attributes, and
// the others are added up.
func TestNewOTel_CardinalityLimitOfTheSDK(t *testing.T) {
	t.Parallel()
	provider, reader := newReader(sdkmetric.WithCardinalityLimit(4))
	m := mustNewOTel(t, provider)
	for collection := range 3 {
		for i := range 20 {
			m.Sent(t.Context(), observe.Send{System: kafkaSystem, Destination: "topic " + strconv.Itoa(i), Partition: -1, Messages: 1})
		}
		sum, _ := collected(t, reader)["etl.kafka.messages"].Data.(metricdata.Sum[int64])
		got := map[string]int64{}
		for _, point := range sum.DataPoints {
			topic, _ := point.Attributes.Value("messaging.destination.name")
			got[topic.AsString()] = point.Value
		}
		n := int64(collection) + 1
		want := map[string]int64{"topic 0": n, "topic 1": n, "topic 2": n, "": 17 * n}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("collection %d (-want +got):\n%s", collection, diff)
		}
	}
}

func TestNewOTel_Views(t *testing.T) {
	t.Parallel()
	exponential := sdkmetric.NewView(
		sdkmetric.Instrument{Name: "etl.*", Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}},
	)
	byTopic := sdkmetric.NewView(
		sdkmetric.Instrument{Name: "etl.kafka.lag.messages"},
		sdkmetric.Stream{AttributeFilter: attribute.NewDenyKeysFilter("messaging.destination.partition.id")},
	)
	provider, reader := newReader(sdkmetric.WithView(exponential, byTopic))
	m := mustNewOTel(t, provider)
	for partition := range 3 {
		m.Fetched(t.Context(), observe.Fetch{System: kafkaSystem, Group: "workers", Topic: "orders", Partition: partition, Lag: 10, Queued: time.Second, Reader: 1})
	}
	all := collected(t, reader)
	queue, ok := all["etl.kafka.queue"].Data.(metricdata.ExponentialHistogram[float64])
	if !ok || queue.DataPoints[0].Count != 3 {
		t.Errorf("queue: %+v, want an exponential histogram of 3", all["etl.kafka.queue"].Data)
	}
	lag, _ := all["etl.kafka.lag.messages"].Data.(metricdata.Sum[int64])
	if len(lag.DataPoints) != 1 || lag.DataPoints[0].Value != 30 {
		t.Errorf("lag without partitions: %+v, want 30", lag.DataPoints)
	}
}

// Without any view, the bounds are seconds and rows, not the milliseconds that the
// SDK takes by default.
func TestNewOTel_BoundsAreAdvised(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	allEvents(t.Context(), mustNewOTel(t, provider))
	for name, want := range map[string][]float64{
		"etl.processing": {0.001, 0.01, 0.1, 1, 10, 60, 600, 3600},
		"etl.batch.rows": {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576},
		"etl.row_age":    {1, 10, 60, 600, 3600, 21600, 86400, 604800},
	} {
		histogram, _ := collected(t, reader)[name].Data.(metricdata.Histogram[float64])
		if diff := cmp.Diff(want, histogram.DataPoints[0].Bounds); diff != "" {
			t.Errorf("bounds of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestNewOTel_Exemplar(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		flags trace.TraceFlags
		want  int
	}{
		"sampled":     {flags: trace.FlagsSampled, want: 1},
		"not sampled": {flags: 0, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider, reader := newReader()
			m := mustNewOTel(t, provider)
			observerOf(m).Ended(inSpan(t.Context(), tt.flags), observe.RunEnd{Duration: time.Second})
			histogram, _ := collected(t, reader)["etl.processing"].Data.(metricdata.Histogram[float64])
			if got := len(histogram.DataPoints[0].Exemplars); got != tt.want {
				t.Errorf("%d exemplars, want %d", got, tt.want)
			}
		})
	}
}

// Measurements of a run whose context is done, or nil, are recorded too.
func TestNewOTel_AnyContext(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	provider, reader := newReader()
	run := observerOf(mustNewOTel(t, provider))
	for _, ctx := range []context.Context{canceled, nil} {
		run.Started(ctx)
		run.Ended(ctx, observe.RunEnd{Outcome: observe.OutcomeCanceled, ErrorType: observe.ErrorTypeCanceled, Duration: time.Second})
	}
	if got := samples(collected(t, reader), prometheusLabel)[`etl_processing_seconds_count{outcome="cancelled",pipeline="orders",stage="load"}`]; got != 2 {
		t.Errorf("%v runs, want 2", got)
	}
}

// Instruments of the global provider that nobody has set yet move to the first one
// that is set, once in a process. So the test runs in a process of its own.
func TestNewOTel_GlobalProviderSetLater(t *testing.T) {
	const child = "WAYBILL_TEST_CHILD"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	m := mustNewOTel(t, nil)
	observerOf(m).Counted(observe.Count{Kind: observe.CountRead, N: 3})
	provider, reader := newReader()
	otel.SetMeterProvider(provider)
	wantGlobal(t, m, reader, 7)
}

// Not parallel: it sets the global provider.
func TestNewOTel_GlobalProvider(t *testing.T) {
	before := otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	provider, reader := newReader()
	otel.SetMeterProvider(provider)
	wantGlobal(t, mustNewOTel(t, nil), reader, 4)
	var none *sdkmetric.MeterProvider
	mustNewOTel(t, none)
}

// wantGlobal lets m count four rows and a run, and compares what reader reads.
func wantGlobal(t *testing.T, m *metrics.Metrics, reader *sdkmetric.ManualReader, rows float64) {
	t.Helper()
	run := observerOf(m)
	run.Counted(observe.Count{Kind: observe.CountRead, N: 4})
	run.Ended(t.Context(), observe.RunEnd{Duration: time.Second})
	got := samples(collected(t, reader), prometheusLabel)
	for key, want := range map[string]float64{
		`etl_rows_read_total{pipeline="orders",source="orders.raw",stage="load"}`:        rows,
		`etl_processing_seconds_count{outcome="success",pipeline="orders",stage="load"}`: 1,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

// Not parallel: it sets the global provider, to one that must not be used.
func TestNewOTel_OwnProviderOnly(t *testing.T) {
	before := otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	// The first provider that is set stays behind the global one, after this test too.
	var asked atomic.Bool
	otel.SetMeterProvider(hostileProvider{provider: func() metric.Meter { asked.Store(true); return metricnoop.Meter{} }})
	provider, _ := newReader()
	allEvents(t.Context(), mustNewOTel(t, provider))
	if asked.Load() {
		t.Error("the global provider was asked")
	}
}

// Two sets on one provider add up, as those of two processes do.
func TestNewOTel_TwiceOnOneProvider(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	first, second := mustNewOTel(t, provider), mustNewOTel(t, provider)
	for _, m := range []*metrics.Metrics{first, second} {
		run := observerOf(m)
		run.Counted(observe.Count{Kind: observe.CountRead, N: 2})
		run.Queue(&stageQueue{stats: observe.QueueStats{Rows: 3, Capacity: 8}})
		run.Ended(t.Context(), observe.RunEnd{Duration: time.Second})
	}
	other, _ := second.Stage(observe.StageID{Pipeline: "orders", Stage: "report"}).(stageObserver)
	other.Queue(&stageQueue{stats: observe.QueueStats{Rows: 1, Capacity: 4}})
	got := samples(collected(t, reader), prometheusLabel)
	for key, want := range map[string]float64{
		`etl_rows_read_total{pipeline="orders",source="orders.raw",stage="load"}`:        4,
		`etl_queue_rows{pipeline="orders",stage="load"}`:                                 6,
		`etl_queue_rows{pipeline="orders",stage="report"}`:                               1,
		`etl_processing_seconds_count{outcome="success",pipeline="orders",stage="load"}`: 2,
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
}

func TestNewOTel_InvalidOptions(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	for name, tt := range map[string]struct {
		opts []metrics.OTelOption
		want string
	}{
		"namespace":            {opts: []metrics.OTelOption{metrics.WithNamespace("a b")}, want: `"a b"`},
		"namespace not for it": {opts: []metrics.OTelOption{metrics.WithNamespace("_etl")}, want: "_etl.processing"},
		"namespace too long":   {opts: []metrics.OTelOption{metrics.WithNamespace(strings.Repeat("x", 300))}, want: "xxx.processing"},
		"buckets":              {opts: []metrics.OTelOption{metrics.WithBuckets(2, 1)}, want: "[2 1]"},
		"buckets not finite":   {opts: []metrics.OTelOption{metrics.WithBuckets(1, math.Inf(1))}, want: "+Inf"},
	} {
		m, err := metrics.NewOTel(provider, tt.opts...)
		if m != nil || err == nil || !strings.HasPrefix(err.Error(), "metrics: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: NewOTel = %v, %v; want an error that contains %q", name, m, err, tt.want)
		}
	}
	if got := collected(t, reader); len(got) != 0 {
		t.Errorf("registered: %v, want nothing", got)
	}
}

func TestNewOTel_Namespace(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	allEvents(t.Context(), mustNewOTel(t, provider, metrics.WithNamespace("flow_2")))
	all := collected(t, reader)
	if len(all) != len(series.All()) {
		t.Errorf("%d metrics, want %d", len(all), len(series.All()))
	}
	for name := range all {
		if !strings.HasPrefix(name, "flow_2.") {
			t.Errorf("name = %q, want it to start with flow_2.", name)
		}
	}
}

// A registry refuses a Metrics that a provider collects, instead of showing nothing.
func TestNewOTel_IsNotForPrometheus(t *testing.T) {
	t.Parallel()
	provider, _ := newReader()
	registry := prometheus.NewRegistry()
	m := mustNewOTel(t, provider)
	if err := registry.Register(m); err == nil || !strings.Contains(err.Error(), "NewOTel") {
		t.Errorf("Register = %v, want an error that names NewOTel", err)
	}
	if got := families(t, registry); len(got) != 0 {
		t.Errorf("gathered %v, want nothing", got)
	}
	ch := make(chan prometheus.Metric, 1)
	m.Collect(ch)
	if len(ch) != 0 {
		t.Error("it collects something")
	}
}

func TestMetrics_Close(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	provider, reader := newReader()
	for name, m := range map[string]*metrics.Metrics{
		"Prometheus": mustNew(t, registry), "OpenTelemetry": mustNewOTel(t, provider),
		"unregistered": mustNew(t, nil), "off": mustNewOTel(t, metricnoop.NewMeterProvider()),
		"zero": {}, "nil": nil,
	} {
		run := observerOf(m)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if err := m.Close(); err != nil {
					t.Errorf("%s: Close = %v, want nil", name, err)
				}
				if run != nil {
					run.Counted(observe.Count{Kind: observe.CountRead, N: 1})
				}
			})
		}
		all.Wait()
	}
	if got := len(families(t, registry)) + len(collected(t, reader)); got != 0 {
		t.Errorf("%d metrics after Close, want none", got)
	}

	again := mustNew(t, registry)
	if got := len(families(t, registry)); got == 0 {
		t.Error("nothing is collected after New again")
	}
	if err := again.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
}

// After Close nothing holds a Metrics any more.
func TestMetrics_CloseFreesIt(t *testing.T) {
	t.Parallel()
	provider, _ := newReader()
	freed := make(chan struct{})
	func() {
		m := mustNewOTel(t, provider)
		runtime.AddCleanup(m, func(freed chan struct{}) { close(freed) }, freed)
		if err := m.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
	}()
	for {
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(provider)
			return
		case <-t.Context().Done():
			t.Fatal("it was not freed")
		default:
			runtime.Gosched()
		}
	}
}

// Events, collections, new stages and queues, and Close at once, from 64 goroutines.
func TestNewOTel_Concurrent(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	m := mustNewOTel(t, provider)
	const workers, each = 64, 20
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			for i := range each {
				run, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load " + strconv.Itoa(i), Source: "orders.raw"}).(stageObserver)
				run.Started(t.Context())
				run.Counted(observe.Count{Kind: observe.CountRead, N: 1})
				queue := &stageQueue{stats: observe.QueueStats{Rows: 1, Capacity: 1}}
				run.Queue(queue)
				queue.set(observe.QueueStats{Blocked: time.Second, Done: true})
				m.Blocked(observe.Block{System: kafkaSystem, Operation: "send", Destination: "orders", Duration: 500 * time.Millisecond})
				partition := observe.Partition{System: kafkaSystem, Group: "workers", Topic: "orders", Partition: i, Reader: uint64(worker)}
				m.Fetched(t.Context(), observe.Fetch{System: kafkaSystem, Group: "workers", Topic: "orders", Partition: i, Lag: 1, Reader: uint64(worker)})
				m.Revoked(partition)
				run.Ended(t.Context(), observe.RunEnd{Duration: time.Second})
				if worker%16 == 0 {
					collected(t, reader)
				}
			}
		})
	}
	all.Wait()
	got := samples(collected(t, reader), prometheusLabel)
	for key := range got {
		if strings.HasPrefix(key, "etl_kafka_lag_messages") {
			t.Errorf("%s is left of revoked partitions", key)
		}
	}
	for i := range each {
		labels := `pipeline="orders",stage="load ` + strconv.Itoa(i) + `"}`
		for key, want := range map[string]float64{
			`etl_rows_read_total{pipeline="orders",source="orders.raw",stage="load ` + strconv.Itoa(i) + `"}`: workers,
			`etl_blocked_seconds_total{` + labels:                      workers,
			`etl_queue_rows{` + labels:                                 0,
			`etl_in_flight{` + labels:                                  0,
			`etl_processing_seconds_count{outcome="success",` + labels: workers,
		} {
			if got[key] != want {
				t.Errorf("%s = %v, want %v", key, got[key], want)
			}
		}
	}
	if key := `etl_kafka_blocked_seconds_total{operation="send",topic="orders"}`; got[key] != workers*each/2 {
		t.Errorf("%s = %v, want %v", key, got[key], workers*each/2)
	}
	if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// Queues are created, used and closed while several readers collect: no lock is held
// across the two.
func TestNewOTel_QueuesWhileCollecting(t *testing.T) {
	t.Parallel()
	first, second := sdkmetric.NewManualReader(), sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(first), sdkmetric.WithReader(second))
	m := mustNewOTel(t, provider)
	s := newStage(t, m)
	const workers = 100
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all sync.WaitGroup
		for worker := range workers {
			all.Go(func() {
				queue, err := stages.NewQueue[int](s, 4)
				if err != nil {
					t.Error(err)
					return
				}
				if err := queue.Put(t.Context(), worker); err != nil {
					t.Errorf("Put = %v, want nil", err)
				}
				collected(t, []*sdkmetric.ManualReader{first, second}[worker%2])
				queue.Close()
				if _, err := queue.Take(t.Context()); err != nil {
					t.Errorf("Take = %v, want nil", err)
				}
			})
		}
		all.Wait()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("a queue or a collection hangs")
	}
	for _, reader := range []*sdkmetric.ManualReader{first, second} {
		got := samples(collected(t, reader), prometheusLabel)
		for _, key := range []string{`etl_queue_rows{pipeline="orders",stage="load"}`, `etl_queue_capacity_rows{pipeline="orders",stage="load"}`} {
			if value, ok := got[key]; value != 0 || !ok {
				t.Errorf("%s = %v, %v; want 0, true", key, value, ok)
			}
		}
	}
}

// A million values of a label are as many series as the limit.
func TestNewOTel_LabelsAreBounded(t *testing.T) {
	t.Parallel()
	provider, reader := newReader()
	run := observerOf(mustNewOTel(t, provider))
	const values = 1_000_000
	for i := range values {
		run.Counted(observe.Count{Kind: observe.CountRejected, N: 1, Reason: "row " + strconv.Itoa(i)})
	}
	all := collected(t, reader)
	rejected, _ := all["etl.rows.rejected"].Data.(metricdata.Sum[int64])
	if got := len(rejected.DataPoints); got != 101 {
		t.Errorf("%d series, want 101", got)
	}
	if got := samples(all, prometheusLabel)[`etl_telemetry_label_overflow_total{label="reason"}`]; got != values-100 {
		t.Errorf("overflow = %v, want %d", got, values-100)
	}
}
