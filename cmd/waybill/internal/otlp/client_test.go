// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp_test

import (
	"compress/gzip"
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // The server accepts gzip.
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/cmd/waybill/internal/otlp"
)

// spans returns one span.
func spans() []*tracepb.ResourceSpans {
	return []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "load"}}}}}}
}

// client returns a client for variables, KEY=VALUE, without their common prefix.
func client(t *testing.T, variables ...string) *otlp.Client {
	t.Helper()
	c, err := otlp.New(getenv(variables), func(err error) { t.Errorf("warning: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop(context.WithoutCancel(t.Context())) })
	return c
}

func getenv(variables []string) func(string) string {
	return func(name string) string {
		for _, v := range variables {
			if value, ok := strings.CutPrefix(v, strings.TrimPrefix(name, "OTEL_EXPORTER_OTLP_")+"="); ok {
				return value
			}
		}
		return ""
	}
}

// answering returns a collector that answers with each status in turn, and then with
// success; it counts the attempts and keeps the last request.
func answering(t *testing.T, start func(*httptest.Server), statuses ...int) (*httptest.Server, *atomic.Int32, *atomic.Pointer[http.Request]) {
	t.Helper()
	var attempts atomic.Int32
	var last atomic.Pointer[http.Request]
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		content, err := io.ReadAll(body)
		request := &collector.ExportTraceServiceRequest{}
		if err != nil || proto.Unmarshal(content, request) != nil || request.ResourceSpans[0].ScopeSpans[0].Spans[0].Name != "load" {
			t.Errorf("body %q: %v", content, err)
		}
		last.Store(r)
		if n := int(attempts.Add(1)); n <= len(statuses) {
			w.WriteHeader(statuses[n-1])
		}
	}))
	start(server)
	t.Cleanup(server.Close)
	return server, &attempts, &last
}

func TestClient_HTTP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		variables []string // "URL" stands for the address of the server.
		path      string
		header    map[string]string
	}{
		{name: "endpoint", variables: []string{"ENDPOINT=URL"}, path: "/v1/traces"},
		{name: "endpoint with a slash", variables: []string{"ENDPOINT=URL/"}, path: "/v1/traces"},
		{name: "endpoint with a path", variables: []string{"ENDPOINT=URL/otlp"}, path: "/otlp/v1/traces"},
		{name: "for traces", variables: []string{"ENDPOINT=http://127.0.0.1:1", "TRACES_ENDPOINT=URL/here"}, path: "/here"},
		{name: "for traces without a path", variables: []string{"TRACES_ENDPOINT=URL"}, path: "/"},
		{name: "headers", variables: []string{"ENDPOINT=URL", "HEADERS=authorization=Basic%20a%3D,x-tenant = t ,"}, path: "/v1/traces", header: map[string]string{"Authorization": "Basic a=", "X-Tenant": "t"}},
		{name: "gzip", variables: []string{"ENDPOINT=URL", "COMPRESSION=gzip"}, path: "/v1/traces", header: map[string]string{"Content-Encoding": "gzip"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, _, last := answering(t, (*httptest.Server).Start)
			var variables []string
			for _, v := range tt.variables {
				variables = append(variables, strings.Replace(v, "URL", server.URL, 1))
			}
			if err := client(t, variables...).UploadTraces(t.Context(), spans()); err != nil {
				t.Fatal(err)
			}
			r := last.Load()
			if r.URL.Path != tt.path || r.Header.Get("Content-Type") != "application/x-protobuf" {
				t.Errorf("%s %s, want %s", r.URL.Path, r.Header.Get("Content-Type"), tt.path)
			}
			for key, want := range tt.header {
				if got := r.Header.Get(key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
		})
	}
}

func TestClient_Retries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		statuses []int
		attempts int32
		fails    bool
	}{
		{name: "busy", statuses: []int{429, 503}, attempts: 3},
		{name: "bad request", statuses: []int{400}, attempts: 1, fails: true},
		{name: "internal error", statuses: []int{500}, attempts: 1, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, attempts, _ := answering(t, (*httptest.Server).Start, tt.statuses...)
			err := client(t, "ENDPOINT="+server.URL).UploadTraces(t.Context(), spans())
			if (err != nil) != tt.fails || attempts.Load() != tt.attempts {
				t.Errorf("%d attempts, %v; want %d, failure: %t", attempts.Load(), err, tt.attempts, tt.fails)
			}
		})
	}
}

