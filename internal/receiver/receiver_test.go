// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waybill-go/waybill/internal/receiver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox keeps what a receiver was sent.
type inbox struct {
	mu       sync.Mutex
	requests []*receiver.Request
	refused  []string
	err      error // What Consume returns.
}

func (b *inbox) consume(r *receiver.Request) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	b.requests = append(b.requests, r)
	return nil
}

func (b *inbox) refuse(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, reason)
}

func (b *inbox) only(t *testing.T) *receiver.Request {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) != 1 {
		t.Fatalf("%d exports were accepted, want 1; refused: %q", len(b.requests), b.refused)
	}
	return b.requests[0]
}

// listen returns a receiver on a free port.
func listen(t *testing.T, c receiver.Config) *receiver.Receiver {
	t.Helper()
	r, err := receiver.Listen(t.Context(), c, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// client returns a client of HTTP/1.1, or of HTTP/2 without encryption.
func client(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: protocols, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func zipped(t testing.TB, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(body)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb returns 100 MB of zeros, compressed.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // The level is valid, and a buffer takes all.
	for range 100 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	return b.Bytes()
})

// answer is what a receiver answers.
type answer struct {
	code    int
	header  http.Header
	trailer http.Header
	body    string
}

func send(t *testing.T, c *http.Client, request *http.Request) answer {
	t.Helper()
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, response.Trailer, string(body)}
}

func request(t *testing.T, method, address string, body []byte, header map[string]string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range header {
		if key == "Host" {
			r.Host = value
		}
		r.Header.Set(key, value)
	}
	return r
}

func TestReceiver_HTTP(t *testing.T) {
	t.Parallel()
	body := []byte("a message")
	for _, tt := range []struct {
		name   string
		path   string
		header map[string]string
		body   []byte
		want   receiver.Request
		answer string
	}{
		{
			name: "protobuf", path: "/v1/traces", header: map[string]string{"Content-Type": "application/x-protobuf"}, body: body,
			want: receiver.Request{Signal: receiver.Traces, Message: body, Sent: body},
		},
		{
			name: "JSON", path: "/v1/traces", header: map[string]string{"Content-Type": "application/json; charset=utf-8"}, body: body,
			want: receiver.Request{Signal: receiver.Traces, JSON: true, Message: body, Sent: body}, answer: "{}",
		},
		{
			name: "gzip", path: "/v1/traces", header: map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
			body: zipped(t, body), want: receiver.Request{Signal: receiver.Traces, Message: body, Sent: zipped(t, body), Compressed: true},
		},
		{
			name: "empty", path: "/v1/traces", header: map[string]string{"Content-Type": "application/x-protobuf"},
			want: receiver.Request{Signal: receiver.Traces},
		},
		{
			name: "metrics", path: "/v1/metrics", header: map[string]string{"Content-Type": "application/x-protobuf"}, body: body,
			want: receiver.Request{Signal: receiver.Metrics, Sent: body},
		},
		{
			name: "logs", path: "/v1/logs", header: map[string]string{"Content-Type": "application/json"}, body: body,
			want: receiver.Request{Signal: receiver.Logs, JSON: true, Sent: body}, answer: "{}",
		},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s HTTP/2 %v", tt.name, http2), func(t *testing.T) {
				t.Parallel()
				var received inbox
				r := listen(t, receiver.Config{Consume: received.consume, Refused: received.refuse})
				got := send(t, client(t, http2), request(t, http.MethodPost, r.Endpoint()+tt.path, tt.body, tt.header))
				contentType, _, _ := strings.Cut(tt.header["Content-Type"], ";")
				if got.code != http.StatusOK || got.body != tt.answer || got.header.Get("Content-Type") != contentType {
					t.Errorf("answer: %+v, want 200, %q and the same Content-Type", got, tt.answer)
				}
				export := received.only(t)
				if export.Signal != tt.want.Signal || export.JSON != tt.want.JSON || export.Compressed != tt.want.Compressed ||
					!bytes.Equal(export.Message, tt.want.Message) || !bytes.Equal(export.Sent, tt.want.Sent) {
					t.Errorf("export: %+v, want %+v", export, tt.want)
				}
			})
		}
	}
}

const maxBytes = 1 << 20

