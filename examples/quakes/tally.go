// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// tally adds up the metrics of all processes, as a query of Prometheus does.
type tally map[string][]*dto.Metric

func newTally(gatherer prometheus.Gatherer) tally {
	t := tally{}
	families, _ := gatherer.Gather() // local.Pushes never fails.
	for _, family := range families {
		t[family.GetName()] = family.GetMetric()
	}
	return t
}

// read returns the number of rows that all processes of a stage have read.
func (t tally) read(stage string) int {
	return t.sum("etl_rows_read_total", map[string]string{"stage": stage})
}

// wrote returns the number of rows that a stage has written.
func (t tally) wrote(stage string) int {
	return t.sum("etl_rows_processed_total", map[string]string{"stage": stage})
}

// rejected returns the number of rows that a stage has rejected, by reason.
func (t tally) rejected(stage string) map[string]int {
	return t.by("etl_rows_rejected_total", "reason", map[string]string{"stage": stage})
}

// runs returns the number of successful runs of a stage.
func (t tally) runs(stage string) int {
	runs := 0
	for _, metric := range t.series("etl_processing_seconds", map[string]string{"stage": stage, "outcome": "success"}) {
		runs += int(metric.GetHistogram().GetSampleCount())
	}
	return runs
}

// sum adds up the series of a counter that have the labels.
func (t tally) sum(name string, labels map[string]string) int {
	total := 0.0
	for _, metric := range t.series(name, labels) {
		total += metric.GetCounter().GetValue()
	}
	return int(total)
}

// by is sum for each value of one more label. Values with 0 are left out.
func (t tally) by(name, label string, labels map[string]string) map[string]int {
	sums := map[string]int{}
	for _, metric := range t.series(name, labels) {
		if n := int(metric.GetCounter().GetValue()); n > 0 {
			sums[valueOf(metric, label)] += n
		}
	}
	return sums
}

// series returns the series of a metric that have the labels.
func (t tally) series(name string, labels map[string]string) []*dto.Metric {
	var series []*dto.Metric
	for _, metric := range t[name] {
		matches := true
		for label, value := range labels {
			matches = matches && valueOf(metric, label) == value
		}
		if matches {
			series = append(series, metric)
		}
	}
	return series
}

func valueOf(metric *dto.Metric, label string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == label {
			return pair.GetValue()
		}
	}
	return ""
}

// quantiles estimates the quantiles qs of the native histograms that have the labels,
// as histogram_quantile does, with an error of at most a tenth. It returns nil if
// nothing was observed.
func (t tally) quantiles(name string, labels map[string]string, qs ...float64) []time.Duration {
	buckets := map[float64]uint64{} // The number of observations by upper bound.
	var total uint64
	for _, metric := range t.series(name, labels) {
		total += metric.GetHistogram().GetSampleCount()
		addBuckets(buckets, metric.GetHistogram())
	}
	if total == 0 {
		return nil
	}
	bounds := slices.Sorted(maps.Keys(buckets))
	var quantiles []time.Duration
	for _, q := range qs {
		rank, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
		for _, bound := range bounds {
			if seen += buckets[bound]; seen >= rank {
				quantiles = append(quantiles, time.Duration(bound*float64(time.Second)))
				break
			}
		}
	}
	return quantiles
}

// addBuckets adds the buckets of a native histogram of durations. Bucket i ends at
// 2^(i/2^schema), and has the difference of its number of observations from the
// number of the bucket before.
// https://prometheus.io/docs/specs/native_histograms/
//
// A client without native histograms, as the one of Python, has one observation in each
// process here, which is the sum.
func addBuckets(buckets map[float64]uint64, h *dto.Histogram) {
	if n := h.GetSampleCount(); n > 0 && h.Schema == nil {
		buckets[h.GetSampleSum()/float64(n)] += n
	}
	if h.GetZeroCount() > 0 {
		buckets[0] += h.GetZeroCount()
	}
	index, delta, count := int32(0), 0, int64(0)
	for _, span := range h.GetPositiveSpan() {
		index += span.GetOffset()
		for range span.GetLength() {
			count += h.GetPositiveDelta()[delta]
			buckets[math.Exp2(float64(index)/math.Exp2(float64(h.GetSchema())))] += uint64(count)
			index++
			delta++
		}
	}
}
