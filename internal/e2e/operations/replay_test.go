// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// stretch is how much slower a recording is replayed. A sample a second becomes
// one every 45 seconds, and two minutes become an hour and a half.
const stretch = 45

// record returns the samples of the series with the given labels since start.
func (p *prometheus) record(t *testing.T, start time.Time, selectors ...string) model.Matrix {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	now := time.Now()
	var all model.Matrix
	for _, s := range selectors {
		value, _, _, err := p.api.Query(ctx, fmt.Sprintf("%s[%ds]", s, int(now.Sub(start).Seconds())), now)
		if err != nil {
			t.Fatal(err)
		}
		matrix, ok := value.(model.Matrix)
		if !ok || len(matrix) == 0 {
			t.Fatalf("there is no recording of %s", s)
		}
		all = append(all, matrix...)
	}
	return all
}

// replay evaluates the rules over a recording that is stretched, and returns the
// alerts that fire, as promtool prints them.
func replay(t *testing.T, rules string, recording model.Matrix, start time.Time) (output string, length time.Duration) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "waybill.rules.yaml"), rules)
	steps := 0
	var input strings.Builder
	for _, series := range recording {
		values := notation(series, start)
		steps = max(steps, len(values))
		fmt.Fprintf(&input, "  - {series: %s, values: %q}\n", strconv.Quote(series.Metric.String()), strings.Join(values, " "))
	}
	step := stretch * interval
	length = time.Duration(steps) * step
	write(t, filepath.Join(dir, "replay.yaml"), fmt.Sprintf(`
rule_files: [waybill.rules.yaml]
evaluation_interval: %[1]s
tests:
- interval: %[1]s
  input_series:
%[2]s
  promql_expr_test:
  - expr: count by (alertname, severity, pipeline, stage, topic, group) (count_over_time(ALERTS{alertstate="firing"}[%[3]s]))
    eval_time: %[3]s
    exp_samples: []
`, step, input.String(), length))
	output, err := server.Promtool(t, dir, "", "test", "rules", "replay.yaml")
	if (err != nil) != strings.Contains(output, "FAILED") {
		t.Fatalf("promtool ended with %v:\n%s", err, output)
	}
	if err == nil {
		return "", length
	}
	return output, length
}

// notation returns the samples of a series as promtool reads them, one for each
// step since start. A scrape that failed ends a series until the next one.
func notation(series *model.SampleStream, start time.Time) []string {
	var values []string
	isTime := strings.HasSuffix(string(series.Metric["__name__"]), "_timestamp_seconds")
	for _, sample := range series.Values {
		step := int(math.Round(sample.Timestamp.Time().Sub(start).Seconds() / interval.Seconds()))
		if step < len(values) {
			continue // Two scrapes in one step.
		}
		if missing := step - len(values); missing > 0 && len(values) > 0 {
			values = append(values, "stale")
		}
		for len(values) < step {
			values = append(values, "_")
		}
		value := float64(sample.Value)
		if isTime {
			value = (value - float64(start.UnixMilli())/1000) * stretch
		}
		values = append(values, strconv.FormatFloat(value, 'f', -1, 64))
	}
	return values
}

var alertName = regexp.MustCompile(`alertname="(\w+)"`)

// alertsIn returns the names of the alerts in the output of promtool.
func alertsIn(output string) []string {
	var names []string
	for _, m := range alertName.FindAllStringSubmatch(output, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}
