// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/internal/flow"
)

// What the demo leaves in its directory.
const (
	spansFile   = "spans.jsonl"
	metricsFile = "metrics.txt"
	flowFile    = "flow.txt"
)

// stageNames are the stages in the order of the flow.
var stageNames = []struct{ service, stage string }{
	{"ingest", "extract"},
	{"ingest", "publish"},
	{"clean", "transform"},
	{"clean", "load"},
	{"dispatch", "dispatch"},
	{"assess", "summarise"},
	{"report", "write"},
}

// tellResult prints the flow and the figures, and checks both.
func (d *demo) tellResult(ctx context.Context) error {
	t := newTally(d.pushes)
	graph := flowOf(d.traces.Received())
	tree := graph.Tree(0)
	fmt.Printf("\nThe flow: %s\n\n%s\n%s\n", graph.Summary(), tree, d.table(t))
	d.tellRejected(t)
	checks := d.check(ctx, t, graph)
	if err := errors.Join(d.writeMetrics(), os.WriteFile(filepath.Join(d.out, flowFile), []byte(tree), 0o644), d.traces.Err()); err != nil {
		return err
	}
	d.tellFiles()
	return checks
}

// table lays out what the metrics say of each stage.
func (d *demo) table(t tally) string {
	rows := [][]string{
		{"service", "stage", "rows in", "rows out", "rejected", "time p50", "p95", "end to end p95", "in queue p95"},
	}
	for i, s := range stageNames {
		labels := map[string]string{"stage": s.stage}
		took := t.quantiles("etl_processing_seconds", labels, 0.5, 0.95)
		age := t.quantiles("etl_end_to_end_seconds", labels, 0.95)
		var queued []time.Duration
		if i == 0 || stageNames[i-1].service != s.service { // The first stage of a service has what was in the queue.
			queued = t.quantiles("etl_hop_seconds", map[string]string{"job": s.service}, 0.95)
		}
		rows = append(rows, []string{
			s.service, s.stage, count(t.read(s.stage)), count(t.wrote(s.stage)), count(sumOf(t.rejected(s.stage))),
			at(took, 0), at(took, 1), at(age, 0), at(queued, 0),
		})
	}
	return layOut(rows)
}

// tellRejected says why events were rejected.
func (d *demo) tellRejected(t tally) {
	rejected := t.rejected("transform")
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(rejected)) {
		reasons = append(reasons, flow.Count(rejected[reason])+" "+reason)
	}
	fmt.Printf("Rejected and forwarded to %s: %s.\n", topicRejected, strings.Join(reasons, ", "))
}

// serveOn serves the metrics on until Ctrl-C, if they are served at all.
func (d *demo) serveOn(ctx context.Context) {
	if d.served != nil {
		fmt.Printf("The metrics are still served at http://%s/metrics. Ctrl-C ends that.\n", d.served.Addr())
		<-ctx.Done()
	}
}

// writeMetrics writes the metrics of all processes to a file.
func (d *demo) writeMetrics() error {
	families, err := d.pushes.Gather()
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(d.out, metricsFile))
	if err != nil {
		return err
	}
	for _, family := range families {
		_, err = expfmt.MetricFamilyToText(file, family)
		if err != nil {
			break
		}
	}
	return errors.Join(err, file.Close())
}

// tellFiles says where everything is.
func (d *demo) tellFiles() {
	fmt.Printf("\nIn %s there are\n", d.out)
	for _, f := range [][2]string{
		{spansFile, "the spans, in OTLP JSON"},
		{metricsFile, "the metrics, in the format of Prometheus"},
		{flowFile, "the flow above"},
		{"reports/", "the reports"},
		{"logs/", "what each process logged"},
	} {
		fmt.Printf("  %-12s %s\n", f[0], f[1])
	}
	fmt.Printf("\nIt took %s.\n", time.Since(d.began).Round(100*time.Millisecond))
}
