// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
)

func TestRun_Protocols(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		collector func(*testing.T) (string, spans)
		variables []string // Before "=" and the endpoint or the rest.
		wantSaid  string
	}{
		{name: "default", collector: newHTTPCollector},
		{name: "http/protobuf", collector: newHTTPCollector, variables: []string{"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip"}},
		{name: "grpc", collector: newGRPCCollector, variables: []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}},
		{name: "malformed timeout", collector: newHTTPCollector, variables: []string{"OTEL_EXPORTER_OTLP_TIMEOUT=10s"}, wantSaid: "waybill exec: timeout \"10s\" is not a number of milliseconds; the default, 10s, is used\n"},
		{name: "grpc for spans", collector: newGRPCCollector, variables: []string{"OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint, received := tt.collector(t)
			cmd := job(t, execute.Config{Command: sh("exit 3"), FlushTimeout: time.Minute}, append(tt.variables, "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint)...)
			if got := observed(t, cmd, ""); got.code != 3 || got.stderr != tt.wantSaid {
				t.Errorf("code %d, standard error %q; want 3, %q", got.code, got.stderr, tt.wantSaid)
			}
			if span, _ := received.only(t); span.Name != "sh" {
				t.Errorf("span %q, want sh", span.Name)
			}
		})
	}
}

// TestRun_BadCollector runs jobs whose collector, or Pushgateway, is of no use.
func TestRun_BadCollector(t *testing.T) {
	t.Parallel()
	const timeout = 500 * time.Millisecond
	hanging, dead := newHanging(t), newDead(t)
	refusing := newAnswering(t, http.StatusServiceUnavailable)
	for _, tt := range []struct {
		name     string
		push     string
		environ  []string
		quiet    bool
		wantSaid string // Part of standard error.
	}{
		{name: "dead", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead}, wantSaid: "connection refused"},
		{name: "dead, quiet", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead}, quiet: true},
		{name: "dead, gRPC", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, wantSaid: "waybill exec: "},
		{name: "hanging", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + hanging}, wantSaid: "waybill exec: "},
		{name: "hanging, gRPC", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + hanging, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, wantSaid: "waybill exec: "},
		{name: "refusing", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + refusing}, wantSaid: "waybill exec: "},
		{name: "unknown protocol", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead, "OTEL_EXPORTER_OTLP_PROTOCOL=carrier/pigeon"}, wantSaid: `"carrier/pigeon" is not one of`},
		{name: "malformed endpoint", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://%zz"}, wantSaid: "%zz"},
		{name: "unknown sampler", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead, "OTEL_TRACES_SAMPLER=nonsense"}, wantSaid: "waybill exec: unsupported sampler"},
		{name: "unknown sampler, quiet", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead, "OTEL_TRACES_SAMPLER=nonsense"}, quiet: true},
		{name: "malformed resource", environ: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + dead, "OTEL_RESOURCE_ATTRIBUTES=x"}, wantSaid: "connection refused"},
		{name: "dead Pushgateway", push: dead, wantSaid: "connection refused"},
		{name: "hanging Pushgateway", push: hanging, wantSaid: "waybill exec: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := execute.Config{Command: sh("echo out; exit 3"), FlushTimeout: timeout, Push: tt.push, Quiet: tt.quiet}
			began := time.Now()
			got := observed(t, job(t, cfg, tt.environ...), "")
			const start = 10 * time.Second // For a machine that is busy.
			if took := time.Since(began); took > timeout+start {
				t.Errorf("it took %v", took)
			}
			if got.code != 3 || got.stdout != "out\n" {
				t.Errorf("code %d, output %q; want 3 and \"out\"", got.code, got.stdout)
			}
			if !strings.Contains(got.stderr, tt.wantSaid) || tt.wantSaid == "" && got.stderr != "" {
				t.Errorf("standard error %q, want it to contain %q", got.stderr, tt.wantSaid)
			}
		})
	}
}

func TestRun_SlowCollector(t *testing.T) {
	t.Parallel()
	endpoint, received := newHTTPCollector(t)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-time.After(300 * time.Millisecond)
		request, err := http.NewRequestWithContext(r.Context(), r.Method, endpoint+r.URL.Path, r.Body)
		if err != nil {
			panic(err)
		}
		request.Header = r.Header
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		defer response.Body.Close()
		w.WriteHeader(response.StatusCode)
	}))
	t.Cleanup(slow.Close)
	cmd := job(t, execute.Config{Command: sh("exit 3"), FlushTimeout: time.Minute}, "OTEL_EXPORTER_OTLP_ENDPOINT="+slow.URL)
	if got := observed(t, cmd, ""); got.code != 3 || got.stderr != "" {
		t.Errorf("code %d, standard error %q", got.code, got.stderr)
	}
	received.only(t)
}

func TestRun_Push(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var pushed strings.Builder
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			pushed.WriteString(r.Method + " " + r.URL.Path + "\n" + string(body) + "\n")
		}
	}))
	t.Cleanup(gateway.Close)
	cfg := execute.Config{
		Name: "load", Command: sh("echo '::rows read=10 rejected=2 reason=late'; exit 3"),
		Push: gateway.URL, PushJob: "nightly", FlushTimeout: time.Minute,
	}
	if got := observed(t, job(t, cfg), ""); got.code != 3 || got.stderr != "" {
		t.Errorf("code %d, standard error %q", got.code, got.stderr)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"/metrics/job/nightly", "etl_rows_rejected_total", "late", "exit_3"} {
		if !strings.Contains(pushed.String(), want) {
			t.Errorf("pushed\n%.2000s\nwant it to contain %q", &pushed, want)
		}
	}
}

// newDead returns the address of a server that is gone.
func newDead(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return "http://" + listener.Addr().String()
}

// newHanging returns the address of a server that accepts connections and never answers.
func newHanging(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	var mu sync.Mutex
	var connections []net.Conn
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			connections = append(connections, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range connections {
			_ = c.Close()
		}
	})
	return "http://" + listener.Addr().String()
}

// newAnswering returns the address of a server that always answers with status.
func newAnswering(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	return server.URL
}
