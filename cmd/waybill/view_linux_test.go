// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/waybill-go/waybill/cmd/waybill/internal/live"
)

// BenchmarkView_Load exports a million spans of ten thousand flows, and a tenth more, to
// view on one core, while a page is open and shows the flows:
//
//	go -C cmd/waybill test -run '^$' -bench View_Load -benchtime 1x .
//
// It fails if view takes fewer than 20,000 spans in a second of its core, or more than
// 700 MB.
func BenchmarkView_Load(b *testing.B) {
	const (
		flows, spansOfFlow = 11_000, 100
		wantRate, wantMB   = 20_000, 700
	)
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), os.Args[0], "view", "--no-open", "--listen", "127.0.0.1:0")
		cmd.Env = append(os.Environ(), mainVariable+"=1", "GOMAXPROCS=1")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		var page, endpoint string
		for lines := bufio.NewScanner(stdout); endpoint == "" && lines.Scan(); {
			if _, found, ok := strings.Cut(lines.Text(), "waybill view is at "); ok {
				page = found
			}
			_, endpoint, _ = strings.Cut(lines.Text(), "OTEL_EXPORTER_OTLP_ENDPOINT=")
		}
		events := fetch(b, page+"events", nil)
		go func() { _, _ = io.Copy(io.Discard, events) }() // It ends with the command.
		const batch = 5
		drawn := time.Duration(0)
		started := time.Now()
		for n := 0; n < flows; n += batch {
			_ = fetch(b, endpoint+"/v1/traces", flowsOf(b, n, batch, spansOfFlow)).Close()
			if n%1000 == 0 {
				asked := time.Now()
				shown := fetch(b, fmt.Sprint(page, "flow/", n+1), nil)
				_, _ = io.Copy(io.Discard, shown)
				_ = shown.Close()
				drawn = max(drawn, time.Since(asked))
			}
		}
		took := time.Since(started)
		b.ReportMetric(float64(kept(b, page)), "flows")
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			b.Fatal("the system does not say what the command used")
		}
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		rate, megabytes := flows*spansOfFlow/cpu.Seconds(), float64(used.Maxrss)*1024/1e6
		b.ReportMetric(rate, "spans/cpu-s")
		b.ReportMetric(flows*spansOfFlow/took.Seconds(), "spans/s")
		b.ReportMetric(megabytes, "MB")
		b.ReportMetric(float64(drawn.Milliseconds()), "ms-to-draw")
		if rate < wantRate || megabytes > wantMB {
			b.Errorf("%.0f spans/s with %.0f MB, want %d with %d", rate, megabytes, wantRate, wantMB)
		}
	}
}

// fetch returns the body of an answer: to a GET, or to a POST of protobuf if there is a
// body.
func fetch(b *testing.B, address string, body []byte) io.ReadCloser {
	b.Helper()
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(b.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", address, response.Status)
	}
	return response.Body
}

// kept returns how many flows the page has.
func kept(b *testing.B, page string) int {
	b.Helper()
	events := fetch(b, page+"events", nil)
	defer events.Close()
	for lines := bufio.NewReader(events); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			b.Fatal(err)
		}
		var event struct{ List live.List }
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok {
			if err := json.Unmarshal(data, &event); err != nil {
				b.Fatal(err)
			}
			return event.List.Flows
		}
	}
}

// flowsOf returns flows as an SDK exports them: each a request, and messages that another
// service handles.
func flowsOf(b *testing.B, first, flows, spans int) []byte {
	b.Helper()
	traces := ptrace.NewTraces()
	var lists []ptrace.SpanSlice
	for _, service := range []string{"order-api", "warehouse-loader"} {
		resource := traces.ResourceSpans().AppendEmpty()
		for key, value := range map[string]string{
			"service.name": service, "service.instance.id": service + "-7c9d", "host.name": "worker-3", "telemetry.sdk.language": "go",
		} {
			resource.Resource().Attributes().PutStr(key, value)
		}
		scope := resource.ScopeSpans().AppendEmpty()
		scope.Scope().SetName("github.com/example/instrumentation")
		lists = append(lists, scope.Spans())
	}
	begin := time.Now()
	for n := first; n < first+flows; n++ {
		for i := range spans {
			s := lists[min(i%3, 1)].AppendEmpty()
			var id [16]byte
			binary.BigEndian.PutUint64(id[8:], uint64(n)+1) //nolint:gosec // It is positive.
			s.SetTraceID(id)
			s.SetSpanID(pcommon.SpanID{0: 1, 7: byte(i + 1)})
			if i > 0 {
				s.SetParentSpanID(pcommon.SpanID{0: 1, 7: byte((i-1)/3*3 + 1)})
				s.SetFlags(0x101)
			}
			s.SetName([]string{"send orders", "process orders", "load"}[i%3])
			s.SetKind([]ptrace.SpanKind{ptrace.SpanKindProducer, ptrace.SpanKindConsumer, ptrace.SpanKindInternal}[i%3])
			s.SetStartTimestamp(pcommon.NewTimestampFromTime(begin.Add(time.Duration(i) * time.Millisecond)))
			s.SetEndTimestamp(pcommon.NewTimestampFromTime(begin.Add(time.Duration(i+2) * time.Millisecond)))
			s.Attributes().PutStr("messaging.system", "kafka")
			s.Attributes().PutStr("messaging.destination.name", "orders")
			s.Attributes().PutStr("messaging.destination.partition.id", "3")
			s.Attributes().PutInt("messaging.kafka.offset", int64(n*spans+i/3))
			s.Attributes().PutStr("messaging.operation.name", "process")
			s.Attributes().PutStr("server.address", "broker-2.kafka.svc.cluster.local")
			s.Attributes().PutInt("server.port", 9092)
			s.Attributes().PutStr("orders.tenant", "a tenant with a name")
		}
	}
	message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		b.Fatal(err)
	}
	return message
}
