// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/otlptranslator"
	prometheusexporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"sigs.k8s.io/yaml"

	"github.com/waybill-go/waybill/examples/internal/program"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	program.Compare(t, program.Output(t), `# HELP etl_errors_total Runs of a stage that ended with a failure, a timeout or a panic.
# TYPE etl_errors_total counter
etl_errors_total{error_type="odd",pipeline="example",stage="half"} 2
# HELP etl_rows_read_total Rows that came into a stage.
# TYPE etl_rows_read_total counter
etl_rows_read_total{pipeline="example",stage="half"} 5
`)
}

// everything lets each metric have a series.
func everything(ctx context.Context, m *metrics.Metrics) {
	const kafka, mongo = observe.SystemKafka, observe.SystemMongoDB
	run, _ := m.Stage(observe.StageID{Pipeline: "orders", Stage: "load", Source: "orders.raw"}).(interface {
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
	run.Started(ctx)
	for kind := observe.CountRead; kind <= observe.CountRetried; kind++ {
		run.Counted(observe.Count{Kind: kind, N: 1, Reason: "no_price"})
	}
	run.Checked(observe.Check{Name: "has_price", Passed: 1})
	run.Batched(ctx, observe.Batch{Rows: 3})
	run.Queue(queue{})
	run.Waited(ctx, time.Second)
	run.Watermark(time.Unix(1_700_000_000, 0))
	run.RowAge(ctx, time.Minute)
	run.Latency(ctx, observe.Latency{EndToEnd: time.Minute})
	run.Dropped(observe.Drop{Reason: observe.DropSkew})
	for _, outcome := range []observe.Outcome{observe.OutcomeSuccess, observe.OutcomeFailure} {
		run.Ended(ctx, observe.RunEnd{Outcome: outcome, ErrorType: "eof", Duration: time.Second, Downstream: time.Second})
		for _, system := range []string{kafka, mongo} {
			m.Processed(ctx, observe.Process{System: system, Destination: "orders", Messages: 1, Duration: time.Second, Outcome: outcome, ErrorType: "eof"})
		}
	}
	m.Sent(ctx, observe.Send{System: kafka, Destination: "orders", Messages: 1, Bytes: 10})
	m.Fetched(ctx, observe.Fetch{System: kafka, Group: "workers", Topic: "orders", Bytes: 10, Lag: 3, Queued: time.Second, Reader: 1})
	m.Arrived(ctx, observe.Arrival{System: kafka, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
	m.Arrived(ctx, observe.Arrival{System: mongo, Destination: "orders", Hop: time.Second, EndToEnd: time.Minute})
	m.Committed(ctx, observe.Commit{System: kafka, Group: "workers", Topic: "orders", Lag: 4, Reader: 1})
	m.Queued(observe.Queue{System: kafka, Destination: "orders", Change: 1})
	m.Blocked(observe.Block{System: kafka, Operation: "send", Destination: "orders", Duration: time.Second})
	m.Failed(ctx, observe.Failure{System: kafka, Operation: "send", Destination: "orders", ErrorType: "eof"})
}

type queue struct{}

func (queue) Stats() observe.QueueStats {
	return observe.QueueStats{Rows: 1, Capacity: 8, Blocked: time.Second}
}

// exported returns what Prometheus gets from metrics.NewOTel.
func exported(t *testing.T, strategy otlptranslator.TranslationStrategyOption, opts ...metrics.OTelOption) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	exporter, err := prometheusexporter.New(
		prometheusexporter.WithRegisterer(registry), prometheusexporter.WithTranslationStrategy(strategy),
		prometheusexporter.WithoutScopeInfo(), prometheusexporter.WithoutTargetInfo(),
	)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metrics.NewOTel(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)), opts...)
	if err != nil {
		t.Fatal(err)
	}
	everything(t.Context(), m)
	return gather(t, registry)
}

func gather(t *testing.T, registry prometheus.Gatherer) []*dto.MetricFamily {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// native returns what Prometheus gets from metrics.New.
func native(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		t.Fatal(err)
	}
	everything(t.Context(), m)
	return gather(t, registry)
}

// seriesOf returns the name, type, help and labels of each series, sorted.
func seriesOf(families []*dto.MetricFamily) []string {
	var all []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			all = append(all, strings.Join([]string{family.GetName() + labelsOf(m), family.GetType().String(), family.GetHelp()}, " "))
		}
	}
	slices.Sort(all)
	return all
}

// labelsOf returns the labels of a series that are not empty, which Prometheus does
// not keep apart from absent ones.
func labelsOf(m *dto.Metric) string {
	var labels []string
	for _, label := range m.GetLabel() {
		if label.GetValue() != "" {
			labels = append(labels, label.GetName()+`="`+label.GetValue()+`"`)
		}
	}
	slices.Sort(labels)
	return "{" + strings.Join(labels, ",") + "}"
}

