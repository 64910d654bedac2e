// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

var watermark = time.UnixMilli(1_700_000_000_500)

func TestNew_NilRegisterer(t *testing.T) {
	t.Parallel()
	var typedNil *prometheus.Registry
	for name, registerer := range map[string]prometheus.Registerer{"nil": nil, "nil registry": typedNil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := mustNew(t, registerer)
			everything(t, m)
			registry := prometheus.NewPedanticRegistry()
			if err := registry.Register(m); err != nil {
				t.Fatal(err)
			}
			if got := families(t, registry)["etl_rows_processed_total"].GetMetric()[0].GetCounter().GetValue(); got != 2 {
				t.Errorf("%v rows", got)
			}
		})
	}
	all, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range all {
		if strings.HasPrefix(family.GetName(), "etl_") {
			t.Errorf("the default registry holds %s", family.GetName())
		}
	}
}

func TestMetrics_Nil(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*metrics.Metrics{"nil": nil, "zero": {}} {
		everything(t, m)
		registry := prometheus.NewPedanticRegistry()
		if err := registry.Register(m); err != nil {
			t.Fatal(err)
		}
		if got := families(t, registry); len(got) != 0 {
			t.Errorf("%s: collected %v", name, got)
		}
	}
}

// registererFunc is a registerer of the user's.
type registererFunc func(prometheus.Collector) error

func (f registererFunc) Register(c prometheus.Collector) error { return f(c) }
func (registererFunc) MustRegister(...prometheus.Collector)    {}
func (registererFunc) Unregister(prometheus.Collector) bool    { return false }

func TestNew_HostileRegisterer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		registerer registererFunc
		want       error
	}{
		{name: "panics", registerer: func(prometheus.Collector) error { panic(errBoom) }, want: errBoom},
		{name: "fails", registerer: func(prometheus.Collector) error { return errBoom }, want: errBoom},
		{name: "holds nil metrics", registerer: func(c prometheus.Collector) error {
			return prometheus.AlreadyRegisteredError{ExistingCollector: (*metrics.Metrics)(nil), NewCollector: c}
		}, want: metrics.ErrConflict},
	} {
		if m, err := metrics.New(tt.registerer); m != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: New = %v, %v, want %v", tt.name, m, err, tt.want)
		}
	}
}

// spanWithoutContext is a span of the user's in a context.
type spanWithoutContext struct{ noop.Span }

func (spanWithoutContext) SpanContext() trace.SpanContext { panic("SpanContext") }

// An observer of messages has other callers than the carriers, and the clocks and
// counts of others: no value makes a counter or a sum go back.
func TestMetrics_ExtremeValues(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry, metrics.WithMaxLatency(0))
	ctx := trace.ContextWithSpan(t.Context(), spanWithoutContext{})
	for _, n := range []int{math.MinInt, -1, 0, math.MaxInt} {
		d := time.Duration(n)
		for _, system := range []string{observe.SystemKafka, observe.SystemMongoDB, ""} {
			m.Sent(ctx, observe.Send{System: system, Messages: n, Bytes: n, Partition: n})
			m.Fetched(ctx, observe.Fetch{System: system, Lag: int64(n), Partition: n, Bytes: n, Queued: d})
			m.Arrived(ctx, observe.Arrival{System: system, Hop: d, EndToEnd: d})
			m.Processed(ctx, observe.Process{System: system, Messages: n, Outcome: observe.Outcome(200)})
			m.Committed(ctx, observe.Commit{System: system, Lag: int64(n), Partition: n})
			m.Blocked(observe.Block{System: system, Duration: d})
		}
		run := m.Stage(observe.StageID{})
		run.Started(nil)                                                           //nolint:staticcheck // A nil ctx is allowed.
		run.Ended(nil, observe.RunEnd{Duration: d, Outcome: observe.Outcome(200)}) //nolint:staticcheck // A nil ctx is allowed.
		run.Ended(ctx, observe.RunEnd{Duration: d})                                // Once too often.
		run.(observe.CountObserver).Counted(observe.Count{Kind: observe.CountRead, N: n})
		run.(observe.CountObserver).Counted(observe.Count{Kind: observe.CountKind(99)})
		run.(observe.LatencyObserver).Latency(ctx, observe.Latency{EndToEnd: d})
		run.(observe.WatermarkObserver).Watermark(time.Unix(int64(n)/2, 0))
	}
	for name, family := range families(t, registry) {
		for _, metric := range family.GetMetric() {
			value := metric.GetCounter().GetValue() + metric.GetHistogram().GetSampleSum()
			if value < 0 || math.IsNaN(value) || math.IsInf(value, 0) {
				t.Errorf("%s%v = %v, want a finite value of at least 0", name, labelsOf(metric), value)
			}
		}
	}
	// The 12 arrivals and 4 ends are counted, though the span panics.
	want := `etl_end_to_end_seconds_count{destination="",pipeline="",stage=""} 16`
	if got := lines(t, registry, "etl_end_to_end_seconds_count"); len(got) != 1 || got[0] != want {
		t.Errorf("series = %v, want %s", got, want)
	}
}

