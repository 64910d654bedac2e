// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/waybill-go/waybill/flowtest"
)

const (
	// childKey is the environment variable that makes this binary a child process.
	childKey = "FLOWTEST_CHILD"

	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// child is a process that continues the trace of its environment with a span, and exports
// it. It returns the exit code.
func child(name string) int {
	traceID, spanID, _ := strings.Cut(strings.TrimPrefix(os.Getenv("TRACEPARENT"), "00-"), "-")
	body := export(os.Getenv("OTEL_SERVICE_NAME"), spanOf(name, decode(traceID), decode(spanID[:16])))
	code, err := post(context.Background(), os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), protobufType, "", body)
	if err != nil || code != http.StatusOK {
		fmt.Fprintln(os.Stderr, "export:", code, err)
		return 1
	}
	return 0
}

func decode(id string) []byte {
	decoded, _ := hex.DecodeString(id)
	return decoded
}

// spanOf returns a span of a child process, with a remote parent.
func spanOf(name string, traceID, parent []byte) *tracepb.Span {
	return &tracepb.Span{
		TraceId: traceID, SpanId: []byte{1, 2, 3, 4, 5, 6, 7, 8}, ParentSpanId: parent, Flags: 0x301, Name: name,
		Kind: tracepb.Span_SPAN_KIND_CONSUMER, StartTimeUnixNano: uint64(time.Now().UnixNano()), EndTimeUnixNano: uint64(time.Now().Add(time.Millisecond).UnixNano()),
		Attributes: []*commonpb.KeyValue{{Key: "etl.rows.read", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 7}}}},
	}
}

// export returns the message that exports spans of a service.
func export(service string, spans ...*tracepb.Span) []byte {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}}}}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
	}}})
	if err != nil {
		panic(err)
	}
	return body
}

// post sends an export, and returns the status code.
func post(ctx context.Context, url, mediaType, encoding string, body []byte) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("Content-Encoding", encoding)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, errors.Join(err, response.Body.Close())
}

// started is a flow in which api starts a worker.
func started(f *flowtest.Flow) (ctx context.Context, end func()) {
	ctx, span := f.Service("api").Tracer("test").Start(f.Context(), "start worker", trace.WithSpanKind(trace.SpanKindProducer), at(0))
	return ctx, func() { span.End(at(1)) }
}

func TestFlow_Env_Child(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, end := started(f)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childKey+"=process orders", "OTEL_SERVICE_NAME=other")
	cmd.Env = append(cmd.Env, f.Env(ctx, "worker")...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end()
	fl := f.Wait(time.Minute, "worker process orders")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	fl.RequireOneTrace()
	fl.RequireNoFindings()
	fl.RequirePath("api start worker", "worker process orders")
	fl.Span("worker process orders").Remote().ChildOf("api start worker").Kind(trace.SpanKindConsumer).Attr("etl.rows.read", 7)
	fl.Golden("testdata/child.flow")
}

// A process that gets its contexts from messages starts without one.
func TestFlow_Env_WithoutSpan(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
	load := spanOf("load", []byte("0123456789abcdef"), nil)
	load.Kind = tracepb.Span_SPAN_KIND_INTERNAL
	if code, err := post(t.Context(), url, protobufType, "", export("worker", load)); err != nil || code != http.StatusOK {
		t.Fatalf("status %d, error %v; want 200", code, err)
	}
	f.Wait(time.Minute, "worker load").RequireNoFindings()
}

func TestFlow_Env_Variables(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, end := started(f)
	defer end()
	member, _ := baggage.NewMember("tenant", "a")
	bag, _ := baggage.New(member)
	environ := f.Env(baggage.ContextWithBaggage(ctx, bag), "worker")
	sc := trace.SpanContextFromContext(ctx)
	for _, want := range []string{
		"OTEL_SERVICE_NAME=worker",
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY=100",
		"OTEL_METRICS_EXPORTER=none",
		"OTEL_LOGS_EXPORTER=none",
		"OTEL_TRACES_SAMPLER=always_on",
		"TRACEPARENT=00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-01",
		"BAGGAGE=tenant=a",
		"TRACESTATE=",
	} {
		if !slices.Contains(environ, want) {
			t.Errorf("there is no %s in %q", want, environ)
		}
	}
	for _, prefix := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:", "WAYBILL="} {
		if !slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, prefix) && v != prefix }) {
			t.Errorf("there is no %s... in %q", prefix, environ)
		}
	}
	if !slices.IsSorted(environ) {
		t.Errorf("the variables are not in order: %q", environ)
	}
	first, second := f.EnvMap(f.Context(), "worker"), f.EnvMap(f.Context(), "other")
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	if first[endpoint] != second[endpoint] || first["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != first[endpoint]+"/v1/traces" {
		t.Errorf("endpoints %v and %v, want the same", first, second)
	}
	if value, ok := first["TRACEPARENT"]; value != "" || !ok {
		t.Errorf("TRACEPARENT without a span is %q, %t; want an empty one", value, ok)
	}
}

