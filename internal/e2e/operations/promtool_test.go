// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/internal/e2e/server"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

func TestMetrics_PassPromtool(t *testing.T) {
	t.Parallel()
	limit := debug.SetMemoryLimit(1 << 40) // Without a limit there is no series for it.
	t.Cleanup(func() { debug.SetMemoryLimit(limit) })
	for name, opts := range map[string][]metrics.Option{
		"default":                   nil,
		"another namespace":         {metrics.WithNamespace("flow")},
		"constant labels":           {metrics.WithConstLabels(map[string]string{"region": "eu"})},
		"without classic buckets":   {metrics.WithoutClassicBuckets()},
		"without native histograms": {metrics.WithoutNativeHistograms()},
		"without partitions":        {metrics.WithoutPartitions()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := prom.NewRegistry()
			m, err := metrics.New(registry, opts...)
			if err != nil {
				t.Fatal(err)
			}
			observeAll(t, m)
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var page bytes.Buffer
			var got []string
			for _, family := range families {
				_, metric, _ := strings.Cut(family.GetName(), "_")
				got = append(got, metric)
				if _, err := expfmt.MetricFamilyToText(&page, family); err != nil {
					t.Fatal(err)
				}
			}
			if want := documented(t); !slices.Equal(got, want) {
				t.Errorf("the registry has the metrics\n%q\nwant\n%q", got, want)
			}
			if output, err := server.Promtool(t, "", page.String(), "check", "metrics"); err != nil || output != "" {
				t.Errorf("promtool check metrics returned %v and printed\n%s", err, output)
			}
		})
	}
}

// documented returns the names of all metrics, without their namespace.
func documented(t *testing.T) []string {
	t.Helper()
	table, err := os.ReadFile(filepath.Join("..", "..", "..", "metrics", "testdata", "metrics.golden"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(table)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(line, "etl_"), " ")
		name, _, _ = strings.Cut(name, "{")
		names = append(names, name)
	}
	return names
}

// observeAll reports each event once.
func observeAll(t *testing.T, m *metrics.Metrics) {
	t.Helper()
	ctx := t.Context()
	stage, ok := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load", Source: "orders"}).(interface {
		observe.RunObserver
		observe.CountObserver
		observe.CheckObserver
		observe.BatchObserver
		observe.QueueObserver
		observe.WatermarkObserver
		observe.RowAgeObserver
		observe.LatencyObserver
		observe.DropObserver
	})
	if !ok {
		t.Fatal("the metrics do not observe everything")
	}
	stage.Started(ctx)
	for kind := observe.CountRead; kind <= observe.CountRetried; kind++ {
		stage.Counted(observe.Count{Kind: kind, N: 1, Reason: "amount"})
	}
	stage.Checked(observe.Check{Name: "amount", Passed: 1, Rejected: 1})
	stage.Batched(ctx, observe.Batch{Rows: 2})
	stage.Queue(queue{})
	stage.Waited(ctx, time.Second)
	stage.Watermark(time.Now())
	stage.RowAge(ctx, time.Second)
	stage.Latency(ctx, observe.Latency{EndToEnd: time.Second})
	stage.Dropped(observe.Drop{Reason: observe.DropSkew})
	stage.Ended(ctx, observe.RunEnd{Outcome: observe.OutcomeFailure, ErrorType: "timeout", Downstream: time.Second})
	stage.Started(ctx)
	stage.Ended(ctx, observe.RunEnd{Outcome: observe.OutcomeSuccess})

	const kafka, topic, group = observe.SystemKafka, "orders", "loaders"
	p := observe.Partition{System: kafka, Group: group, Topic: topic, Reader: 1}
	m.Sent(ctx, observe.Send{System: kafka, Destination: topic, Messages: 1, Bytes: 1})
	m.Fetched(ctx, observe.Fetch{System: kafka, Group: group, Topic: topic, Bytes: 1, Reader: 1})
	m.Arrived(ctx, observe.Arrival{System: kafka, Destination: topic, Hop: time.Second, EndToEnd: time.Second})
	m.Processed(ctx, observe.Process{System: kafka, Destination: topic, Group: group, Messages: 1, Outcome: observe.OutcomeSuccess})
	m.Committed(ctx, observe.Commit{System: kafka, Group: group, Topic: topic, Reader: 1})
	m.Failed(ctx, observe.Failure{System: kafka, Operation: "send", Destination: topic, ErrorType: "timeout"})
	m.Blocked(observe.Block{System: kafka, Operation: "send", Destination: topic, Duration: time.Second})
	m.Queued(observe.Queue{System: kafka, Destination: topic, Change: 1})
	m.Redelivered(p)
	m.Skipped(observe.Gap{Partition: p, Offsets: 1})
	m.Arrived(ctx, observe.Arrival{System: observe.SystemMongoDB, Destination: topic, Hop: time.Second, EndToEnd: time.Second})
	m.Processed(ctx, observe.Process{System: observe.SystemMongoDB, Destination: topic, Messages: 1, Outcome: observe.OutcomeFailure, ErrorType: "timeout"})
}

// queue is a queue in front of a stage.
type queue struct{}

func (queue) Stats() observe.QueueStats {
	return observe.QueueStats{Rows: 1, Capacity: 2, Blocked: time.Second}
}