// A collector in a sidecar may start later than a short job ends.
func TestClient_CollectorStartsLater(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err = listener.Close(); err != nil {
		t.Fatal(err)
	}
	started := make(chan *atomic.Int32, 1)
	time.AfterFunc(100*time.Millisecond, func() { // After the first attempt, which is refused.
		_, attempts, _ := answering(t, func(s *httptest.Server) {
			_ = s.Listener.Close()
			if s.Listener, err = net.Listen("tcp", address); err != nil {
				t.Error(err)
				return
			}
			s.Start()
		})
		started <- attempts
	})
	if err := client(t, "ENDPOINT=http://"+address).UploadTraces(t.Context(), spans()); err != nil {
		t.Fatal(err)
	}
	if got := (<-started).Load(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

// The failure of the last attempt is returned, not that the time is over.
func TestClient_NoCollector(t *testing.T) {
	t.Parallel()
	err := client(t, "ENDPOINT=http://127.0.0.1:1", "TIMEOUT=300").UploadTraces(t.Context(), spans())
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("UploadTraces = %v, want that the connection is refused", err)
	}
}

// The ports of the two protocols, 4317 and 4318, are easily confused.
func TestClient_OtherProtocol(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		protocol string
		answer   string // To whatever comes.
		want     string
	}{
		"HTTP to gRPC": {protocol: "http/protobuf", answer: "\x00\x00\x00\x04\x00\x00\x00\x00\x00\n", want: "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"},
		"gRPC to HTTP": {protocol: "grpc", answer: "HTTP/1.1 400 Bad Request\r\n\r\n", want: "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"},
	} {
		endpoint := "ENDPOINT=http://" + newAnswer(t, tt.answer)
		err := client(t, endpoint, "PROTOCOL="+tt.protocol).UploadTraces(t.Context(), spans())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: UploadTraces = %v, want it to name %s", name, err, tt.want)
		}
	}
}

// newAnswer returns the address of a server that answers the first bytes of a connection.
func newAnswer(t *testing.T, answer string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err = conn.Read(make([]byte, 1)); err == nil {
			_, err = io.WriteString(conn, answer)
		}
		if err == nil {
			_, _ = io.Copy(io.Discard, conn) // Until the client has given up.
		}
	}()
	return listener.Addr().String()
}

func TestClient_PartialSuccess(t *testing.T) {
	t.Parallel()
	answer, err := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 1, ErrorMessage: "too old"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		answer []byte
		want   string // Part of the error.
	}{
		{name: "rejected", answer: answer, want: "too old"},
		{name: "empty"},
		{name: "not a message", answer: []byte("<html>OK</html>")},
		{name: "cut", answer: answer[:len(answer)-1]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if _, err := w.Write(tt.answer); err != nil {
					t.Error(err)
				}
			}))
			t.Cleanup(server.Close)
			err := client(t, "ENDPOINT="+server.URL).UploadTraces(t.Context(), spans())
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestClient_TLS(t *testing.T) {
	t.Parallel()
	server, _, _ := answering(t, (*httptest.Server).StartTLS)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := client(t, "ENDPOINT="+server.URL, "CERTIFICATE="+authority).UploadTraces(t.Context(), spans()); err != nil {
		t.Errorf("with its certificate: %v", err)
	}
	if err := client(t, "ENDPOINT="+server.URL).UploadTraces(t.Context(), spans()); err == nil {
		t.Error("a certificate of an unknown authority was accepted")
	}
}

// grpcCollector answers with each code in turn, and then with success.
type grpcCollector struct {
	collector.UnimplementedTraceServiceServer

	codes    []codes.Code
	reject   string
	attempts atomic.Int32
	tenant   atomic.Value
}

func (c *grpcCollector) Export(ctx context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("x-tenant")) > 0 {
		c.tenant.Store(md.Get("x-tenant")[0])
	}
	if r.ResourceSpans[0].ScopeSpans[0].Spans[0].Name != "load" {
		return nil, status.Error(codes.InvalidArgument, "wrong span")
	}
	if n := int(c.attempts.Add(1)); n <= len(c.codes) {
		return nil, status.Error(c.codes[n-1], "no: ünready")
	}
	return &collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{ErrorMessage: c.reject}}, nil
}