// Spans do not go to the proxy that a developer has to use.
func TestFlow_Env_Proxy(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	f := flowtest.New(t)
	if value, ok := f.EnvMap(t.Context(), "worker")["NO_PROXY"]; ok {
		t.Errorf("NO_PROXY without a proxy is %q, want none", value)
	}
	t.Setenv("http_proxy", "http://proxy:3128")
	t.Setenv("NO_PROXY", "example.com")
	variables := f.EnvMap(t.Context(), "worker")
	if got := variables["NO_PROXY"] + " " + variables["no_proxy"]; got != "example.com,127.0.0.1 127.0.0.1" {
		t.Errorf("NO_PROXY and no_proxy are %s, want example.com,127.0.0.1 127.0.0.1", got)
	}
}

// Whatever an SDK sends arrives, once.
func TestFlow_Env_Exports(t *testing.T) {
	t.Parallel()
	traceID := []byte("0123456789abcdef")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write(export("worker", spanOf("gzip", traceID, nil)))
	_ = w.Close()
	document := `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"worker"}}]},"scopeSpans":[{"spans":[` +
		`{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"json","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}`
	f := flowtest.New(t)
	url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
	for _, e := range []struct {
		mediaType, encoding string
		body                []byte
	}{
		{protobufType, "", export("worker", spanOf("protobuf", traceID, nil))},
		{protobufType, "gzip", zipped.Bytes()},
		{protobufType, "gzip", zipped.Bytes()},
		{jsonType, "", []byte(document)},
		{jsonType, "", []byte(document)},
		{protobufType, "", nil},
	} {
		if code, err := post(t.Context(), url, e.mediaType, e.encoding, e.body); err != nil || code != http.StatusOK {
			t.Errorf("%s %s: status %d, error %v; want 200", e.mediaType, e.encoding, code, err)
		}
	}
	if code, err := post(t.Context(), strings.Replace(url, "traces", "metrics", 1), protobufType, "", nil); err != nil || code != http.StatusOK {
		t.Errorf("metrics: status %d, error %v; want 200", code, err)
	}
	fl := f.Wait(time.Minute, "protobuf", "gzip", "json")
	for _, name := range []string{"protobuf", "gzip", "json"} {
		fl.Span("worker " + name).Times(1)
	}
	if got := len(fl.Spans()); got != 3 {
		t.Errorf("%d spans, want 3", got)
	}
}

