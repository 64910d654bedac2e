// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"mime"
	"net/http"
	"strings"
)

// The media types.
const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
	textType     = "text/plain; charset=utf-8"
)

// httpPaths are the paths of OTLP/HTTP.
var httpPaths = map[string]Signal{Traces.Path(): Traces, Metrics.Path(): Metrics, Logs.Path(): Logs}

// serveHTTP serves OTLP/HTTP.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp
func (h *handler) serveHTTP(w http.ResponseWriter, r *http.Request) {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // A wrong one is none of ours.
	refused := h.refuse(h.export(w, r, mediaType))
	switch {
	case refused == nil && mediaType == jsonType:
		answer(w, http.StatusOK, jsonType, []byte("{}"))
	case refused == nil:
		answer(w, http.StatusOK, protobufType, nil) // The message without fields is empty.
	case mediaType == jsonType:
		answer(w, refused.code, jsonType, refused.json())
	case mediaType == protobufType:
		answer(w, refused.code, protobufType, refused.protobuf())
	default:
		answer(w, refused.code, textType, []byte(refused.reason+"\n"))
	}
}

func answer(w http.ResponseWriter, code int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(code)
	_, _ = w.Write(body) // A client that does not read is not told.
}

// export accepts the export of r, or returns why it does not.
func (h *handler) export(w http.ResponseWriter, r *http.Request, mediaType string) error {
	if err := h.checkHost(r); err != nil {
		return err
	}
	signal, known := httpPaths[r.URL.Path]
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case !known:
		return &refusal{
			http.StatusNotFound, grpcUnimplemented,
			"OTLP is taken at /v1/traces, and not at " + clip(r.URL.Path) + ": the endpoint for traces must end with that path",
		}
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return &refusal{http.StatusMethodNotAllowed, grpcUnimplemented, "OTLP is sent with POST, and not with " + clip(r.Method)}
	case mediaType != protobufType && mediaType != jsonType:
		w.Header().Set("Accept", protobufType+", "+jsonType)
		return &refusal{
			http.StatusUnsupportedMediaType, grpcUnimplemented,
			"an export has the Content-Type " + clip(r.Header.Get("Content-Type")) + "; want " + protobufType + " or " + jsonType,
		}
	case encoding != "" && !strings.EqualFold(encoding, "identity") && !strings.EqualFold(encoding, gzipEncoding):
		w.Header().Set("Accept-Encoding", gzipEncoding)
		return &refusal{
			http.StatusUnsupportedMediaType, grpcUnimplemented,
			"an export has the Content-Encoding " + clip(encoding) + "; want " + gzipEncoding + " or none",
		}
	case r.ContentLength > int64(h.MaxBytes):
		w.Header().Set("Connection", "close") // Its body is not read.
		return errTooLarge
	}
	memory := &allowance{budget: &h.memory}
	defer memory.release()
	sent, err := memory.readAll(r.Body, h.MaxBytes)
	if err != nil {
		return err
	}
	return h.accept(memory, &Request{
		Signal: signal, JSON: mediaType == jsonType, Sent: sent, Compressed: strings.EqualFold(encoding, gzipEncoding), Header: r.Header,
	})
}

// maxReason is how many bytes of what a client sent a reason repeats.
const maxReason = 80

// clip returns the beginning of text.
func clip(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason] + "..."
	}
	return text
}
