// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/internal/flow"
)

// stageNames are the stages in the order of the flow.
var stageNames = []struct{ service, stage string }{
	{"ingest", "extract"},
	{"ingest", "publish"},
	{"clean", "transform"},
	{"clean", "validate"},
	{"clean", "load"},
	{"dispatch", "dispatch"},
	{"assess", "summarise"},
	{"report", "write"},
}

// tellResult writes the flow as a page, prints it and the figures, and checks both.
func (d *demo) tellResult(ctx context.Context) error {
	r := flowOf(d.traces.Received())
	page := filepath.Join(d.out, pageFile)
	if err := r.writePage(page); err != nil {
		return err
	}
	d.printf("\nThe flow as a page: open %s in a browser.\n", d.paint(bold, page))
	d.printf("\nThe flow: %s\n\n", d.paint(bold, r.summary()))
	d.print(d.paintTree(d.tree(r)) + "\n")
	checks := d.tellFound
	if d.fault.name == "" {
		checks = d.tellFigures
	}
	checked := checks(ctx, r)
	written := os.WriteFile(filepath.Join(d.out, flowFile), []byte(r.diagnosis.Tree(r.graph, 0)), 0o644)
	if err := errors.Join(d.writeMetrics(), written, d.traces.Err()); err != nil {
		return err
	}
	d.tellFiles()
	return checked
}

// tree draws the flow, and cuts it only for a screen, as waybill tree does.
func (c *console) tree(r recorded) string {
	if !c.wrap {
		return r.diagnosis.Tree(r.graph, 0)
	}
	return r.diagnosis.TreeIn(r.graph, c.width)
}

// tellFigures prints the figures of the run, and checks them and the flow.
func (d *demo) tellFigures(ctx context.Context, r recorded) error {
	t := newTally(d.pushes)
	d.tellTraces(r.graph)
	d.print(d.table(t) + "\n")
	d.tellRejected(t)
	return errors.Join(d.tellState(ctx, t), d.check(ctx, t, r))
}

// maxFindings is the number of findings that are printed.
const maxFindings = 5

// tellFound prints what is wrong with the flow, and checks that it is the fault that was
// planted.
func (d *demo) tellFound(_ context.Context, r recorded) error {
	d.printf("What waybill doctor says of that:\n\n")
	found := r.findings()
	d.printf("%s", describe(found[:min(len(found), maxFindings)]))
	if left := len(found) - maxFindings; left > 0 {
		d.printf("and %s\n", plural(left, "more finding"))
	}
	if !slices.ContainsFunc(found, func(f flow.Finding) bool { return d.fault.is(f, r.graph) }) {
		return fmt.Errorf("waybill doctor does not find the fault %s: want %s of %q", d.fault.name, d.fault.id, d.fault.to)
	}
	d.printf("\nFound: %s is the fault that was planted, %s. See %s.\n", d.fault.id, d.fault.mistake, d.fault.place)
	return nil
}

// maxTraces is the number of traces that are listed.
const maxTraces = 10

// tellTraces prints the trace ids, to look them up in a trace backend.
func (d *demo) tellTraces(graph *flow.Graph) {
	traces := tracesOf(graph)
	d.printf("Its traces, by their ids:\n")
	for _, t := range traces[:min(len(traces), maxTraces)] {
		d.printf("  %s  %s, from %s\n", t.id, plural(t.spans, "span"), t.first)
	}
	if left := len(traces) - maxTraces; left > 0 {
		d.printf("  and %s more\n", flow.Count(left))
	}
	d.printf("\n")
}

// table returns the metrics of each stage as a table.
func (d *demo) table(t tally) string {
	rows := [][]string{
		{"", "", "rows", "rows", "", "time", "time", "end to", "in"},
		{"service", "stage", "in", "out", "rejected", "p50", "p95", "end p95", "queue p95"},
	}
	for i, s := range stageNames {
		labels := map[string]string{"stage": s.stage}
		took := t.quantiles("etl_processing_seconds", labels, 0.5, 0.95)
		age := t.quantiles("etl_end_to_end_seconds", labels, 0.95)
		var queued []time.Duration
		if i == 0 || stageNames[i-1].service != s.service { // The first stage of a service follows the queue.
			queued = t.quantiles("etl_hop_seconds", map[string]string{"job": s.service}, 0.95)
		}
		rows = append(rows, []string{
			s.service, s.stage, count(t.read(s.stage)), count(t.wrote(s.stage)), count(sumOf(t.rejected(s.stage))),
			at(took, 0), at(took, 1), at(age, 0), at(queued, 0),
		})
	}
	lines := strings.SplitAfterN(layOut(rows), "\n", 3)
	return d.paint(bold, strings.TrimSuffix(lines[0], "\n")) + "\n" + d.paint(bold, strings.TrimSuffix(lines[1], "\n")) + "\n" + lines[2]
}

// tellRejected prints why events were rejected.
func (d *demo) tellRejected(t tally) {
	rejected := t.rejected("transform")
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(rejected)) {
		reasons = append(reasons, flow.Count(rejected[reason])+" "+reason)
	}
	d.printf("Rejected and forwarded to %s: %s.\n\n", topicRejected, strings.Join(reasons, ", "))
}

// serveOn continues to serve the metrics, if --metrics was given, and the page of --view,
// until Ctrl-C.
func (d *demo) serveOn(ctx context.Context) {
	var served []string
	if d.shown != nil && d.shown.page != "" {
		served = append(served, "The flow is still shown at "+d.shown.page)
	}
	if d.served != nil {
		served = append(served, "The metrics are still served at http://"+reachable(d.served.Addr())+"/metrics")
	}
	if len(served) == 0 {
		return
	}
	d.printf("%s. Ctrl-C ends that.\n", strings.Join(served, ". "))
	select {
	case <-ctx.Done():
	case <-d.shown.gone():
	}
}

// reachable returns addr with the loopback address if it has no host, as ":8000".
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
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

// tellFiles prints where everything is.
func (d *demo) tellFiles() {
	d.printf("\nIn %s there are\n", d.out)
	for _, f := range [][2]string{
		{pageFile, "the flow as a page"},
		{spansFile, "the spans, in OTLP JSON, for waybill doctor, report and view"},
		{metricsFile, "the metrics, in the format of Prometheus"},
		{flowFile, "the flow as text"},
		{reportsDirectory + "/", "the reports"},
		{logsDirectory + "/", "what each process logged"},
	} {
		d.printf("  %-12s %s\n", f[0], f[1])
	}
	d.printf("\nIt took %s.\n", time.Since(d.began).Round(100*time.Millisecond))
}
