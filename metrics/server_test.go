// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/metrics"
)

func mustListen(ctx context.Context, t *testing.T, gatherer prometheus.Gatherer, opts ...metrics.ServerOption) *metrics.Server {
	t.Helper()
	s, err := metrics.Listen(ctx, "127.0.0.1:0", gatherer, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// scrape asks the server for path and returns the status and the body.
func scrape(t *testing.T, s *metrics.Server, path, accept string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestListen_Scrape(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	s := newStage(t, mustNew(t, registry))
	_ = s.Run(inSpan(t.Context(), trace.FlagsSampled), func(context.Context) error { return nil })
	server := mustListen(t.Context(), t, registry, nil)

	status, text := scrape(t, server, "/metrics", "text/plain")
	if status != http.StatusOK || !strings.Contains(text, `etl_processing_seconds_bucket{outcome="success",pipeline="orders",stage="load",le="1"} 1`) {
		t.Errorf("%d\n%s", status, text)
	}
	if strings.Contains(text, traceID.String()) {
		t.Error("the text format has no exemplars")
	}

	status, text = scrape(t, server, "/metrics", "application/openmetrics-text; version=1.0.0")
	if status != http.StatusOK || !strings.Contains(text, `# {`) ||
		!strings.Contains(text, `trace_id="`+traceID.String()+`"`) || !strings.Contains(text, `span_id="`+spanID.String()+`"`) {
		t.Errorf("%d\n%s", status, text)
	}
	if !strings.HasSuffix(text, "# EOF\n") || !strings.Contains(text, `le="1.0"`) {
		t.Error("this is not OpenMetrics")
	}
}

func TestWithPath(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": "/metrics", "/": "/", "/a/b": "/a/b", "/{x}": "/{x}"} {
		server := mustListen(t.Context(), t, prometheus.NewRegistry(), metrics.WithPath("/old"), metrics.WithPath(given))
		if status, _ := scrape(t, server, want, ""); status != http.StatusOK {
			t.Errorf("path %q: %d", want, status)
		}
	}
	if s, err := metrics.Listen(t.Context(), "127.0.0.1:0", prometheus.NewRegistry(), metrics.WithPath("metrics")); s != nil || err == nil {
		t.Errorf("Listen = %v, %v", s, err)
	}
}

func TestListen_Errors(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var nilRegistry *prometheus.Registry
	for name, tt := range map[string]struct {
		ctx      context.Context //nolint:containedctx // A row of a table.
		addr     string
		gatherer prometheus.Gatherer
	}{
		"taken":        {t.Context(), taken.Addr().String(), prometheus.NewRegistry()},
		"no address":   {t.Context(), "nowhere", prometheus.NewRegistry()},
		"nil":          {t.Context(), "127.0.0.1:0", nil},
		"nil registry": {t.Context(), "127.0.0.1:0", nilRegistry},
		"nil function": {t.Context(), "127.0.0.1:0", prometheus.GathererFunc(nil)},
		"done":         {cancelled, "127.0.0.1:0", prometheus.NewRegistry()},
	} {
		if s, err := metrics.Listen(tt.ctx, tt.addr, tt.gatherer); s != nil || err == nil {
			t.Errorf("%s: Listen = %v, %v", name, s, err)
			_ = s.Close()
		}
	}
}

func TestListen_GathererThatPanics(t *testing.T) {
	t.Parallel()
	server := mustListen(t.Context(), t, prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { panic(errBoom) }))
	if status, text := scrape(t, server, "/metrics", ""); status != http.StatusInternalServerError || !strings.Contains(text, "panic: boom") {
		t.Errorf("%d\n%s", status, text)
	}
}

func TestServer_Stops(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*metrics.Server, context.CancelFunc) error{
		"Close":                      func(s *metrics.Server, _ context.CancelFunc) error { return s.Close() },
		"Close twice":                func(s *metrics.Server, _ context.CancelFunc) error { return errors.Join(s.Close(), s.Close()) },
		"Shutdown":                   func(s *metrics.Server, _ context.CancelFunc) error { return s.Shutdown(t.Context()) },
		"Shutdown without a context": func(s *metrics.Server, _ context.CancelFunc) error { return s.Shutdown(nil) }, //nolint:staticcheck // The test.
		"context":                    func(_ *metrics.Server, cancel context.CancelFunc) error { cancel(); return nil },
		"all at once": func(s *metrics.Server, cancel context.CancelFunc) error {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { _ = s.Close() })
				all.Go(func() { _ = s.Shutdown(t.Context()) })
				all.Go(cancel)
			}
			all.Wait()
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			server := mustListen(ctx, t, prometheus.NewRegistry())
			addr := server.Addr().String()
			if err := stop(server, cancel); err != nil {
				t.Error(err)
			}
			deadline := time.Now().Add(10 * time.Second)
			for {
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
				if err != nil {
					break
				}
				_ = conn.Close()
				if time.Now().After(deadline) {
					t.Fatal("the server still listens")
				}
			}
			if got := server.Addr().String(); got != addr {
				t.Errorf("address %s", got)
			}
		})
	}
}

func TestServer_ShutdownWaitsForScrapes(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	entered, leave := make(chan struct{}), make(chan struct{})
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "x", Help: "x"}, func() float64 {
		close(entered)
		<-leave
		return 1
	}))
	server := mustListen(t.Context(), t, registry)
	scraped, stopped := make(chan string), make(chan error)
	go func() { _, body := scrape(t, server, "/metrics", ""); scraped <- body }()
	<-entered
	go func() { stopped <- server.Shutdown(t.Context()) }()
	select {
	case err := <-stopped:
		t.Errorf("Shutdown did not wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	close(leave)
	if body := <-scraped; !strings.Contains(body, "x 1") {
		t.Errorf("body: %s", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServer_ShutdownCutsOffWhatTakesTooLong(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	entered, leave := make(chan struct{}), make(chan struct{})
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "x", Help: "x"}, func() float64 {
		close(entered)
		<-leave
		return 1
	}))
	server, err := metrics.Listen(nil, "127.0.0.1:0", registry) //nolint:staticcheck // A nil context is part of the test.
	if err != nil {
		t.Fatal(err)
	}
	scraped := make(chan error)
	go func() {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get("http://" + server.Addr().String() + "/metrics")
		if err == nil {
			_ = response.Body.Close()
		}
		scraped <- err
	}()
	<-entered
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown = %v", err)
	}
	if err := <-scraped; err == nil {
		t.Error("the scrape was not cut off")
	}
	close(leave)
}

func TestServer_Nil(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*metrics.Server{"nil": nil, "zero": {}} {
		if s.Addr() != nil || s.Close() != nil || s.Shutdown(t.Context()) != nil {
			t.Errorf("a %s server does something", name)
		}
	}
}
