// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/metrics"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// Names, types, labels and help texts are API, and the table in the documentation
// of the package is that API.
func TestMetrics_Golden(t *testing.T) {
	t.Parallel()
	rows := make([]string, 0, len(series.All()))
	for _, m := range series.All() {
		name := m.In("etl")
		if len(m.Labels) > 0 {
			name += "{" + strings.Join(m.Labels, ",") + "}"
		}
		rows = append(rows, fmt.Sprintf("%-68s %-9s %s\n", name, kinds[m.Kind], m.Help))
	}
	slices.Sort(rows)
	table := strings.Join(rows, "")
	golden.Compare(t, "metrics.golden", table)

	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var printed []string
	for line := range strings.Lines(string(doc)) {
		if row, ok := strings.CutPrefix(line, "//\tetl_"); ok {
			printed = append(printed, "etl_"+row)
		}
	}
	if diff := cmp.Diff(table, strings.Join(printed, "")); diff != "" {
		t.Errorf("doc.go does not print testdata/metrics.golden (-want +got):\n%s", diff)
	}
}

// kinds are the names that Prometheus has for types.
var kinds = map[series.Kind]string{series.Counter: "counter", series.Gauge: "gauge", series.Histogram: "histogram"}

// What package series names is registered, and nothing else is.
func TestMetrics_RegistersEverySeries(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	everything(t, mustNew(t, registry, metrics.WithNamespace("flow")))
	want, got := map[string]string{}, map[string]string{}
	for _, m := range series.All() {
		want[m.In("flow")] = fmt.Sprint(kinds[m.Kind], slices.Sorted(slices.Values(m.Labels)), m.Help)
	}
	for name, family := range families(t, registry) {
		labels := slices.Sorted(maps.Keys(labelsOf(family.GetMetric()[0])))
		got[name] = fmt.Sprint(strings.ToLower(family.GetType().String()), labels, family.GetHelp())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-named +registered)\n%s", diff)
	}
}

// A label of a metric is refused as a constant label.
func TestMetrics_LabelsAreReserved(t *testing.T) {
	t.Parallel()
	for _, m := range series.All() {
		for _, label := range m.Labels {
			if !slices.Contains(series.Labels[:], label) {
				t.Errorf("series.Labels lacks %q of %s", label, m.Name)
			}
		}
	}
}