func TestNew_TwiceIsOneSet(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	labels := prometheus.Labels{"app": "a"}
	for name, tt := range map[string]struct {
		registerer prometheus.Registerer
		opts       []metrics.Option
	}{
		"plain":           {registry, nil},
		"other namespace": {registry, []metrics.Option{metrics.WithNamespace("x"), metrics.WithBuckets(1, 2), metrics.WithLabelLimit(3), metrics.WithoutExemplars(), metrics.WithMaxLatency(0)}},
		"labels of none":  {prometheus.NewPedanticRegistry(), []metrics.Option{metrics.WithConstLabels(map[string]string{})}},
		"constant labels": {prometheus.NewPedanticRegistry(), []metrics.Option{metrics.WithConstLabels(labels)}},
		"wrapped":         {prometheus.WrapRegistererWith(labels, prometheus.NewPedanticRegistry()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := mustNew(t, tt.registerer, tt.opts...), mustNew(t, tt.registerer, tt.opts...)
			if first != second {
				t.Error("two sets")
			}
			if name == "labels of none" && mustNew(t, tt.registerer) != first {
				t.Error("another set without the option")
			}
			everything(t, first)
			everything(t, second)
		})
	}
}

func TestNew_ConflictNamesTheMetric(t *testing.T) {
	t.Parallel()
	foreign := func(name string, labels ...string) prometheus.Collector {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: "x"}, labels)
	}
	with := func(opts ...metrics.Option) prometheus.Collector {
		m, err := metrics.New(nil, opts...)
		if err != nil {
			panic(err)
		}
		return m
	}
	for name, tt := range map[string]struct {
		first prometheus.Collector
		want  string
	}{
		"other buckets":         {with(metrics.WithBuckets(1, 2)), "etl_processing_seconds"},
		"no classic buckets":    {with(metrics.WithoutClassicBuckets()), "etl_processing_seconds"},
		"no native histograms":  {with(metrics.WithoutNativeHistograms()), "etl_processing_seconds"},
		"no exemplars":          {with(metrics.WithoutExemplars()), "etl_processing_seconds"},
		"other label limit":     {with(metrics.WithLabelLimit(7)), "etl_rows_rejected_total"},
		"other max latency":     {with(metrics.WithMaxLatency(7)), "etl_end_to_end_seconds"},
		"other help, same name": {foreign("etl_retries_total", "pipeline", "stage"), "etl_retries_total"},
		"other labels":          {foreign("etl_errors_total", "job"), "etl_errors_total"},
		"same description": {prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "etl_in_flight", Help: "Runs of a stage that have not ended.",
		}, []string{"pipeline", "stage"}), "etl_in_flight"},
		"something of theirs with the same identity": {theirs{with()}, "etl_processing_seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(tt.first)
			m, err := metrics.New(registry)
			if m != nil || !errors.Is(err, metrics.ErrConflict) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New = %v, %v; want an error about %s", m, err, tt.want)
			}
			// Nothing is left behind.
			registry.Unregister(tt.first)
			if got := families(t, registry); len(got) != 0 {
				t.Errorf("left behind: %v", slices.Collect(maps.Keys(got)))
			}
			// A name stays bound to its help and labels after it is unregistered.
			if _, isForeign := tt.first.(*prometheus.CounterVec); !isForeign {
				mustNew(t, registry)
			}
		})
	}
}

