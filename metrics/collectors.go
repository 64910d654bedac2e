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

// collectors are all metrics of one [Metrics].
type collectors struct {
	processing, endToEnd, hop, rowAge, batchRows, queueWait *prometheus.HistogramVec

	rowsRead, rowsProcessed, rowsRejected, checks, bytes, errors, retries, downstream *prometheus.CounterVec

	inFlight, lastRun, lastSuccess, watermark *prometheus.GaugeVec

	queues  *queues
	kafka   kafkaSeries
	mongodb mongoSeries

	labelOverflow, dropped *prometheus.CounterVec

	all []prometheus.Collector
}

func newCollectors(c config) *collectors {
	s := &collectors{}
	s.processing = s.histogram(c, series.Processing)
	s.endToEnd = s.histogram(c, series.EndToEnd)
	s.hop = s.histogram(c, series.Hop)
	s.rowAge = s.histogram(c, series.RowAge)
	s.batchRows = s.histogram(c, series.BatchRows)
	s.queueWait = s.histogram(c, series.QueueWait)
	s.rowsRead = s.counter(c, series.RowsRead)
	s.rowsProcessed = s.counter(c, series.RowsProcessed)
	s.rowsRejected = s.counter(c, series.RowsRejected)
	s.checks = s.counter(c, series.Checks)
	s.bytes = s.counter(c, series.Bytes)
	s.errors = s.counter(c, series.Errors)
	s.retries = s.counter(c, series.Retries)
	s.downstream = s.counter(c, series.Downstream)
	s.inFlight = s.gauge(c, series.InFlight)
	s.lastRun = s.gauge(c, series.LastRun)
	s.lastSuccess = s.gauge(c, series.LastSuccess)
	s.watermark = s.gauge(c, series.Watermark)
	s.queues = keep(s, newQueues(c))
	s.kafka = newKafkaSeries(s, c)
	s.mongodb = newMongoSeries(s, c)
	s.labelOverflow = s.counter(c, series.LabelOverflow)
	s.dropped = s.counter(c, series.Dropped)
	keep(s, newMemory(c))
	keep(s, newMemoryLimit(c))
	return s
}

func (s *collectors) counter(c config, m series.Metric) *prometheus.CounterVec {
	return keep(s, prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.name(m), Help: m.Help, ConstLabels: c.constLabels}, m.Labels))
}

func (s *collectors) gauge(c config, m series.Metric) *prometheus.GaugeVec {
	return keep(s, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: c.name(m), Help: m.Help, ConstLabels: c.constLabels}, m.Labels))
}

func (s *collectors) histogram(c config, m series.Metric) *prometheus.HistogramVec {
	return keep(s, prometheus.NewHistogramVec(c.histogram(m), m.Labels))
}

func (c config) desc(m series.Metric) *prometheus.Desc {
	return prometheus.NewDesc(c.name(m), m.Help, m.Labels, c.constLabels)
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
