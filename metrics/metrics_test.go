// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

var watermark = time.UnixMilli(1_700_000_000_500)

// R1.
func TestNilRegistererLeavesTheMetricsUnregistered(t *testing.T) {
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

func TestNilMetricsObserveNothing(t *testing.T) {
	t.Parallel()
	var m *metrics.Metrics
	everything(t, m)
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(m); err != nil {
		t.Fatal(err)
	}
	if got := families(t, registry); len(got) != 0 {
		t.Errorf("collected %v", got)
	}
}

// R2.
func TestSameMetricsTwiceAreOneSet(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	labels := prometheus.Labels{"app": "a"}
	for name, tt := range map[string]struct {
		registerer prometheus.Registerer
		opts       []metrics.Option
	}{
		"plain":           {registry, nil},
		"other namespace": {registry, []metrics.Option{metrics.WithNamespace("x"), metrics.WithBuckets(1, 2), metrics.WithLabelLimit(3), metrics.WithoutExemplars()}},
		"constant labels": {prometheus.NewPedanticRegistry(), []metrics.Option{metrics.WithConstLabels(labels)}},
		"wrapped":         {prometheus.WrapRegistererWith(labels, prometheus.NewPedanticRegistry()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := mustNew(t, tt.registerer, tt.opts...), mustNew(t, tt.registerer, tt.opts...)
			if first != second {
				t.Error("two sets")
			}
			everything(t, first)
			everything(t, second)
		})
	}
}

// R2.
func TestConflictNamesTheMetric(t *testing.T) {
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
			// R3: nothing is left behind.
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

type theirs struct{ prometheus.Collector }

// Other constant labels make another set.
func TestSetsWithOtherConstantLabelsLiveSideBySide(t *testing.T) {
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

// R3.
func TestConcurrentConstructionMakesOneSet(t *testing.T) {
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

// R4.
func TestMetricsAreLintedForAllOptions(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]metrics.Option{
		"default":        {nil},
		"namespace":      {metrics.WithNamespace("warehouse")},
		"labels":         {metrics.WithConstLabels(map[string]string{"team": "data"})},
		"buckets":        {metrics.WithBuckets(0.5, 1)},
		"native only":    {metrics.WithoutClassicBuckets()},
		"classic only":   {metrics.WithoutNativeHistograms()},
		"no exemplars":   {metrics.WithoutExemplars()},
		"limit":          {metrics.WithLabelLimit(1)},
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

// R1, R4.
func TestOptionsThatMakeNoSenseAreErrors(t *testing.T) {
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

func TestOptionsCopyWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	labels, bounds := map[string]string{"app": "a"}, []float64{1, 2}
	withLabels, withBuckets := metrics.WithConstLabels(labels), metrics.WithBuckets(bounds...)
	labels["app"], bounds[0] = "\xff", 9
	mustNew(t, nil, withLabels, withBuckets)
}

// R6.
func TestSeriesExistAtZeroFromTheStart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	newStage(t, mustNew(t, registry), stages.WithSource("orders.raw"))
	got := families(t, registry)

	var seen []string
	for _, metric := range got["etl_processing_seconds"].GetMetric() {
		if metric.GetHistogram().GetSampleCount() != 0 {
			t.Errorf("observed already: %v", metric)
		}
		seen = append(seen, labelsOf(metric)["outcome"])
	}
	slices.Sort(seen)
	if diff := cmp.Diff([]string{"cancelled", "failure", "panic", "success", "timeout"}, seen); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"etl_rows_read_total", "etl_rows_processed_total", "etl_bytes_total", "etl_retries_total", "etl_in_flight", "etl_telemetry_label_overflow_total"} {
		if got[name] == nil {
			t.Errorf("%s does not exist", name)
		}
	}
	// A time that has not come must not look like 1970.
	for _, name := range []string{"etl_last_run_timestamp_seconds", "etl_last_success_timestamp_seconds", "etl_watermark_timestamp_seconds"} {
		if got[name] != nil {
			t.Errorf("%s exists: %v", name, got[name])
		}
	}
}

// R7.
func TestHistogramHasBothKindsOfBuckets(t *testing.T) {
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

// R8.
func TestTimestamps(t *testing.T) {
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

// R20: the latest watermark is kept, whatever the order.
func TestWatermarkNeverGoesBack(t *testing.T) {
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

// R8.
func TestMemoryIsReadWhenScraped(t *testing.T) {
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

// R22.
func TestInFlightIsAGauge(t *testing.T) {
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

func TestStagesOfOneNameShareTheirSeries(t *testing.T) {
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
