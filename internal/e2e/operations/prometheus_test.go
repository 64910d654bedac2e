// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

const (
	interval   = time.Second     // Between two scrapes.
	evaluation = 2 * time.Second // Between two evaluations of the rules.
)

// prometheus is a Prometheus that scrapes the pipelines in one of two ways.
type prometheus struct {
	t    testing.TB
	name string // classic or native
	api  promv1.API
	url  string
}

// The ways to scrape histograms.
const (
	classic = "classic"
	native  = "native"
)

// watched is what a Prometheus watches, and where it reports to.
type watched struct {
	targets                               map[string]string // The addresses of processes, by the name of a pod.
	gateway, cluster, alertmanager, rules string
}

// startPrometheus starts a Prometheus that scrapes histograms as name says.
func startPrometheus(t testing.TB, name string, w watched) *prometheus {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "waybill.rules.yaml"), w.rules)
	config := filepath.Join(dir, "prometheus.yml")
	write(t, config, fmt.Sprintf(`
global:
  scrape_interval: %[1]s
  scrape_timeout: %[1]s
  evaluation_interval: %[8]s
  scrape_native_histograms: %[2]t
  external_labels: {histograms: %[3]s}
rule_files: [waybill.rules.yaml]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["%[4]s"]}]
scrape_configs:
  - job_name: pushgateway
    honor_labels: true
    static_configs: [{targets: ["%[5]s"]}]
  - job_name: kube-state-metrics
    honor_labels: true
    static_configs: [{targets: ["%[6]s"]}]
  - job_name: pipelines
    static_configs:
%[7]s`, interval, name == native, name, w.alertmanager, w.gateway, w.cluster, w.pods(), evaluation))
	s := server.Prometheus(t, config, "--enable-feature=exemplar-storage", "--rules.alert.resend-delay=5s")
	client, err := api.NewClient(api.Config{Address: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return &prometheus{t: t, name: name, api: promv1.NewAPI(client), url: s.URL()}
}

// pods returns the targets with the labels that the discovery of Kubernetes adds.
func (w watched) pods() string {
	var pods strings.Builder
	for _, pod := range slices.Sorted(maps.Keys(w.targets)) {
		fmt.Fprintf(&pods, "    - {targets: [%q], labels: {namespace: etl, pod: %s}}\n", w.targets[pod], pod)
	}
	return pods.String()
}

// serveCluster serves what kube-state-metrics would say of the pods.
func (w watched) serveCluster(t testing.TB) string {
	t.Helper()
	var page strings.Builder
	for pod := range w.targets {
		fmt.Fprintf(&page, "kube_pod_status_ready{namespace=\"etl\",pod=%q,condition=\"true\"} 1\n", pod)
		fmt.Fprintf(&page, "kube_pod_container_status_restarts_total{namespace=\"etl\",pod=%q,container=\"main\"} 0\n", pod)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		_, _ = io.WriteString(w, page.String()) // A scrape that has gone needs none.
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// startAlertmanager starts an Alertmanager that posts each alert to url, with
// nothing grouped and nothing held back.
func startAlertmanager(t testing.TB, url string) *server.HTTPServer {
	t.Helper()
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	write(t, config, fmt.Sprintf(`
route: {receiver: pager, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: pager, webhook_configs: [{url: "%s", send_resolved: true}]}]
`, url))
	return server.Alertmanager(t, config)
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// query returns the value of an expression now.
func (p *prometheus) query(expr string) (model.Vector, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	value, _, _, err := p.api.Query(ctx, expr, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	switch v := value.(type) {
	case model.Vector:
		return v, nil
	case *model.Scalar:
		return model.Vector{{Value: v.Value, Timestamp: v.Timestamp}}, nil
	default:
		return nil, fmt.Errorf("%s is a %s", expr, value.Type())
	}
}

// queryRange returns the values of an expression since start.
func (p *prometheus) queryRange(expr string, start time.Time, step time.Duration) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	value, _, _, err := p.api.QueryRange(ctx, expr, promv1.Range{Start: start, End: time.Now(), Step: step})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("%s is a %s", expr, value.Type())
	}
	return matrix, nil
}