// An empty registry is in conflict with nothing: it is the label that does not fit.
func TestNew_RegistererWithALabelOfOurs(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"stage", "pipeline", "destination", "topic", "outcome"} {
		registry := prometheus.NewPedanticRegistry()
		m, err := metrics.New(prometheus.WrapRegistererWith(prometheus.Labels{label: "x"}, registry))
		if m != nil || err == nil || errors.Is(err, metrics.ErrConflict) || !strings.Contains(err.Error(), "labels of the registerer") {
			t.Errorf("New with the label %q = %v, %v, want an error about labels, and no conflict", label, m, err)
		}
		if got := families(t, registry); len(got) != 0 {
			t.Errorf("left behind: %v", slices.Collect(maps.Keys(got)))
		}
	}
}

type theirs struct{ prometheus.Collector }

func TestNew_OtherConstLabelsAreAnotherSet(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	a := mustNew(t, registry, metrics.WithConstLabels(map[string]string{"app": "a"}))
	b := mustNew(t, registry, metrics.WithConstLabels(map[string]string{"app": "b"}))
	everything(t, a)
	everything(t, b)
	if got := len(families(t, registry)["etl_rows_processed_total"].GetMetric()); got != 2 {
		t.Errorf("%d series", got)
	}
}

func TestNew_ConcurrentUse(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			m, err := metrics.New(registry)
			if err != nil {
				t.Error(err)
				return
			}
			_ = newStage(t, m).Run(t.Context(), func(ctx context.Context) error {
				stages.FromContext(ctx).Wrote(1)
				return nil
			})
		})
	}
	all.Wait()
	series := families(t, registry)["etl_rows_processed_total"].GetMetric()
	if len(series) != 1 || series[0].GetCounter().GetValue() != 100 {
		t.Errorf("series: %v", series)
	}
}

func TestMetrics_Lint(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]metrics.Option{
		"default":       {nil},
		"namespace":     {metrics.WithNamespace("warehouse")},
		"labels":        {metrics.WithConstLabels(map[string]string{"team": "data"})},
		"buckets":       {metrics.WithBuckets(0.5, 1)},
		"native only":   {metrics.WithoutClassicBuckets()},
		"classic only":  {metrics.WithoutNativeHistograms()},
		"no exemplars":  {metrics.WithoutExemplars()},
		"limit":         {metrics.WithLabelLimit(1)},
		"no partitions": {metrics.WithoutPartitions()},
		"no maximum":    {metrics.WithMaxLatency(0)},
		"all at once": {
			metrics.WithNamespace("warehouse"), metrics.WithConstLabels(map[string]string{"team": "data"}), metrics.WithBuckets(0.5, 1), metrics.WithoutNativeHistograms(),
			metrics.WithoutExemplars(), metrics.WithLabelLimit(1), metrics.WithoutPartitions(), metrics.WithMaxLatency(0),
		},
		"back to normal": {metrics.WithNamespace(""), metrics.WithConstLabels(nil), metrics.WithoutClassicBuckets(), metrics.WithBuckets(), metrics.WithLabelLimit(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			everything(t, mustNew(t, registry, opts...))
			problems, err := testutil.GatherAndLint(registry)
			if err != nil || len(problems) != 0 {
				t.Errorf("problems: %v, %v", problems, err)
			}
			for name := range families(t, registry) {
				if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
					t.Errorf("the name %s is not of the classic alphabet", name)
				}
			}
		})
	}
}

