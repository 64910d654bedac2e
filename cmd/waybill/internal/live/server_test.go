// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/cmd/waybill/internal/live"
)

// serve serves a store.
func serve(t *testing.T, s *live.Store, address string) *live.Server {
	t.Helper()
	server, err := live.Serve(t.Context(), s, address, live.ServerConfig{Endpoints: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=<here>"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return server
}

// browser returns a client that keeps cookies.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar, Timeout: 20 * time.Second}
}

// get returns the answer to a request, and its code.
func get(t *testing.T, c *http.Client, method, address, body string, header map[string]string) (string, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range header {
		r.Header.Set(key, value)
		if key == "Host" {
			r.Host = value
		}
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text), response
}

func TestServer_Page(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s, span{trace: 1, id: 1, service: "<api>", name: "GET <orders>"})
	address := serve(t, s, "127.0.0.1:0").Address()
	for _, tt := range []struct {
		path   string
		want   []string
		header map[string]string
	}{
		{path: "", want: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=&lt;here&gt;", `data-state="broken"`}, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		{path: "flow/1", want: []string{"CONNECTED", "GET &lt;orders&gt;", `id="data"`}, header: map[string]string{"Waybill-Version": strconv.FormatUint(s.CurrentVersion(), 10)}},
		{path: "save", want: []string{`"resourceSpans"`}, header: map[string]string{"Content-Type": "application/x-ndjson"}},
	} {
		text, response := get(t, browser(t), http.MethodGet, address+tt.path, "", nil)
		for _, want := range tt.want {
			if response.StatusCode != http.StatusOK || !strings.Contains(text, want) {
				t.Errorf("/%s: %s without %q", tt.path, response.Status, want)
			}
		}
		for key, want := range tt.header {
			if got := response.Header.Get(key); got != want {
				t.Errorf("/%s: %s is %q, want %q", tt.path, key, got, want)
			}
		}
		if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("/%s: policy %q", tt.path, policy)
		}
	}
}

// A page of another site can neither read nor change anything, under whatever name it
// finds this machine.
func TestServer_Refuses(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s, span{trace: 1, id: 1})
	address := serve(t, s, "127.0.0.1:0").Address()
	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		code               int
	}{
		{name: "another host", method: http.MethodGet, header: map[string]string{"Host": "evil.example.com"}, code: 403},
		{name: "another host posts", method: http.MethodPost, path: "clear", header: map[string]string{"Host": "evil.example.com"}, code: 403},
		{name: "a cross-site post", method: http.MethodPost, path: "clear", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, code: 403},
		{name: "a post of another port", method: http.MethodPost, path: "clear", header: map[string]string{"Sec-Fetch-Site": "same-site"}, code: 403},
		{name: "a post of an old browser", method: http.MethodPost, path: "load", header: map[string]string{"Origin": "https://example.com"}, code: 403},
		{name: "a cross-site read", method: http.MethodGet, path: "events", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, code: 403},
		{name: "clear with GET", method: http.MethodGet, path: "clear", code: 405},
		{name: "no such path", method: http.MethodGet, path: "etc/passwd", code: 404},
		{name: "no such flow", method: http.MethodGet, path: "flow/2", code: 404},
		{name: "no number", method: http.MethodGet, path: "flow/x", code: 404},
		{name: "no recording", method: http.MethodPost, path: "load", code: 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, response := get(t, browser(t), tt.method, address+tt.path, "", tt.header); response.StatusCode != tt.code {
				t.Errorf("%s, want %d", response.Status, tt.code)
			}
			if s.Totals().Flows != 1 {
				t.Error("the flows were changed")
			}
		})
	}
}

