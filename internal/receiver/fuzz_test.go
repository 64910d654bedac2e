// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Whatever is sent is answered, what is accepted is within the limit, and the memory
// is given back.
func FuzzHandler(f *testing.F) {
	f.Add(false, "/v1/traces", "application/json", "", []byte("{}"))
	f.Add(false, "/v1/logs", "application/x-protobuf", "gzip", []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	f.Add(true, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc", "gzip", []byte("\x00\x00\x00\x00\x02ab"))
	f.Add(true, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc+proto", "identity", []byte("\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, grpc bool, path, contentType, encoding string, body []byte) {
		const limit = 1 << 10
		h := newHandler(Config{MaxBytes: limit, MaxTotalBytes: 64 << 10, Consume: func(r *Request) error {
			if len(r.Sent) > limit || len(r.Message) > limit {
				t.Errorf("an export of %d bytes, %d decompressed, was accepted; the limit is %d", len(r.Sent), len(r.Message), limit)
			}
			if len(r.Message)%2 == 1 {
				return errors.New("odd")
			}
			return nil
		}}.withDefaults())
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/", bytes.NewReader(body))
		r.URL.Path = path
		r.Header.Set("Content-Type", contentType)
		if grpc {
			r.ProtoMajor = 2
			r.Header.Set("Grpc-Encoding", encoding)
		} else {
			r.Header.Set("Content-Encoding", encoding)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if isGRPC(r) && w.Header().Get("Grpc-Status") == "" {
			t.Error("the answer has no grpc-status")
		}
		if got := h.memory.left.Load(); got != 64<<10 {
			t.Errorf("%d bytes of memory are left, want all", got)
		}
	})
}