// Through the real exporter, each metric has the name, type, help and labels that
// metrics.New gives it.
func TestNewOTel_ExportedForPrometheus(t *testing.T) {
	t.Parallel()
	got := exported(t, otlptranslator.UnderscoreEscapingWithSuffixes, metrics.WithPrometheusLabels())
	if diff := cmp.Diff(seriesOf(native(t)), seriesOf(got)); diff != "" {
		t.Errorf("series (-New +NewOTel):\n%s", diff)
	}
}

// Every metric of metrics.New is among those that are compared.
func TestNewOTel_EveryMetricIsCompared(t *testing.T) {
	t.Parallel()
	m, err := metrics.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	descs := make(chan *prometheus.Desc, 1000)
	m.Describe(descs)
	close(descs)
	var names []string
	for _, family := range native(t) {
		names = append(names, family.GetName())
	}
	for desc := range descs {
		name := regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(desc.String())[1]
		if !slices.Contains(names, name) && name != "etl_memory_limit_bytes" { // Only where there is a limit.
			t.Errorf("%s has no series", name)
		}
	}
}

// Only one of the strategies leads to the names that the boards query.
func TestNewOTel_TranslationStrategies(t *testing.T) {
	t.Parallel()
	for strategy, want := range map[otlptranslator.TranslationStrategyOption][]string{
		otlptranslator.UnderscoreEscapingWithSuffixes:    {"etl_processing_seconds", "etl_rows_read_total"},
		otlptranslator.UnderscoreEscapingWithoutSuffixes: {"etl_processing", "etl_rows_read"},
		otlptranslator.NoUTF8EscapingWithSuffixes:        {"etl.processing_seconds", "etl.rows.read_total"},
		otlptranslator.NoTranslation:                     {"etl.processing", "etl.rows.read"},
	} {
		var names []string
		for _, family := range exported(t, strategy) {
			names = append(names, family.GetName())
		}
		for _, name := range want {
			if !slices.Contains(names, name) {
				t.Errorf("%s: no metric is called %s", strategy, name)
			}
		}
		page, err := os.ReadFile("../../docs/opentelemetry.md")
		if err != nil {
			t.Fatal(err)
		}
		if row := "| `" + string(strategy) + "` | `" + strings.Join(want, "`, `") + "` |"; !strings.Contains(string(page), row) {
			t.Errorf("docs/opentelemetry.md has no row %s", row)
		}
	}
}

// relabelConfig is a rule of metric_relabel_configs.
// https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
type relabelConfig struct {
	SourceLabels []string `json:"source_labels"`
	Regex        string   `json:"regex"`
	TargetLabel  string   `json:"target_label"`
	Replacement  *string  `json:"replacement"` // Nil for "$1".
	Action       string   `json:"action"`
}

// relabel applies a rule to the labels of a series, its name among them.
func (c relabelConfig) relabel(t *testing.T, labels map[string]string) {
	t.Helper()
	regex := c.Regex
	if regex == "" {
		regex = "(.*)"
	}
	compiled := regexp.MustCompile("^(?s:" + regex + ")$")
	switch c.Action {
	case "labeldrop":
		for name := range labels {
			if compiled.MatchString(name) {
				delete(labels, name)
			}
		}
	case "labelmap":
		for name, value := range maps.Clone(labels) {
			if compiled.MatchString(name) {
				labels[compiled.ReplaceAllString(name, "$1")] = value
			}
		}
	case "", "replace":
		var values []string
		for _, name := range c.SourceLabels {
			values = append(values, labels[name])
		}
		joined := strings.Join(values, ";")
		replacement := "$1"
		if c.Replacement != nil {
			replacement = *c.Replacement
		}
		match := compiled.FindStringSubmatchIndex(joined)
		if match == nil {
			return
		}
		value := string(compiled.ExpandString(nil, replacement, joined, match))
		labels[c.TargetLabel] = value
		if value == "" {
			delete(labels, c.TargetLabel)
		}
	default:
		t.Fatalf("unknown action %q", c.Action)
	}
}

// The rules in docs/opentelemetry.md make of the attributes the labels that the
// boards query.
func TestNewOTel_RelabeledByTheRulesOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/opentelemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(metric_relabel_configs:.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/opentelemetry.md has no metric_relabel_configs")
	}
	var config struct {
		Rules []relabelConfig `json:"metric_relabel_configs"`
	}
	if err := yaml.UnmarshalStrict(block[1], &config); err != nil {
		t.Fatal(err)
	}
	families := exported(t, otlptranslator.UnderscoreEscapingWithSuffixes)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := map[string]string{"__name__": family.GetName()}
			for _, label := range m.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			for _, rule := range config.Rules {
				rule.relabel(t, labels)
			}
			delete(labels, "__name__")
			m.Label = nil
			for name, value := range labels {
				m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &value})
			}
		}
	}
	if diff := cmp.Diff(seriesOf(native(t)), seriesOf(families)); diff != "" {
		t.Errorf("series (-New +NewOTel, relabeled):\n%s", diff)
	}
}