func TestReceiver_HTTPRefuses(t *testing.T) {
	t.Parallel()
	protobuf := map[string]string{"Content-Type": "application/x-protobuf"}
	with := func(keysAndValues ...string) map[string]string {
		header := map[string]string{"Content-Type": "application/x-protobuf"}
		for i := 0; i < len(keysAndValues); i += 2 {
			header[keysAndValues[i]] = keysAndValues[i+1]
		}
		return header
	}
	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		body               []byte
		consume            error
		code               int
		says               string
		answerHeader       string // A field that the answer must have.
	}{
		{name: "another path", path: "/", header: protobuf, code: 404, says: "must end with that path"},
		{name: "another method", method: http.MethodGet, path: "/v1/traces", header: protobuf, code: 405, says: "POST", answerHeader: "Allow"},
		{name: "a preflight of a browser", method: http.MethodOptions, path: "/v1/traces", header: with("Origin", "https://example.com"), code: 405},
		{name: "no type", path: "/v1/traces", code: 415, says: "application/json", answerHeader: "Accept"},
		{name: "a type that a page may send", path: "/v1/traces", header: with("Content-Type", "text/plain"), code: 415},
		{name: "another compression", path: "/v1/traces", header: with("Content-Encoding", "br"), code: 415, says: "gzip", answerHeader: "Accept-Encoding"},
		{name: "damaged gzip", path: "/v1/traces", header: with("Content-Encoding", "gzip"), body: []byte("hello, this is no gzip"), code: 400, says: "gzip"},
		{name: "truncated gzip", path: "/v1/traces", header: with("Content-Encoding", "gzip"), body: zipped(t, []byte("hello"))[:12], code: 400},
		{name: "no message", path: "/v1/traces", header: protobuf, body: []byte("x"), consume: errors.New("wrong wire type"), code: 400, says: "wrong wire type"},
		{name: "busy", path: "/v1/traces", header: protobuf, consume: fmt.Errorf("full: %w", receiver.ErrBusy), code: 503, says: "later", answerHeader: "Retry-After"},
		{name: "too large", path: "/v1/traces", header: protobuf, body: make([]byte, maxBytes+1), code: 413, says: "1048576"},
		{name: "a bomb", path: "/v1/traces", header: with("Content-Encoding", "gzip"), body: bomb(), code: 413},
		{name: "another host", path: "/v1/traces", header: with("Host", "evil.example.com:4318"), code: 403, says: "evil.example.com"},
	} {
		for _, asJSON := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s JSON %v", tt.name, asJSON), func(t *testing.T) {
				t.Parallel()
				received := inbox{err: tt.consume}
				r := listen(t, receiver.Config{Consume: received.consume, Refused: received.refuse, MaxBytes: maxBytes})
				method := tt.method
				if method == "" {
					method = http.MethodPost
				}
				sent := request(t, method, r.Endpoint()+tt.path, tt.body, tt.header)
				if asJSON && sent.Header.Get("Content-Type") == "application/x-protobuf" {
					sent.Header.Set("Content-Type", "application/json")
				}
				got := send(t, client(t, false), sent)
				if got.code != tt.code || !strings.Contains(got.body, tt.says) {
					t.Errorf("answer %d %q, want %d with %q", got.code, got.body, tt.code, tt.says)
				}
				if tt.answerHeader != "" && got.header.Get(tt.answerHeader) == "" {
					t.Errorf("the answer has no %s: %v", tt.answerHeader, got.header)
				}
				if got.header.Get("Access-Control-Allow-Origin") != "" {
					t.Error("the answer allows pages of other sites to read it")
				}
				if n := len(received.refused); n != 1 {
					t.Errorf("%d reasons were given, want 1: %q", n, received.refused)
				}
			})
		}
	}
}

// The body of an error is a google.rpc.Status in the encoding of the request.
func TestReceiver_HTTPStatus(t *testing.T) {
	t.Parallel()
	received := inbox{err: errors.New(strings.Repeat("long ", 100))}
	r := listen(t, receiver.Config{Consume: received.consume})
	for contentType, want := range map[string]string{
		"application/json":       `{"message":"an export is no valid OTLP message: long `,
		"application/x-protobuf": "\x12\x77an export is no valid OTLP message: long ",
	} {
		got := send(t, client(t, false), request(t, http.MethodPost, r.Endpoint()+"/v1/traces", nil, map[string]string{"Content-Type": contentType}))
		if !strings.HasPrefix(got.body, want) || got.header.Get("Content-Type") != contentType {
			t.Errorf("answer %q of type %q, want %q…", got.body, got.header.Get("Content-Type"), want)
		}
	}
}

// frame returns body as a message of gRPC.
func frame(flag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(body))), body...) //nolint:gosec // It is short.
}

const traceMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