// Beyond this machine, a browser needs the token that is in the printed address.
func TestServer_Token(t *testing.T) {
	t.Parallel()
	server := serve(t, live.NewStore(live.Limits{}), "0.0.0.0:0")
	with, err := url.Parse(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	without := *with
	without.RawQuery = ""
	if len(with.Query().Get("token")) < 20 {
		t.Fatalf("address %s, want one with a token", with)
	}
	stranger, friend := browser(t), browser(t)
	for _, address := range []string{without.String(), without.String() + "save", without.String() + "?token=wrong", without.String() + "flow/1?" + with.RawQuery} {
		if _, response := get(t, stranger, http.MethodGet, address, "", nil); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the token: %s, want 403", address, response.Status)
		}
	}
	if _, response := get(t, friend, http.MethodGet, with.String(), "", nil); response.StatusCode != http.StatusOK || response.Request.URL.RawQuery != "" {
		t.Errorf("with the token: %s at %s, want 200 at an address without it", response.Status, response.Request.URL)
	}
	if _, response := get(t, friend, http.MethodGet, without.String()+"save", "", nil); response.StatusCode != http.StatusOK {
		t.Errorf("after that: %s, want 200", response.Status)
	}
}

// event is what the page is sent.
type event struct {
	List live.List
	Flow struct{ Number, Version uint64 }
}

// events returns a func that waits for the next event.
func events(t *testing.T, address string) func() event {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := browser(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	return func() event {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var e event
				if err := json.Unmarshal([]byte(data), &e); err != nil {
					t.Fatal(err)
				}
				return e
			}
		}
		t.Fatalf("the events have ended: %v", lines.Err())
		return event{}
	}
}

func TestServer_Events(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	add(t, s, span{trace: 1, id: 1, service: "api", name: "send"}, span{trace: 2, id: 1, service: "etl", name: "process"})
	next := events(t, serve(t, s, "127.0.0.1:0").Address()+"events?flow=2&service=api")
	first := next()
	if first.List.Matching != 1 || first.List.Flows != 2 || first.Flow.Number != 2 {
		t.Errorf("first event: %+v, want 1 of 2 flows, and flow 2", first)
	}
	add(t, s, span{trace: 1, id: 2, links: []int{2}, service: "api", name: "more"})
	second := next()
	if second.List.Flows != 1 || second.Flow.Number != 1 || second.Flow.Version <= first.Flow.Version {
		t.Errorf("second event: %+v, want one flow, which flow 2 was joined with", second)
	}
}

// A client that does not read does not hold up anything, and the server can be closed.
func TestServer_HangingClient(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	server := serve(t, s, "127.0.0.1:0")
	address, err := url.Parse(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 100 {
		add(t, s, span{trace: n + 1, id: 1, service: strings.Repeat("x", 200), name: strings.Repeat("y", 200)})
	}
	if _, response := get(t, browser(t), http.MethodGet, server.Address()+"flow/1", "", nil); response.StatusCode != http.StatusOK {
		t.Errorf("another client: %s, want 200", response.Status)
	}
}

func TestServer_TooManyClients(t *testing.T) {
	t.Parallel()
	address := serve(t, live.NewStore(live.Limits{}), "127.0.0.1:0").Address() + "events"
	for range live.MaxWatching {
		events(t, address)()
	}
	if _, response := get(t, browser(t), http.MethodGet, address, "", nil); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("one more: %s, want 503", response.Status)
	}
}

func TestServer_LoadAndClear(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	address := serve(t, s, "127.0.0.1:0").Address()
	line := jsonLine(t, span{trace: 1, id: 1, service: "api", name: "send"})
	text, response := get(t, browser(t), http.MethodPost, address+"load", line+"{damaged\n"+line, nil)
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(text, "Loaded 2 spans. 1 place could not be read: ") {
		t.Errorf("load: %s %q", response.Status, text)
	}
	if text, response := get(t, browser(t), http.MethodPost, address+"clear", "", map[string]string{"Sec-Fetch-Site": "same-origin"}); response.StatusCode != http.StatusOK {
		t.Errorf("clear: %s %q", response.Status, text)
	}
	if got := s.Totals(); got != (live.Totals{}) {
		t.Errorf("after clear: %+v", got)
	}
}