func TestNew_InvalidOptions(t *testing.T) {
	t.Parallel()
	label := func(name, value string) metrics.Option {
		return metrics.WithConstLabels(map[string]string{name: value})
	}
	for name, opts := range map[string][]metrics.Option{
		"namespace with a colon":       {metrics.WithNamespace("a:b")},
		"namespace of another script":  {metrics.WithNamespace("größe")},
		"namespace that starts with 1": {metrics.WithNamespace("1a")},
		"label of ours":                {label("stage", "x")},
		"label of the histogram":       {label("le", "x")},
		"label of Prometheus":          {label("__name__", "x")},
		"label without a name":         {label("", "x")},
		"label that is not UTF-8":      {label("a", "\xff")},
		"buckets that fall":            {metrics.WithBuckets(2, 1)},
		"buckets that stay":            {metrics.WithBuckets(1, 1)},
		"bucket that is no number":     {metrics.WithBuckets(1, math.NaN())},
		"bucket without end":           {metrics.WithBuckets(1, math.Inf(1))},
		"no buckets at all":            {metrics.WithoutClassicBuckets(), metrics.WithoutNativeHistograms()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, registerer := range []prometheus.Registerer{nil, prometheus.NewRegistry()} {
				if m, err := metrics.New(registerer, opts...); m != nil || err == nil {
					t.Errorf("New = %v, %v", m, err)
				}
			}
		})
	}
}

func TestOption_CopiesItsArgument(t *testing.T) {
	t.Parallel()
	labels, bounds := map[string]string{"app": "a"}, []float64{1, 2}
	withLabels, withBuckets := metrics.WithConstLabels(labels), metrics.WithBuckets(bounds...)
	labels["app"], bounds[0] = "\xff", 9
	mustNew(t, nil, withLabels, withBuckets)
}

// A rate shows the first success and the first failure only if the series exist
// before; a series of what nobody counts would look like a stage that does nothing.
func TestMetrics_SeriesOfAnIdleStage(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry), stages.WithSource("orders.raw"))
	seen := func() map[string]int {
		series := map[string]int{}
		for name, family := range families(t, registry) {
			if family.GetMetric()[0].GetLabel() != nil && labelsOf(family.GetMetric()[0])["stage"] == "load" {
				series[name] = len(family.GetMetric())
			}
		}
		return series
	}
	if diff := cmp.Diff(map[string]int{"etl_in_flight": 1, "etl_processing_seconds": 2}, seen()); diff != "" {
		t.Errorf("series of a stage that has not run (-want +got)\n%s", diff)
	}
	for _, metric := range families(t, registry)["etl_processing_seconds"].GetMetric() {
		if outcome := labelsOf(metric)["outcome"]; metric.GetHistogram().GetSampleCount() != 0 || outcome != "success" && outcome != "failure" {
			t.Errorf("observed already: %v", metric)
		}
	}

	// A function that does not count has no counts, and one that finds nothing 0.
	_ = s.Run(t.Context(), func(context.Context) error { return nil })
	want := map[string]int{
		"etl_in_flight": 1, "etl_processing_seconds": 2, "etl_last_run_timestamp_seconds": 1, "etl_last_success_timestamp_seconds": 1,
	}
	if diff := cmp.Diff(want, seen()); diff != "" {
		t.Errorf("series of a function that does not count (-want +got)\n%s", diff)
	}
	_ = s.Run(t.Context(), func(ctx context.Context) error { stages.FromContext(ctx).Read(0); return nil })
	want["etl_rows_read_total"] = 1
	if diff := cmp.Diff(want, seen()); diff != "" {
		t.Errorf("series of a function that finds nothing (-want +got)\n%s", diff)
	}
	if got := families(t, registry)["etl_rows_read_total"].GetMetric()[0].GetCounter().GetValue(); got != 0 {
		t.Errorf("%v rows, want 0", got)
	}
}

