// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute_test

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// spans receives the requests of exporters.
type spans chan *collector.ExportTraceServiceRequest

// newHTTPCollector returns the endpoint of a collector that speaks http/protobuf.
func newHTTPCollector(t *testing.T) (endpoint string, received spans) {
	t.Helper()
	received = make(spans, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			body = unzipped
		}
		content, err := io.ReadAll(body)
		request := &collector.ExportTraceServiceRequest{}
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(content, request) != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		received <- request
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server.URL, received
}

// grpcCollector is a collector that speaks gRPC.
type grpcCollector struct {
	collector.UnimplementedTraceServiceServer

	received spans
}

func (c *grpcCollector) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.received <- r
	return &collector.ExportTraceServiceResponse{}, nil
}

// newGRPCCollector returns the endpoint of a collector that speaks gRPC.
func newGRPCCollector(t *testing.T) (endpoint string, received spans) {
	t.Helper()
	listener := listen(t)
	server := grpc.NewServer()
	received = make(spans, 8)
	collector.RegisterTraceServiceServer(server, &grpcCollector{received: received})
	go server.Serve(listener) //nolint:errcheck // It ends with Stop.
	t.Cleanup(server.Stop)
	return "http://" + listener.Addr().String(), received
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// only returns the one span that was received, and the attributes of its resource.
func (s spans) only(t *testing.T) (*tracepb.Span, map[string]any) {
	t.Helper()
	if len(s) != 1 {
		t.Fatalf("the collector got %d requests, want 1", len(s))
	}
	request := <-s
	if len(request.ResourceSpans) != 1 || len(request.ResourceSpans[0].ScopeSpans) != 1 || len(request.ResourceSpans[0].ScopeSpans[0].Spans) != 1 {
		t.Fatalf("the collector got %v, want one span", request)
	}
	described := request.ResourceSpans[0]
	return described.ScopeSpans[0].Spans[0], attributesOf(described.Resource.Attributes)
}

// attributesOf returns attributes as a map of string, int64, float64 and []string.
func attributesOf(list []*common.KeyValue) map[string]any {
	attributes := map[string]any{}
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			attributes[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			attributes[a.Key] = v.IntValue
		case *common.AnyValue_DoubleValue:
			attributes[a.Key] = v.DoubleValue
		case *common.AnyValue_ArrayValue:
			var texts []string
			for _, text := range v.ArrayValue.Values {
				texts = append(texts, text.GetStringValue())
			}
			attributes[a.Key] = texts
		}
	}
	return attributes
}