// jsonLine returns spans as a line of OTLP/JSON.
func jsonLine(t testing.TB, spans ...span) string {
	t.Helper()
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(export(t, spans...))
	if err != nil {
		t.Fatal(err)
	}
	line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

const jaeger = `{"data":[{"traceID":"1","spans":[
 {"traceID":"1","spanID":"1","operationName":"send orders","startTime":1700000000000000,"duration":1000,"processID":"p1","tags":[{"key":"span.kind","value":"producer"}]},
 {"traceID":"1","spanID":"2","operationName":"process orders","references":[{"refType":"CHILD_OF","traceID":"1","spanID":"1"}],"startTime":1700000000000000,"duration":1000,"processID":"p2","tags":[{"key":"span.kind","value":"consumer"},{"key":"messaging.batch.message_count","type":"int64","value":1}]}],
 "processes":{"p1":{"serviceName":"api"},"p2":{"serviceName":"job"}}}]}`

func TestStore_Load(t *testing.T) {
	t.Parallel()
	one := jsonLine(t, span{trace: 1, id: 1, service: "api", name: "send"})
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(w, one+one); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		spans      int
		damaged    int
		fails      bool
	}{
		{name: "lines", text: one + "\n" + one, spans: 2},
		{name: "a last line without an end", text: one + strings.TrimSpace(one), spans: 2},
		{name: "one line without an end", text: strings.TrimSpace(one), spans: 1},
		{name: "metrics between", text: one + `{"resourceMetrics":[]}` + "\n" + one, spans: 2},
		{name: "a damaged line", text: one + `{"resourceSpans":[{` + "\n" + one, spans: 2, damaged: 1},
		{name: "a document of several lines", text: strings.ReplaceAll(one, `"scopeSpans"`, "\n\"scopeSpans\""), spans: 1},
		{name: "gzip", text: zipped.String(), spans: 2},
		{name: "truncated gzip", text: zipped.String()[:zipped.Len()-8], spans: 2, damaged: 1},
		{name: "protobuf", text: string(export(t, span{trace: 1, id: 1})), spans: 1},
		{name: "Jaeger", text: jaeger, spans: 2},
		{name: "something else", text: "hello\nworld\n", damaged: 2, fails: true},
		{name: "nothing", fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := live.NewStore(live.Limits{})
			loaded, err := s.Load(t.Context(), strings.NewReader(tt.text))
			if (err != nil) != tt.fails || loaded.Spans != tt.spans || loaded.Damaged != tt.damaged {
				t.Errorf("Load: %d spans, %d damaged, %v; want %d and %d", loaded.Spans, loaded.Damaged, err, tt.spans, tt.damaged)
			}
			if got := s.Totals().Received; got != tt.spans {
				t.Errorf("%d spans are there, want %d", got, tt.spans)
			}
		})
	}
}

// A file is followed from before it exists, and when it is truncated or replaced.
func TestStore_Follow(t *testing.T) {
	t.Parallel()
	s := live.NewStore(live.Limits{})
	name := filepath.Join(t.TempDir(), "spans.jsonl")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var loaded live.Loaded
	var failed error
	go func() { defer close(ended); loaded, failed = s.Follow(ctx, name) }()
	received := 0
	write := func(what string, flags int, text string, spans int) {
		t.Helper()
		f, err := os.OpenFile(name, flags|os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(text)
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		received += spans
		for s.Totals().Received < received {
			select {
			case <-time.After(time.Millisecond):
			case <-t.Context().Done():
				t.Fatalf("%s: %d spans, want %d", what, s.Totals().Received, received)
			}
		}
	}
	line := func(n int) string { return jsonLine(t, span{trace: n, id: 1, service: "api", name: "send"}) }
	write("created", 0, line(1), 1)
	write("half a line", os.O_APPEND, line(2)[:20], 0)
	write("the other half", os.O_APPEND, line(2)[20:]+line(3), 2)
	write("a damaged line", os.O_APPEND, "{damaged\n"+line(4), 1)
	write("truncated", os.O_TRUNC, line(5), 1)
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	write("replaced", os.O_EXCL, line(6)+line(7), 2)
	write("appended to", os.O_APPEND, line(8)+line(9), 2)
	stop()
	<-ended
	if got := s.Totals(); failed != nil || loaded.Spans != 9 || loaded.Damaged != 1 || got.Flows != 9 {
		t.Errorf("%d spans, %d damaged, %d flows, %v; want 9 of 9 flows and 1 damaged", loaded.Spans, loaded.Damaged, got.Flows, failed)
	}
}