// A span of which nobody says where its parent was is local to its process.
func TestFlow_Env_UnknownParents(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	ctx, end := started(f)
	end()
	sc := trace.SpanContextFromContext(ctx)
	traceID, spanID := sc.TraceID(), sc.SpanID()
	process, load, lost := spanOf("process", traceID[:], spanID[:]), spanOf("load", traceID[:], []byte{1, 2, 3, 4, 5, 6, 7, 8}), spanOf("lost", traceID[:], []byte("unknown."))
	load.SpanId, lost.SpanId = []byte("load...."), []byte("lost....")
	for _, s := range []*tracepb.Span{process, load, lost} {
		s.Flags = 1
	}
	url := f.EnvMap(ctx, "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
	if code, err := post(t.Context(), url, protobufType, "", export("worker", process, load, lost)); err != nil || code != http.StatusOK {
		t.Fatalf("status %d, error %v", code, err)
	}
	fl := f.Wait(time.Millisecond) // The parent of the last one does not come.
	fl.Span("process").Remote()
	fl.Span("lost").Remote()
	if fl.Span("load").Stub().Parent.IsRemote() {
		t.Error("a parent in the same process is remote")
	}
}

// Garbage does not end up in a flow, and a test that fails says that it came.
func TestFlow_Env_Hostile(t *testing.T) {
	t.Parallel()
	traceID := []byte("0123456789abcdef")
	short, good := spanOf("short", traceID[:8], nil), spanOf("good", traceID, nil)
	for name, tt := range map[string]struct {
		mediaType string
		body      []byte
		code      int
		note      string
	}{
		"garbage":      {protobufType, []byte("garbage"), http.StatusBadRequest, "no valid OTLP message"},
		"no JSON":      {jsonType, []byte("{"), http.StatusBadRequest, "no valid OTLP message"},
		"HTML":         {"text/html", []byte("<html>"), http.StatusUnsupportedMediaType, "Content-Type text/html"},
		"100 MB":       {protobufType, make([]byte, 100<<20), http.StatusRequestEntityTooLarge, "export fewer spans"},
		"a short id":   {protobufType, export("worker", short), http.StatusBadRequest, `span "short": the ids 3031323334353637 and`},
		"one of two":   {protobufType, export("worker", short, good), http.StatusOK, `span "short": the ids 3031323334353637 and`},
		"hostile name": {protobufType, export("worker", spanOf("\x1b[31m\n"+strings.Repeat("long", 1<<20), traceID[:3], nil)), http.StatusBadRequest, "span "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := run(t, func(tb testing.TB) {
				f := flowtest.New(tb)
				url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
				code, err := post(f.Context(), url, tt.mediaType, "", tt.body)
				if code != tt.code && err == nil { // The connection is closed before 100 MB are read.
					t.Errorf("status %d, want %d", code, tt.code)
				}
				f.Wait(0, "worker process orders")
			})
			text := failed.text.String()
			if !failed.failed || !strings.Contains(text, "not received: ") || !strings.Contains(text, tt.note) || len(text) > 5000 || strings.Contains(text, "\x1b") {
				t.Errorf("failed %t and printed %.2000q, want %q in it", failed.failed, text, tt.note)
			}
		})
	}
}

// Spans beyond the limit are left out and counted.
func TestFlow_Env_TooManySpans(t *testing.T) {
	t.Parallel()
	var spans []*tracepb.Span
	for n := range 6 {
		s := spanOf("process", []byte("0123456789abcdef"), nil)
		s.SpanId = fmt.Appendf(nil, "%08d", n)
		spans = append(spans, s)
	}
	failed := run(t, func(tb testing.TB) {
		f := flowtest.New(tb, flowtest.WithMaxReceived(5))
		url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
		for range 2 { // The second time, only one span is new.
			if code, err := post(f.Context(), url, protobufType, "", export("worker", spans...)); err != nil || code != http.StatusOK {
				t.Errorf("status %d, error %v", code, err)
			}
		}
		f.Wait(time.Minute).Span("worker process").Times(1)
	})
	for _, want := range []string{"was recorded 5×", "more than 5 spans were sent; 1 were left out"} {
		if text := failed.text.String(); !strings.Contains(text, want) {
			t.Errorf("printed %.1000s\nwant %q in it", text, want)
		}
	}
}

// Many spans take linear time.
func BenchmarkFlow_Env_Spans(b *testing.B) {
	var spans []*tracepb.Span
	for n := range 10_000 {
		s := spanOf("process", []byte("0123456789abcdef"), nil)
		s.SpanId = fmt.Appendf(nil, "%08d", n)
		spans = append(spans, s)
	}
	body := export("worker", spans...)
	for b.Loop() {
		f := flowtest.New(b)
		url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
		if code, err := post(f.Context(), url, protobufType, "", body); err != nil || code != http.StatusOK {
			b.Fatalf("status %d, error %v", code, err)
		}
		f.Wait(time.Minute, "process").Span("process").Times(len(spans))
	}
}

// A child that goes on after the test finds a closed port, whatever it is doing.
func TestFlow_Env_ChildOutlivesTheTest(t *testing.T) {
	t.Parallel()
	var url string
	var sending sync.WaitGroup
	body, unsent := io.Pipe() // An export that never ends.
	passes(t, func(tb testing.TB) {
		f := flowtest.New(tb)
		url = f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
		if err != nil {
			t.Error(err)
			return
		}
		r.Header.Set("Content-Type", protobufType)
		sending.Go(func() {
			if response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r); err == nil {
				_ = response.Body.Close()
			}
		})
		_, _ = unsent.Write(make([]byte, 12<<20)) // More than the system buffers, so it is being received.
	})
	_ = unsent.Close()
	sending.Wait()
	if code, err := post(t.Context(), url, protobufType, "", nil); err == nil {
		t.Errorf("status %d after the test, want a closed port", code)
	}
}

func TestFlow_Wait_SilentChild(t *testing.T) {
	t.Parallel()
	fails(t, "silent-child", func(tb testing.TB) {
		f := flowtest.New(tb)
		ctx, end := started(f)
		end()
		f.Env(ctx, "worker")
		f.Env(ctx, "worker")
		f.Wait(time.Millisecond, "worker load")
	})
}