// The cost in the documentation of the package.
func TestMetrics_CostOfAnIdleStage(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts []metrics.Option
		want int
	}{
		"default":     {nil, 23},
		"native only": {[]metrics.Option{metrics.WithoutClassicBuckets()}, 7},
	} {
		registry := prometheus.NewPedanticRegistry()
		m := mustNew(t, registry, tt.opts...)
		count := func() int {
			n := 0
			for _, family := range families(t, registry) {
				var text strings.Builder
				if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(text.String()) {
					if !strings.HasPrefix(line, "#") {
						n++
					}
				}
			}
			return n
		}
		before := count()
		p := stages.Must(stages.NewPipeline("orders", stages.WithObserver(m)))
		for i := range 20 {
			stages.Must(p.Stage("stage " + strconv.Itoa(i)))
		}
		if got := count() - before; got != 20*tt.want {
			t.Errorf("%s: 20 idle stages cost %d series, want %d", name, got, 20*tt.want)
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "An idle stage costs 23 series") {
		t.Error("doc.go does not state the cost of a stage")
	}
}

// The run of a whole pipeline counts what its function counts, and not what the
// stages in it count.
func TestMetrics_WholeRunDoesNotSumItsStages(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	p := stages.Must(stages.NewPipeline("orders", stages.WithObserver(mustNew(t, registry))))
	load := stages.Must(p.Stage("load"))
	_ = p.Run(t.Context(), func(ctx context.Context) error {
		return load.Run(ctx, func(ctx context.Context) error { stages.FromContext(ctx).Wrote(3); return nil })
	})
	if diff := cmp.Diff([]string{`etl_rows_processed_total{pipeline="orders",source="",stage="load"} 3`}, lines(t, registry, "etl_rows")); diff != "" {
		t.Errorf("rows (-want +got)\n%s", diff)
	}
}

func TestMetrics_Buckets(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts            []metrics.Option
		classic, native bool
	}{
		"default":      {nil, true, true},
		"native only":  {[]metrics.Option{metrics.WithoutClassicBuckets()}, false, true},
		"classic only": {[]metrics.Option{metrics.WithoutNativeHistograms()}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prometheus.NewPedanticRegistry()
			everything(t, mustNew(t, registry, tt.opts...))
			for _, metric := range families(t, registry)["etl_processing_seconds"].GetMetric() {
				histogram := metric.GetHistogram()
				if got := len(histogram.GetBucket()) != 0; got != tt.classic {
					t.Errorf("classic buckets: %v", got)
				}
				if got := histogram.Schema != nil; got != tt.native {
					t.Errorf("native buckets: %v", got)
				}
				if tt.classic {
					bounds := histogram.GetBucket()
					if bounds[0].GetUpperBound() != 0.001 || bounds[len(bounds)-1].GetUpperBound() != 3600 {
						t.Errorf("bounds: %v", bounds)
					}
				}
				// A bucket is at most a tenth wider than the one before.
				if tt.native && histogram.GetSchema() != 3 {
					t.Errorf("schema %d", histogram.GetSchema())
				}
			}
		})
	}
}

func TestMetrics_Timestamps(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	gauge := func(name string) (float64, bool) {
		family := families(t, registry)[name]
		if family == nil {
			return 0, false
		}
		return family.GetMetric()[0].GetGauge().GetValue(), true
	}
	before := float64(time.Now().Unix())
	_ = s.Run(t.Context(), func(context.Context) error { return errBoom })
	if last, _ := gauge("etl_last_run_timestamp_seconds"); last < before {
		t.Errorf("last run at %v", last)
	}
	if last, exists := gauge("etl_last_success_timestamp_seconds"); exists {
		t.Errorf("last success at %v", last)
	}
	_ = s.Run(t.Context(), func(context.Context) error { return nil })
	if last, _ := gauge("etl_last_success_timestamp_seconds"); last < before {
		t.Errorf("last success at %v", last)
	}
}

