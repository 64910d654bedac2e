// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

const (
	// The native histogram has buckets at most a tenth wider than the one
	// before, and when it has too many it is reset, or made coarser if the last
	// reset was less than an hour ago.
	nativeBucketFactor = 1.1
	nativeMaxBuckets   = 160
	nativeMinReset     = time.Hour
)

// collectors is the [backend] for Prometheus.
type collectors struct {
	config     config
	counters   map[string]*prometheus.CounterVec // By the name of the metric; read only, as are the others.
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec

	all   []prometheus.Collector
	reads []func(put)
}

var (
	_ backend              = (*collectors)(nil)
	_ prometheus.Collector = (*collectors)(nil)
)

func newCollectors(c config) *collectors {
	s := &collectors{
		config:     c,
		counters:   map[string]*prometheus.CounterVec{},
		gauges:     map[string]*prometheus.GaugeVec{},
		histograms: map[string]*prometheus.HistogramVec{},
	}
	for _, m := range series.All() {
		opts := prometheus.Opts{Name: c.name(m), Help: m.Help, ConstLabels: c.constLabels}
		switch m.Kind {
		case series.Counter:
			s.counters[m.Name] = keep(s, prometheus.NewCounterVec(prometheus.CounterOpts(opts), m.Labels))
		case series.Gauge:
			s.gauges[m.Name] = keep(s, prometheus.NewGaugeVec(prometheus.GaugeOpts(opts), m.Labels))
		case series.Histogram:
			s.histograms[m.Name] = keep(s, prometheus.NewHistogramVec(c.histogram(m), m.Labels))
		}
	}
	return s
}

func keep[C prometheus.Collector](s *collectors, collector C) C {
	s.all = append(s.all, collector)
	return collector
}

func (c config) histogram(m series.Metric) prometheus.HistogramOpts {
	opts := prometheus.HistogramOpts{Name: c.name(m), Help: m.Help, ConstLabels: c.constLabels, Buckets: c.bounds(m)}
	if !c.withoutNative {
		opts.NativeHistogramBucketFactor = nativeBucketFactor
		opts.NativeHistogramMaxBucketNumber = nativeMaxBuckets
		opts.NativeHistogramMinResetDuration = nativeMinReset
	}
	return opts
}

func (s *collectors) counter(m series.Metric, values ...string) counter {
	return s.counters[m.Name].WithLabelValues(values...)
}

func (s *collectors) gauge(m series.Metric, values ...string) gauge {
	return s.gauges[m.Name].WithLabelValues(values...)
}

func (s *collectors) histogram(m series.Metric, values ...string) histogram {
	return newExemplarHistogram(s.histograms[m.Name].WithLabelValues(values...), s.config)
}

func (s *collectors) removeGauge(m series.Metric, values ...string) {
	s.gauges[m.Name].DeleteLabelValues(values...)
}

func (s *collectors) collect(read func(put)) { s.reads = append(s.reads, read) }

// Describe implements [prometheus.Collector].
func (s *collectors) Describe(descs chan<- *prometheus.Desc) {
	for _, collector := range s.all {
		collector.Describe(descs)
	}
}

// Collect implements [prometheus.Collector].
func (s *collectors) Collect(metrics chan<- prometheus.Metric) {
	for _, read := range s.reads {
		read(func(m series.Metric, value float64, values ...string) {
			kind := prometheus.GaugeValue
			if m.Kind == series.Counter {
				kind = prometheus.CounterValue
			}
			desc := prometheus.NewDesc(s.config.name(m), m.Help, m.Labels, s.config.constLabels)
			metrics <- prometheus.MustNewConstMetric(desc, kind, value, values...)
		})
	}
	for _, collector := range s.all { // Last, because the functions count what they lose.
		collector.Collect(metrics)
	}
}
