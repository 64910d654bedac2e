// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/metrics"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	mustNew(t, registry)
	failing := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { panic(errBoom) })
	var nilRegistry *prometheus.Registry
	for _, tt := range []struct {
		name     string
		gatherer prometheus.Gatherer
		method   string
		status   int
		body     string
	}{
		{name: "GET", gatherer: registry, method: http.MethodGet, status: http.StatusOK, body: "etl_memory_bytes"},
		{name: "HEAD", gatherer: registry, method: http.MethodHead, status: http.StatusOK},
		{name: "POST", gatherer: registry, method: http.MethodPost, status: http.StatusMethodNotAllowed},
		{name: "PUT", gatherer: registry, method: http.MethodPut, status: http.StatusMethodNotAllowed},
		{name: "DELETE", gatherer: registry, method: http.MethodDelete, status: http.StatusMethodNotAllowed},
		{name: "OPTIONS", gatherer: registry, method: http.MethodOptions, status: http.StatusMethodNotAllowed},
		{name: "another method", gatherer: registry, method: "BREW", status: http.StatusMethodNotAllowed},
		{name: "panic", gatherer: failing, method: http.MethodGet, status: http.StatusInternalServerError, body: "panic: boom"},
		{name: "nil", method: http.MethodGet, status: http.StatusServiceUnavailable, body: "nil gatherer"},
		{name: "nil registry", gatherer: nilRegistry, method: http.MethodGet, status: http.StatusServiceUnavailable, body: "nil gatherer"},
		{name: "nil, POST", method: http.MethodPost, status: http.StatusMethodNotAllowed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(metrics.Handler(tt.gatherer))
			defer server.Close()
			request, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := server.Client().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != tt.status || !strings.Contains(string(body), tt.body) {
				t.Errorf("answer = %d %.100q, want %d %q", response.StatusCode, body, tt.status, tt.body)
			}
			if allow := response.Header.Get("Allow"); (allow == "GET, HEAD") != (tt.status == http.StatusMethodNotAllowed) {
				t.Errorf("Allow = %q", allow)
			}
		})
	}
}

// The path that a person opens first names that of the metrics.
func TestListen_Index(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/metrics": "The metrics are at /metrics\n", "/a/b": "The metrics are at /a/b\n"} {
		server := mustListen(t.Context(), t, prometheus.NewRegistry(), metrics.WithPath(path))
		if status, body := scrape(t, server, "/", ""); status != http.StatusOK || body != want {
			t.Errorf("answer at / = %d %q, want 200 %q", status, body, want)
		}
		if status, _ := scrape(t, server, "/other", ""); status != http.StatusNotFound {
			t.Errorf("status of another path = %d, want 404", status)
		}
	}
}
