// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/internal/golden"
)

// Names, types and labels are API, and the table in the
// documentation of the package is that API.
func TestGoldenMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	everything(t, mustNew(t, registry))
	rows := make([]string, 0, 16)
	for name, family := range families(t, registry) {
		var labels []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		row := fmt.Sprintf("%s{%s}", name, strings.Join(ordered(labels), ","))
		rows = append(rows, fmt.Sprintf("%-68s %-9s %s", row, strings.ToLower(family.GetType().String()), family.GetHelp()))
	}
	slices.Sort(rows)
	table := strings.ReplaceAll(strings.Join(rows, "\n"), "{} ", "   ") + "\n"
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

// ordered puts the labels that identify a stage first.
func ordered(labels []string) []string {
	slices.SortFunc(labels, func(a, b string) int {
		order := []string{"pipeline", "stage", "group", "operation", "topic", "partition"}
		return cmpIndex(order, a) - cmpIndex(order, b)
	})
	return labels
}

func cmpIndex(order []string, s string) int {
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}