// A process exports a parent after its children.
func TestFlow_Wait_ParentsOfOthers(t *testing.T) {
	t.Parallel()
	traceID, outside := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	root, process, load := spanOf("root", traceID, nil), spanOf("process", traceID, []byte("root....")), spanOf("load", traceID, []byte("process."))
	root.SpanId, process.SpanId, load.SpanId = []byte("root...."), []byte("process."), []byte("load....")
	local, called := proto.CloneOf(load), spanOf("called", outside, []byte("caller.."))
	local.Flags = 0x101
	for name, tt := range map[string]struct {
		first, then []*tracepb.Span
		timeout     time.Duration
		want        int
		log         string
	}{
		"a local parent":           {first: []*tracepb.Span{local}, then: []*tracepb.Span{process, root}, timeout: time.Minute, want: 3},
		"a remote parent":          {first: []*tracepb.Span{load, root}, then: []*tracepb.Span{process}, timeout: time.Minute, want: 3},
		"a caller outside":         {first: []*tracepb.Span{called}, timeout: time.Hour, want: 1},
		"a parent that never came": {first: []*tracepb.Span{local}, timeout: time.Millisecond, want: 1, log: `flowtest: Wait: after 1ms, the parent of "worker load" was not recorded`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := run(t, func(tb testing.TB) {
				f := flowtest.New(tb)
				send := func(spans []*tracepb.Span) {
					url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
					if code, err := post(f.Context(), url, protobufType, "", export("worker", spans...)); err != nil || code != http.StatusOK {
						t.Errorf("status %d, error %v", code, err)
					}
				}
				send(tt.first)
				var later sync.WaitGroup
				later.Go(func() { send(tt.then) })
				defer later.Wait()
				if got := len(f.Wait(tt.timeout, "worker "+tt.first[0].GetName()).Spans()); got != tt.want {
					t.Errorf("%d spans, want %d", got, tt.want)
				}
			})
			if text := strings.TrimSpace(failed.text.String()); failed.failed || text != tt.log {
				t.Errorf("failed %t, and printed %q, want %q", failed.failed, text, tt.log)
			}
		})
	}
}

// A child that has not sent a span has not been forgotten.
func TestFlow_Wait_ChildWithoutSpans(t *testing.T) {
	t.Parallel()
	f := run(t, func(tb testing.TB) {
		f := flowtest.New(tb)
		url := f.EnvMap(f.Context(), "worker")["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
		if code, err := post(f.Context(), url, protobufType, "", export("other", spanOf("process", []byte("0123456789abcdef"), nil))); err != nil || code != http.StatusOK {
			t.Errorf("status %d, error %v", code, err)
		}
		f.Wait(time.Millisecond)
	})
	if want := `no span of "worker" was received, but of ["other"]`; !f.failed || !strings.Contains(f.text.String(), want) {
		t.Errorf("failed %t, and printed %q, want %q", f.failed, f.text.String(), want)
	}
}

func TestFlow_Env_WithoutName(t *testing.T) {
	t.Parallel()
	if f := run(t, func(tb testing.TB) { flowtest.New(tb).Env(t.Context(), "") }); !f.failed {
		t.Error("a service without a name did not fail the test")
	}
	f := &lenient{fake{TB: t}}
	if got := flowtest.New(f).Env(t.Context(), ""); len(got) > 0 {
		t.Errorf("variables %q, want none", got)
	}
}

// A port is opened for the first child alone.
func TestFlow_Env_Concurrent(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	var group sync.WaitGroup
	urls := make([]string, 20)
	for n := range urls {
		group.Go(func() {
			service := fmt.Sprintf("worker-%d", n)
			urls[n] = f.EnvMap(f.Context(), service)["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
			traceID := fmt.Appendf(nil, "trace of number%02d", n)[:16]
			traceID[15] = byte(n)
			if code, err := post(t.Context(), urls[n], protobufType, "", export(service, spanOf("process", traceID, nil))); err != nil || code != http.StatusOK {
				t.Errorf("status %d, error %v", code, err)
			}
		})
	}
	fl := f.Wait(time.Minute)
	group.Wait()
	f.Wait(time.Minute).Span("process").Times(len(urls))
	if fl == nil || len(slices.Compact(urls)) != 1 {
		t.Errorf("endpoints %q, want one", urls)
	}
}
