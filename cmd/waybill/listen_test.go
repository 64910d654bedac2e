// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// output is what a command has written; it may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	grew chan struct{}
}

func newOutput() *output { return &output{grew: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grew <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// after waits until the output has a line that contains text, and returns what follows
// it on that line.
func (o *output) after(t *testing.T, text string) string {
	t.Helper()
	for {
		if _, rest, ok := strings.Cut(o.String(), text); ok && strings.Contains(rest, "\n") {
			line, _, _ := strings.Cut(rest, "\n")
			return strings.TrimSpace(line)
		}
		select {
		case <-o.grew:
		case <-t.Context().Done():
			t.Fatalf("the command has not written %q: %s", text, o)
		case <-time.After(20 * time.Second):
			t.Fatalf("the command has not written %q: %s", text, o)
		}
	}
}

// running is a command that takes spans.
type running struct {
	endpoint       string
	stdout, stderr *output
	interrupt      context.CancelFunc
	code           chan int
}

// start starts a command, and waits until it says where it takes spans.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r := &running{stdout: newOutput(), stderr: newOutput(), interrupt: cancel, code: make(chan int, 1)}
	go func() { r.code <- run(ctx, args, strings.NewReader(""), r.stdout, r.stderr) }()
	r.endpoint = r.stderr.after(t, "OTEL_EXPORTER_OTLP_ENDPOINT=")
	return r
}

// end interrupts the command and returns its exit code.
func (r *running) end(t *testing.T) int {
	t.Helper()
	r.interrupt()
	return r.wait(t)
}

// wait returns the exit code of the command once it has ended.
func (r *running) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(20 * time.Second):
		t.Fatalf("the command has not ended: %s", r.stderr)
		return -1
	}
}

// exporters returns the exporters of the SDK, each as it is configured by the two
// variables that the command prints.
func exporters(t *testing.T, endpoint string) map[string]sdktrace.SpanExporter {
	t.Helper()
	made := map[string]sdktrace.SpanExporter{}
	for name, create := range map[string]func() (sdktrace.SpanExporter, error){
		"http": func() (sdktrace.SpanExporter, error) {
			return otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"))
		},
		"http gzip": func() (sdktrace.SpanExporter, error) {
			return otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
		},
		"grpc": func() (sdktrace.SpanExporter, error) {
			return otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL(endpoint))
		},
		"grpc gzip": func() (sdktrace.SpanExporter, error) {
			return otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpointURL(endpoint), otlptracegrpc.WithCompressor("gzip"))
		},
	} {
		exporter, err := create()
		if err != nil {
			t.Fatal(err)
		}
		made[name] = exporter
	}
	return made
}

// trace records a trace of two spans, of a service of that name, with exporter.
func trace(t *testing.T, service string, exporter sdktrace.SpanExporter) {
	t.Helper()
	resource := sdkresource.NewSchemaless(attribute.String("service.name", service))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithResource(resource))
	ctx, request := provider.Tracer("test").Start(t.Context(), "GET /orders")
	_, query := provider.Tracer("test").Start(ctx, "SELECT orders")
	query.End()
	request.End()
	if err := errors.Join(provider.ForceFlush(t.Context()), provider.Shutdown(t.Context())); err != nil {
		t.Errorf("%s: %v", service, err)
	}
}

// The exporters of the SDK need no configuration but the endpoint.
func TestListen_SDK(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"doctor"}, {"tree"}, {"report", "-o", "-"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			r := start(t, append(args, "--listen", "127.0.0.1:0")...)
			for name, exporter := range exporters(t, r.endpoint) {
				trace(t, name, exporter)
			}
			if code := r.end(t); code != exitFine {
				t.Errorf("exit code %d, want 0; stderr: %s", code, r.stderr)
			}
			if !strings.Contains(r.stdout.String(), "4 flows, each CONNECTED") {
				t.Errorf("output\n%s\nwant 4 flows, of 4 exporters; stderr: %s", r.stdout, r.stderr)
			}
		})
	}
}

func TestListen_Ends(t *testing.T) {
	t.Parallel()
	t.Run("for", func(t *testing.T) {
		t.Parallel()
		r := start(t, "doctor", "--listen", "127.0.0.1:0", "--for", "10ms")
		if code := r.wait(t); code != exitUsage || !strings.Contains(r.stderr.String(), "no spans came to "+r.endpoint) {
			t.Errorf("exit code %d, want 2; stderr: %s", code, r.stderr)
		}
	})
	t.Run("quiet", func(t *testing.T) {
		t.Parallel()
		r := start(t, "doctor", "--listen", "127.0.0.1:0", "--quiet", "20ms")
		post(t, r.endpoint, []byte(whole))
		if code := r.wait(t); code != exitFine || !strings.Contains(r.stdout.String(), "Nothing is wrong.") {
			t.Errorf("exit code %d, want 0; output: %s", code, r.stdout)
		}
	})
	t.Run("findings", func(t *testing.T) {
		t.Parallel()
		r := start(t, "doctor", "--listen", "127.0.0.1:0")
		post(t, r.endpoint, []byte(broken))
		if code := r.end(t); code != exitFindings || !strings.Contains(r.stdout.String(), "P01 violation") {
			t.Errorf("exit code %d, want 1; output: %s", code, r.stdout)
		}
	})
}

// post exports spans as OTLP/JSON.
func post(t *testing.T, endpoint string, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, endpoint+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(response.Body)
		t.Errorf("the answer to an export is %s: %s", response.Status, answer)
	}
}

