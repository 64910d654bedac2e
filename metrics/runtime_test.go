// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/waybill-go/waybill/metrics"
)

// A family of each collector of client_golang that exists on every system.
const (
	goFamily      = "go_goroutines"
	processFamily = "process_start_time_seconds"
)

// runtimeSeries returns the series of the two families.
func runtimeSeries(t testing.TB, gatherer prometheus.Gatherer) []string {
	t.Helper()
	var found []string
	for _, line := range lines(t, gatherer, goFamily, processFamily) {
		name, _, _ := strings.Cut(line, " ")
		found = append(found, name)
	}
	return found
}

func TestNew_RuntimeCollectors(t *testing.T) {
	t.Parallel()
	plain := func() prometheus.Registerer { return prometheus.NewPedanticRegistry() }
	with := func(theirs ...prometheus.Collector) func() prometheus.Registerer {
		return func() prometheus.Registerer {
			registry := prometheus.NewPedanticRegistry()
			registry.MustRegister(theirs...)
			return registry
		}
	}
	both := []metrics.Option{metrics.WithGoCollector(), metrics.WithProcessCollector(), metrics.WithNamespace("flow")}
	labeled := append(slices.Clip(both), metrics.WithConstLabels(map[string]string{"team": "data"}))
	detailed := collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile("/sched/.*")}))
	for _, tt := range []struct {
		name     string
		registry func() prometheus.Registerer
		opts     []metrics.Option
		want     []string
	}{
		{name: "default", registry: plain},
		{name: "Go", registry: plain, opts: both[:1], want: []string{goFamily}},
		{name: "process", registry: plain, opts: both[1:2], want: []string{processFamily}},
		{name: "both", registry: plain, opts: both, want: []string{goFamily, processFamily}},
		{name: "constant labels", registry: plain, opts: labeled, want: []string{goFamily + `{team="data"}`, processFamily + `{team="data"}`}},
		{
			name: "both are there", opts: both, want: []string{goFamily, processFamily},
			registry: with(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		},
		{name: "one is there", registry: with(collectors.NewGoCollector()), opts: both, want: []string{goFamily, processFamily}},
		{name: "one of other options is there", registry: with(detailed), opts: both, want: []string{goFamily, processFamily}},
		{name: "one without the constant labels is there", registry: with(collectors.NewGoCollector()), opts: labeled, want: []string{goFamily, processFamily + `{team="data"}`}},
		{
			name: "a metric of theirs has the name", opts: both, want: []string{goFamily + `{x="y"}`, processFamily},
			registry: with(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: goFamily, Help: "x", ConstLabels: prometheus.Labels{"x": "y"}}, func() float64 { return 1 })),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			registry := tt.registry()
			gatherer, _ := registry.(prometheus.Gatherer)
			first, second := mustNew(t, registry, tt.opts...), mustNew(t, registry, tt.opts...)
			if first != second {
				t.Error("two sets for equal options")
			}
			if diff := cmp.Diff(tt.want, runtimeSeries(t, gatherer)); diff != "" {
				t.Errorf("series (-want +got)\n%s", diff)
			}
		})
	}
}

func TestNew_RuntimeCollectorsOfAWrappedRegisterer(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	wrapped := prometheus.WrapRegistererWith(prometheus.Labels{"app": "a"}, registry)
	mustNew(t, wrapped, metrics.WithGoCollector(), metrics.WithProcessCollector())
	if diff := cmp.Diff([]string{goFamily, processFamily + `{app="a"}`}, runtimeSeries(t, registry)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// The default registry has both from the start.
func TestNew_RuntimeCollectorsOfTheDefaultRegistry(t *testing.T) {
	t.Parallel()
	m := mustNew(t, prometheus.DefaultRegisterer, metrics.WithNamespace("of_the_default_registry"), metrics.WithGoCollector(), metrics.WithProcessCollector())
	defer prometheus.Unregister(m)
	if diff := cmp.Diff([]string{goFamily, processFamily}, runtimeSeries(t, prometheus.DefaultGatherer)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

func TestNew_RuntimeCollectorsWithoutARegisterer(t *testing.T) {
	t.Parallel()
	m := mustNew(t, nil, metrics.WithGoCollector(), metrics.WithProcessCollector())
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	if diff := cmp.Diff([]string{goFamily, processFamily}, runtimeSeries(t, registry)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// Parts of a program share their metrics, whichever asks for those of the runtime.
func TestNew_RuntimeCollectorsAskedForByOnePart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			var opts []metrics.Option
			if i%2 == 0 {
				opts = []metrics.Option{metrics.WithGoCollector(), metrics.WithProcessCollector()}
			}
			if _, err := metrics.New(registry, opts...); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff([]string{goFamily, processFamily}, runtimeSeries(t, registry)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// Close ends all that was registered for the parts that share their metrics.
func TestMetrics_CloseRemovesRuntimeCollectorsOfEachPart(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	first := mustNew(t, registry)
	mustNew(t, registry, metrics.WithGoCollector())
	mustNew(t, registry, metrics.WithProcessCollector())
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if got := families(t, registry); len(got) != 0 {
		t.Errorf("left behind: %v", slices.Collect(maps.Keys(got)))
	}
}

// If the metrics of the runtime cannot be registered, nothing is.
func TestNew_RuntimeCollectorsThatAreInvalid(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	// The metric go_info has this label.
	opts := []metrics.Option{metrics.WithProcessCollector(), metrics.WithGoCollector(), metrics.WithConstLabels(map[string]string{"version": "1"})}
	if m, err := metrics.New(registry, opts...); m != nil || err == nil || errors.Is(err, metrics.ErrConflict) || !strings.Contains(err.Error(), "go_info") {
		t.Errorf("New = %v, %v, want an error about go_info, and no conflict", m, err)
	}
	if got := families(t, registry); len(got) != 0 {
		t.Errorf("left behind: %v", slices.Collect(maps.Keys(got)))
	}
	mustNew(t, registry)
}

// If our metrics cannot be registered, those of the runtime are not either.
func TestNew_RuntimeCollectorsOfMetricsInConflict(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "etl_retries_total", Help: "x"}), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if m, err := metrics.New(registry, metrics.WithGoCollector(), metrics.WithProcessCollector()); m != nil || !errors.Is(err, metrics.ErrConflict) {
		t.Errorf("New = %v, %v, want a conflict", m, err)
	}
	if diff := cmp.Diff([]string{processFamily}, runtimeSeries(t, registry)); diff != "" {
		t.Errorf("series (-want +got)\n%s", diff)
	}
}

// A registerer that panics for the metrics of the runtime costs an error, no more.
func TestNew_RuntimeCollectorsHostileRegisterer(t *testing.T) {
	t.Parallel()
	registerer := registererFunc(func(c prometheus.Collector) error {
		if _, isOurs := c.(*metrics.Metrics); !isOurs {
			panic(errBoom)
		}
		return nil
	})
	if m, err := metrics.New(registerer, metrics.WithGoCollector()); m != nil || !errors.Is(err, errBoom) {
		t.Errorf("New = %v, %v, want the panic as an error", m, err)
	}
}
