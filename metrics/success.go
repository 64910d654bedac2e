// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// withoutPartialSuccess leaves the times of the last success out of families
// unless each stage that has started has one.
//
// A Pushgateway replaces a metric with all its series. If a run that failed
// pushed the times of the stages that succeeded, it would erase those of the
// stages that did not.
func withoutPartialSuccess(families []*dto.MetricFamily) []*dto.MetricFamily {
	named := make(map[string]*dto.MetricFamily, len(families))
	for _, family := range families {
		named[family.GetName()] = family
	}
	return slices.DeleteFunc(slices.Clone(families), func(family *dto.MetricFamily) bool {
		prefix, ok := strings.CutSuffix(family.GetName(), lastSuccessTimestamp)
		if !ok {
			return false
		}
		succeeded := map[string]bool{}
		for _, metric := range family.GetMetric() {
			succeeded[seriesKey(metric)] = true
		}
		lacking := func(metric *dto.Metric) bool { return !succeeded[seriesKey(metric)] }
		running := func(metric *dto.Metric) bool { return metric.GetGauge().GetValue() > 0 && lacking(metric) }
		return slices.ContainsFunc(named[prefix+lastRunTimestamp].GetMetric(), lacking) ||
			slices.ContainsFunc(named[prefix+inFlight].GetMetric(), running)
	})
}

// seriesKey tells the series of one metric apart, and joins those of metrics
// with the same labels. A label value is UTF-8, in which 0xff does not occur.
func seriesKey(metric *dto.Metric) string {
	var key strings.Builder
	for _, label := range metric.GetLabel() {
		key.WriteString(label.GetName() + "\xff" + label.GetValue() + "\xff")
	}
	return key.String()
}