func TestListen_Misuse(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, tt := range []struct {
		name   string
		args   []string
		stderr string
	}{
		{name: "a port in use", args: []string{"--listen", taken.Addr().String()}, stderr: taken.Addr().String() + " is in use, perhaps by a collector or another waybill; stop that, or use --listen with another port\n"},
		{name: "no port", args: []string{"--listen", "localhost"}, stderr: "missing port"},
		{name: "files too", args: []string{"--listen", "127.0.0.1:0", "spans.jsonl"}, stderr: "either --listen or files"},
		{name: "for without listen", args: []string{"--for", "1s"}, stderr: "--for needs --listen"},
		{name: "forward without listen", args: []string{"--forward", "http://localhost:4318"}, stderr: "--forward needs --listen"},
		{name: "forward to no address", args: []string{"--listen", "127.0.0.1:0", "--forward", "collector:4317"}, stderr: `cannot forward to "collector:4317"`},
		{name: "forward to itself", args: []string{"--listen", "127.0.0.1:4318", "--forward", "http://localhost:4318"}, stderr: "waybill itself listens there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), append([]string{"doctor"}, tt.args...), nil, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d and %q, want 2 and %q", code, &stderr, tt.stderr)
			}
		})
	}
}

// upstream is a collector that keeps what it is sent.
type upstream struct {
	mu   sync.Mutex
	got  []*http.Request
	body []string
	code func(n int) int // The answer to the export n, from 0.
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	defer u.mu.Unlock()
	code := http.StatusOK
	if u.code != nil {
		code = u.code(len(u.got))
	}
	u.got, u.body = append(u.got, r), append(u.body, string(body))
	w.WriteHeader(code)
}

// What is sent over HTTP arrives at the collector as it was sent; what is sent over gRPC
// arrives with the same body. The metrics and logs arrive too.
func TestForward(t *testing.T) {
	t.Parallel()
	u := &upstream{}
	server := httptest.NewServer(u)
	t.Cleanup(server.Close)
	r := start(t, "tree", "--listen", "127.0.0.1:0", "--forward", server.URL+"/tenant")
	for _, export := range []struct {
		path, body string
		header     map[string]string
	}{
		{path: "/v1/traces", body: whole, header: map[string]string{"Content-Type": "application/json", "Authorization": "Bearer secret", "X-Scope-Orgid": "7"}},
		{path: "/v1/metrics", body: "\x1f\x8b no gzip, but that is not for us to say", header: map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}},
		{path: "/v1/logs", body: "{}", header: map[string]string{"Content-Type": "application/json"}},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.endpoint+export.path, strings.NewReader(export.body))
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range export.header {
			request.Header.Set(key, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(r.endpoint, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := metricspb.NewMetricsServiceClient(conn).Export(t.Context(), &metricspb.ExportMetricsServiceRequest{}); err != nil {
		t.Error("metrics over gRPC:", err)
	}
	if _, err := logspb.NewLogsServiceClient(conn).Export(t.Context(), &logspb.ExportLogsServiceRequest{}); err != nil {
		t.Error("logs over gRPC:", err)
	}
	if code := r.end(t); code != exitFine {
		t.Errorf("exit code %d; stderr: %s", code, r.stderr)
	}
	var got []string
	for i, request := range u.got {
		line := []string{request.URL.Path, u.body[i]}
		for _, key := range []string{"Content-Type", "Content-Encoding", "Authorization", "X-Scope-Orgid"} {
			line = append(line, request.Header.Get(key))
		}
		got = append(got, strings.TrimRight(strings.Join(line, " "), " "))
	}
	slices.Sort(got)
	want := []string{
		"/tenant/v1/logs  application/x-protobuf",
		"/tenant/v1/logs {} application/json",
		"/tenant/v1/metrics \x1f\x8b no gzip, but that is not for us to say application/x-protobuf gzip",
		"/tenant/v1/metrics  application/x-protobuf",
		"/tenant/v1/traces " + whole + " application/json  Bearer secret 7",
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the collector got\n%q, want\n%q", got, want)
	}
}

// A collector that fails costs the SDK nothing, and is mentioned once.
func TestForward_Failing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		code   func(n int) int
		stderr string
		tries  int
	}{
		{name: "refuses", code: func(int) int { return http.StatusUnauthorized }, stderr: "401 Unauthorized", tries: 3},
		{name: "is busy once", code: func(n int) int { return map[bool]int{true: 503, false: 200}[n == 0] }, tries: 4},
		{name: "is gone", stderr: "cannot forward to "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := &upstream{code: tt.code}
			server := httptest.NewServer(u)
			t.Cleanup(server.Close)
			if tt.code == nil {
				server.Close()
			}
			r := start(t, "tree", "--listen", "127.0.0.1:0", "--forward", server.URL)
			for range 3 {
				post(t, r.endpoint, []byte(whole))
			}
			if code := r.end(t); code != exitFine {
				t.Errorf("exit code %d; stderr: %s", code, r.stderr)
			}
			if !strings.Contains(r.stdout.String(), "1 span") {
				t.Errorf("output %q, want the span", r.stdout)
			}
			said := strings.Count(r.stderr.String(), "cannot forward to ")
			if want := map[bool]int{true: 1, false: 0}[tt.stderr != ""]; said != want || !strings.Contains(r.stderr.String(), tt.stderr) {
				t.Errorf("it is said %d times: %s", said, r.stderr)
			}
			if len(u.got) != tt.tries {
				t.Errorf("the collector got %d requests, want %d", len(u.got), tt.tries)
			}
		})
	}
}