func TestReceiver_GRPC(t *testing.T) {
	t.Parallel()
	body := []byte("a message")
	for _, tt := range []struct {
		name, path string
		header     map[string]string
		body       []byte
		consume    error
		status     string
		says       string
		want       *receiver.Request
	}{
		{name: "plain", body: frame(0, body), status: "0", want: &receiver.Request{Signal: receiver.Traces, Message: body, Sent: body}},
		{
			name: "gzip", header: map[string]string{"Grpc-Encoding": "gzip"}, body: frame(1, zipped(t, body)), status: "0",
			want: &receiver.Request{Signal: receiver.Traces, Message: body, Sent: zipped(t, body), Compressed: true},
		},
		{
			name: "gzip that is not used", header: map[string]string{"Grpc-Encoding": "gzip"}, body: frame(0, body), status: "0",
			want: &receiver.Request{Signal: receiver.Traces, Message: body, Sent: body},
		},
		{name: "empty", body: frame(0, nil), status: "0", want: &receiver.Request{Signal: receiver.Traces}},
		{
			name: "metrics", path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", body: frame(0, body), status: "0",
			want: &receiver.Request{Signal: receiver.Metrics, Sent: body},
		},
		{
			name: "logs", path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export", body: frame(0, body), status: "0",
			want: &receiver.Request{Signal: receiver.Logs, Sent: body},
		},
		{name: "another method", path: "/grpc.health.v1.Health/Check", body: frame(0, nil), status: "12", says: "Health"},
		{name: "JSON", header: map[string]string{"Content-Type": "application/grpc+json"}, body: frame(0, nil), status: "12", says: "json"},
		{name: "another compression", header: map[string]string{"Grpc-Encoding": "snappy"}, body: frame(1, body), status: "12", says: "snappy"},
		{name: "compressed without a header", body: frame(1, zipped(t, body)), status: "13"},
		{name: "damaged gzip", header: map[string]string{"Grpc-Encoding": "gzip"}, body: frame(1, body), status: "3"},
		{name: "no frame", status: "3"},
		{name: "a truncated frame", body: frame(0, body)[:8], status: "3"},
		{name: "two frames", body: append(frame(0, body), frame(0, body)...), status: "3"},
		{name: "a frame that claims 4 GB", body: []byte{0, 0xff, 0xff, 0xff, 0xff, 1}, status: "8"},
		{name: "too large", body: frame(0, make([]byte, maxBytes+1)), status: "8"},
		{name: "a bomb", header: map[string]string{"Grpc-Encoding": "gzip"}, body: frame(1, bomb()), status: "8"},
		{name: "no message", body: frame(0, body), consume: errors.New("wrong wire type"), status: "3", says: "wrong wire type"},
		{name: "busy", body: frame(0, body), consume: receiver.ErrBusy, status: "14"},
		{name: "another host", header: map[string]string{"Host": "evil.example.com"}, body: frame(0, body), status: "7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			received := inbox{err: tt.consume}
			r := listen(t, receiver.Config{Consume: received.consume, Refused: received.refuse, MaxBytes: maxBytes})
			header := map[string]string{"Content-Type": "application/grpc", "Te": "trailers"}
			maps.Copy(header, tt.header)
			path := tt.path
			if path == "" {
				path = traceMethod
			}
			got := send(t, client(t, true), request(t, http.MethodPost, r.Endpoint()+path, tt.body, header))
			status, message := got.trailer.Get("Grpc-Status"), got.trailer.Get("Grpc-Message")
			if tt.status != "0" { // The trailers are in the header of an answer without a body.
				status, message = got.header.Get("Grpc-Status"), got.header.Get("Grpc-Message")
			}
			if got.code != http.StatusOK || status != tt.status || !strings.Contains(message, strings.ReplaceAll(tt.says, " ", "%20")) {
				t.Errorf("answer %+v, want status %s with %q", got, tt.status, tt.says)
			}
			if tt.want == nil {
				return
			}
			if got.body != "\x00\x00\x00\x00\x00" {
				t.Errorf("body %q, want an empty message", got.body)
			}
			export := received.only(t)
			if export.Signal != tt.want.Signal || export.JSON || export.Compressed != tt.want.Compressed ||
				!bytes.Equal(export.Message, tt.want.Message) || !bytes.Equal(export.Sent, tt.want.Sent) {
				t.Errorf("export: %+v, want %+v", export, tt.want)
			}
		})
	}
}

// A client that stops in the middle of its export, or of its header, is cut off.
func TestReceiver_SlowClients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text string }{
		{name: "in the header", text: "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nX-Slow: "},
		{name: "in the body", text: "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"},
		{name: "before the first byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var received inbox
			r := listen(t, receiver.Config{Consume: received.consume, Timeout: 50 * time.Millisecond})
			conn := dial(t, r)
			if _, err := io.WriteString(conn, tt.text); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(15 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection was not closed")
			}
			if len(received.requests) != 0 {
				t.Errorf("an incomplete export was accepted")
			}
		})
	}
}