func TestClient_GRPC(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		variables []string
		codes     []codes.Code
		reject    string
		attempts  int32
		fails     string // Part of the error.
	}{
		{name: "plain", attempts: 1},
		{name: "without a scheme", variables: []string{"ENDPOINT=HOST", "INSECURE=true"}, attempts: 1},
		{name: "gzip", variables: []string{"COMPRESSION=gzip"}, attempts: 1},
		{name: "busy", codes: []codes.Code{codes.Unavailable}, attempts: 2},
		{name: "rejected", reject: "too old", attempts: 1, fails: "too old"},
		{name: "refused", codes: []codes.Code{codes.Unauthenticated}, attempts: 1, fails: `status "16": no: ünready`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var config net.ListenConfig
			listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			service, server := &grpcCollector{codes: tt.codes, reject: tt.reject}, grpc.NewServer()
			collector.RegisterTraceServiceServer(server, service)
			go server.Serve(listener) //nolint:errcheck // It ends with Stop.
			t.Cleanup(server.Stop)
			host := listener.Addr().String()
			variables := []string{"PROTOCOL=grpc", "HEADERS=x-tenant=t"}
			for _, v := range tt.variables {
				variables = append(variables, strings.Replace(v, "HOST", host, 1))
			}
			variables = append(variables, "ENDPOINT=http://"+host)
			err = client(t, variables...).UploadTraces(t.Context(), spans())
			if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("error %v, want %q", err, tt.fails)
			}
			if service.attempts.Load() != tt.attempts || service.tenant.Load() != "t" {
				t.Errorf("%d attempts with the tenant %v, want %d with t", service.attempts.Load(), service.tenant.Load(), tt.attempts)
			}
		})
	}
}

func TestNew_BadVariables(t *testing.T) {
	t.Parallel()
	const endpoint = "ENDPOINT=http://127.0.0.1:1"
	for _, tt := range []struct {
		name      string
		variables []string
		want      string // Part of the error.
	}{
		{name: "no scheme", variables: []string{"ENDPOINT=localhost:4318"}, want: `endpoint "localhost:4318" is not a URL`},
		{name: "no host", variables: []string{"ENDPOINT=http://"}, want: "is not a URL"},
		{name: "with a password", variables: []string{"ENDPOINT=ftp://me:pw@host"}, want: `"***@host"`},
		{name: "headers", variables: []string{endpoint, "HEADERS=secret"}, want: "the headers are not KEY=VALUE"},
		{name: "certificate", variables: []string{endpoint, "CERTIFICATE=/no/such/file"}, want: "/no/such/file"},
		{name: "certificate without one", variables: []string{endpoint, "CERTIFICATE=/dev/null"}, want: "holds no certificate"},
		{name: "certificate without a key", variables: []string{endpoint, "CLIENT_CERTIFICATE=/dev/null"}, want: "open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := otlp.New(getenv(tt.variables), func(err error) { t.Errorf("warning: %v", err) })
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "pw")) {
				t.Errorf("the error has a secret: %v", err)
			}
		})
	}
}

// A variable that cannot be right does not keep a span from being sent.
func TestNew_IgnoredVariables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, variable string
		want           string // The warning.
	}{
		{name: "protocol", variable: "PROTOCOL=http/json", want: `protocol "http/json" is not one of http/protobuf and grpc; the default, http/protobuf, is used`},
		{name: "compression", variable: "COMPRESSION=zstd", want: `compression "zstd" is not one of none and gzip; the default, none, is used`},
		{name: "timeout with a unit", variable: "TIMEOUT=5s", want: `timeout "5s" is not a number of milliseconds; the default, 10s, is used`},
		{name: "no timeout", variable: "TIMEOUT=0", want: `timeout "0" is not a number of milliseconds; the default, 10s, is used`},
		{name: "negative timeout", variable: "TIMEOUT=-1", want: `timeout "-1" is not a number of milliseconds; the default, 10s, is used`},
		{name: "timeout of centuries", variable: "TIMEOUT=9223372036854775807", want: `timeout "9223372036854775807" is not a number of milliseconds; the default, 10s, is used`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			received := 0
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received++ }))
			var warnings []string
			c, err := otlp.New(getenv([]string{tt.variable, "ENDPOINT=" + server.URL}), func(err error) { warnings = append(warnings, err.Error()) })
			if err != nil {
				t.Fatal(err)
			}
			if err := c.UploadTraces(t.Context(), spans()); err != nil {
				t.Error(err)
			}
			_ = c.Stop(t.Context())
			server.Close()
			if received != 1 || !slices.Equal(warnings, []string{tt.want}) {
				t.Errorf("%d requests and the warnings %q, want 1 and %q", received, warnings, tt.want)
			}
		})
	}
}
