// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// collector receives spans by OTLP over HTTP, as http/protobuf.
type collector struct {
	endpoint string

	mu    sync.Mutex
	spans bytes.Buffer // Messages of protobuf that follow each other are one message.
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.endpoint = server.URL
	return c
}

// ServeHTTP receives what an exporter sends.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, err := body(r)
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not spans as protobuf", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans.Write(content)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func body(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	unzipped, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unzipped)
}

// exporter returns one that sends to c.
func (c *collector) exporter(t *testing.T) sdktrace.SpanExporter {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(c.endpoint+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	return exporter
}

// traces returns what was received so far.
func (c *collector) traces(t *testing.T) ptrace.Traces {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(c.spans.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return traces
}