// The latest watermark is kept, whatever the order.
func TestMetrics_WatermarkNeverGoesBack(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	_ = s.Run(t.Context(), func(ctx context.Context) error {
		stages.FromContext(ctx).Watermark(time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC))
		return nil
	})
	if got := families(t, registry)["etl_watermark_timestamp_seconds"].GetMetric()[0].GetGauge().GetValue(); got >= 0 {
		t.Errorf("watermark before 1970 = %v", got)
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			_ = s.Run(t.Context(), func(ctx context.Context) error {
				stages.FromContext(ctx).Watermark(watermark.Add(-time.Duration(i) * time.Second))
				return nil
			})
		})
	}
	all.Wait()
	if got := families(t, registry)["etl_watermark_timestamp_seconds"].GetMetric()[0].GetGauge().GetValue(); got != 1_700_000_000.5 {
		t.Errorf("watermark = %v", got)
	}
}

func TestMetrics_MemoryIsReadWhenScraped(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	mustNew(t, registry)
	got := families(t, registry)["etl_memory_bytes"].GetMetric()[0].GetGauge().GetValue()
	for name, bytes := range map[string]float64{"gauge": got, "elsewhere": metrics.HeldBytes()} {
		if bytes < 1<<20 || bytes > 1<<40 {
			t.Errorf("%s: %v bytes", name, bytes)
		}
	}
}

func TestMetrics_InFlight(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	value := func() float64 { return families(t, registry)["etl_in_flight"].GetMetric()[0].GetGauge().GetValue() }
	_ = s.Run(t.Context(), func(context.Context) error {
		if got := value(); got != 1 {
			t.Errorf("%v in flight", got)
		}
		return nil
	})
	if got := value(); got != 0 {
		t.Errorf("%v in flight", got)
	}
}