func dial(t *testing.T, r *receiver.Receiver) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Clients beyond the limit wait until another has left.
func TestReceiver_MaxConnections(t *testing.T) {
	t.Parallel()
	var received inbox
	r := listen(t, receiver.Config{Consume: received.consume, MaxConnections: 1})
	first := dial(t, r)
	if _, err := io.WriteString(first, "POST "); err != nil {
		t.Fatal(err)
	}
	answered := make(chan answer, 1)
	second := client(t, false)
	waiting := request(t, http.MethodPost, r.Endpoint()+"/v1/traces", nil, map[string]string{"Content-Type": "application/json"})
	go func() { answered <- send(t, second, waiting) }()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got.code != http.StatusOK {
		t.Errorf("answer %+v, want 200", got)
	}
}

// Exports that need more memory in all than there is are to be sent again.
func TestReceiver_MaxTotalBytes(t *testing.T) {
	t.Parallel()
	started, proceed := make(chan struct{}), make(chan struct{})
	r := listen(t, receiver.Config{MaxTotalBytes: 1 << 20, Consume: func(*receiver.Request) error {
		started <- struct{}{}
		<-proceed
		return nil
	}})
	header := map[string]string{"Content-Type": "application/json"}
	body := make([]byte, 600<<10)
	first := request(t, http.MethodPost, r.Endpoint()+"/v1/traces", body, header)
	second := request(t, http.MethodPost, r.Endpoint()+"/v1/traces", body, header)
	third := request(t, http.MethodPost, r.Endpoint()+"/v1/traces", body, header)
	answered := make(chan answer, 1)
	c := client(t, false)
	go func() { answered <- send(t, c, first) }()
	<-started
	if got := send(t, c, second); got.code != http.StatusServiceUnavailable {
		t.Errorf("the second export: answer %+v, want 503", got)
	}
	close(proceed)
	if got := <-answered; got.code != http.StatusOK {
		t.Errorf("the first export: answer %+v, want 200", got)
	}
	go func() { <-started }()
	if got := send(t, c, third); got.code != http.StatusOK {
		t.Errorf("an export after the others: answer %+v, want 200", got)
	}
}

func TestReceiver_NoticesTLS(t *testing.T) {
	t.Parallel()
	reasons := make(chan string, 1)
	r := listen(t, receiver.Config{Consume: func(*receiver.Request) error { return nil }, Refused: func(reason string) { reasons <- reason }})
	if _, err := io.WriteString(dial(t, r), "\x16\x03\x01\x00\x05hello\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-reasons; !strings.Contains(got, "TLS") {
		t.Errorf("reason %q, want one about TLS", got)
	}
}

func TestReceiver_SurvivesPanic(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Config{Consume: func(*receiver.Request) error { panic("oops") }})
	got := send(t, client(t, false), request(t, http.MethodPost, r.Endpoint()+"/v1/traces", nil, map[string]string{"Content-Type": "application/json"}))
	if got.code != http.StatusBadRequest {
		t.Errorf("answer %+v, want 400", got)
	}
}

func TestReceiver_Concurrent(t *testing.T) {
	t.Parallel()
	var received inbox
	r := listen(t, receiver.Config{Consume: received.consume, Refused: received.refuse})
	const clients, exports = 20, 20
	var sending sync.WaitGroup
	for n := range clients {
		c := client(t, n%2 == 0)
		sending.Go(func() {
			for range exports {
				r := request(t, http.MethodPost, r.Endpoint()+"/v1/traces", []byte("{}"), map[string]string{"Content-Type": "application/json"})
				response, err := c.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close()
			}
		})
	}
	sending.Wait()
	if len(received.requests) != clients*exports {
		t.Errorf("%d exports, want %d; refused: %q", len(received.requests), clients*exports, received.refused)
	}
}

func TestListen_PortInUse(t *testing.T) {
	t.Parallel()
	r := listen(t, receiver.Config{Consume: func(*receiver.Request) error { return nil }})
	taken := r.Addresses()[0].String()
	if _, err := receiver.Listen(t.Context(), receiver.Config{}, "127.0.0.1:0", taken); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("error %v, want one that names %s", err, taken)
	}
}

func TestIsLocal(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "localhost:4318": true, "LOCALHOST.": true, "app.localhost": true, "127.0.0.1:4318": true, "[::1]:4318": true, "[::1]": true,
		"192.168.1.7": true, "host.docker.internal:4318": true, "laptop.local": true, "otel-collector:4318": true,
		"": false, "example.com": false, "127.0.0.1.example.com": false, "localhost.example.com:4318": false, "evil.internal.example": false,
	} {
		if got := receiver.IsLocal(host); got != want {
			t.Errorf("IsLocal(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:4318": true, "localhost:0": true, "[::1]:4318": true, "127.9.9.9:1": true,
		":4318": false, "0.0.0.0:4318": false, "[::]:4318": false, "192.168.1.7:4318": false, "example.com:80": false, "4318": false,
	} {
		if got := receiver.IsLoopback(address); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", address, got, want)
		}
	}
}