// Whatever way runs end, none stays in flight.
func TestMetrics_InFlightWhateverWayRunsEnd(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelExpired()
	all := []struct {
		ctx context.Context //nolint:containedctx // A row of a table.
		fn  func(context.Context) error
	}{
		{t.Context(), func(context.Context) error { return nil }},
		{t.Context(), func(context.Context) error { return errBoom }},
		{t.Context(), func(context.Context) error { panic(errBoom) }},
		{t.Context(), func(context.Context) error { runtime.Goexit(); return nil }},
		{canceled, func(ctx context.Context) error { return ctx.Err() }},
		{expired, func(ctx context.Context) error { return ctx.Err() }},
	}
	var runs, started sync.WaitGroup
	start := make(chan struct{})
	for i := range 1002 {
		started.Add(1)
		runs.Go(func() {
			defer func() { _ = recover() }()
			_ = s.Run(all[i%len(all)].ctx, func(ctx context.Context) error {
				started.Done()
				<-start
				return all[i%len(all)].fn(ctx)
			})
		})
	}
	started.Wait()
	if diff := cmp.Diff([]string{`etl_in_flight{pipeline="orders",stage="load"} 1002`}, lines(t, registry, "etl_in_flight")); diff != "" {
		t.Errorf("runs in flight (-want +got)\n%s", diff)
	}
	close(start)
	runs.Wait()
	if diff := cmp.Diff([]string{
		`etl_in_flight{pipeline="orders",stage="load"} 0`,
		`etl_processing_seconds_count{outcome="cancelled",pipeline="orders",stage="load"} 334`,
		`etl_processing_seconds_count{outcome="failure",pipeline="orders",stage="load"} 167`,
		`etl_processing_seconds_count{outcome="panic",pipeline="orders",stage="load"} 167`,
		`etl_processing_seconds_count{outcome="success",pipeline="orders",stage="load"} 167`,
		`etl_processing_seconds_count{outcome="timeout",pipeline="orders",stage="load"} 167`,
	}, lines(t, registry, "etl_in_flight", "etl_processing_seconds_count")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

func TestMetrics_StagesOfOneNameShareTheirSeries(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	everything(t, m)
	everything(t, m)
	series := families(t, registry)["etl_rows_read_total"].GetMetric()
	if len(series) != 1 || series[0].GetCounter().GetValue() != 6 {
		t.Errorf("series: %v", series)
	}
}

// Whatever happens at once, nothing is lost.
func TestMetrics_ConcurrentUse(t *testing.T) {
	t.Parallel()
	const workers = 128
	registry := prometheus.NewPedanticRegistry()
	m := mustNew(t, registry)
	ctx := inSpan(t.Context(), trace.FlagsSampled)
	ends := []func(context.Context) error{
		func(ctx context.Context) error { stages.FromContext(ctx).Wrote(2); return nil },
		func(context.Context) error { return errBoom },
		func(context.Context) error { return stages.Reject(errBoom, "boom") },
		func(context.Context) error { panic(errBoom) },
	}
	var all sync.WaitGroup
	for worker := range workers {
		all.Go(func() {
			defer func() { _ = recover() }()
			m.Arrived(ctx, observe.Arrival{System: observe.SystemKafka, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
			m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: "orders", Messages: 1, Outcome: observe.Outcome(worker % observe.Outcomes)})
			if worker%16 == 0 {
				families(t, registry)
			}
			_ = newStage(t, m).Run(ctx, ends[worker%len(ends)])
		})
	}
	all.Wait()
	if diff := cmp.Diff([]string{
		`etl_end_to_end_seconds_count{destination="orders",pipeline="",stage=""} 128`,
		`etl_errors_total{error_type="*errors.errorString",pipeline="orders",stage="load"} 32`,
		`etl_errors_total{error_type="panic",pipeline="orders",stage="load"} 32`,
		`etl_hop_seconds_count{carrier="kafka",destination="orders",pipeline="",stage=""} 128`,
		`etl_in_flight{pipeline="orders",stage="load"} 0`,
		`etl_mongodb_documents_total{collection="orders",outcome="cancelled"} 25`,
		`etl_mongodb_documents_total{collection="orders",outcome="failure"} 26`,
		`etl_mongodb_documents_total{collection="orders",outcome="panic"} 25`,
		`etl_mongodb_documents_total{collection="orders",outcome="success"} 26`,
		`etl_mongodb_documents_total{collection="orders",outcome="timeout"} 26`,
		`etl_processing_seconds_count{outcome="failure",pipeline="orders",stage="load"} 32`,
		`etl_processing_seconds_count{outcome="panic",pipeline="orders",stage="load"} 32`,
		`etl_processing_seconds_count{outcome="success",pipeline="orders",stage="load"} 64`,
		`etl_rows_processed_total{pipeline="orders",source="",stage="load"} 64`,
		`etl_rows_rejected_total{pipeline="orders",reason="boom",stage="load"} 32`,
	}, lines(t, registry, "etl_rows", "etl_errors", "etl_in_flight", "etl_mongodb_documents", "etl_processing_seconds_count", "etl_hop_seconds_count", "etl_end_to_end_seconds_count")); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// A cancellation is on its series, and no error.
func TestMetrics_CancellationIsNotAnError(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	s := newStage(t, mustNew(t, registry))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Run(ctx, func(ctx context.Context) error { return ctx.Err() })
	if diff := cmp.Diff([]string{
		`etl_processing_seconds_count{outcome="cancelled",pipeline="orders",stage="load"} 1`,
	}, lines(t, registry, "etl_errors", `etl_processing_seconds_count{outcome="cancelled"`)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}
