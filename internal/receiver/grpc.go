// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The methods of OTLP/gRPC.
// https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-request-and-response
var grpcMethods = map[string]Signal{
	"/opentelemetry.proto.collector.trace.v1.TraceService/Export":     Traces,
	"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Metrics,
	"/opentelemetry.proto.collector.logs.v1.LogsService/Export":       Logs,
}

// The header fields of gRPC.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
const (
	grpcType           = "application/grpc"
	grpcProtobufType   = "application/grpc+proto"
	grpcEncoding       = "Grpc-Encoding"
	grpcAcceptEncoding = "Grpc-Accept-Encoding"
	grpcStatus         = "Grpc-Status"
	grpcMessage        = "Grpc-Message"
)

// isGRPC reports whether r is a call of gRPC.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), grpcType)
}

// serveGRPC serves OTLP/gRPC, of which each method takes one message and returns one.
func (h *handler) serveGRPC(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", grpcType)
	w.Header().Set(grpcAcceptEncoding, "identity,"+gzipEncoding)
	if refused := h.refuse(h.call(r)); refused != nil { // An answer without a body, which has its trailers in the header.
		w.Header().Set(grpcStatus, strconv.Itoa(refused.status))
		w.Header().Set(grpcMessage, url.PathEscape(refused.reason))
		return
	}
	w.Header().Set("Trailer", grpcStatus)
	_, _ = w.Write(make([]byte, prefixLength)) // The prefix of an empty message.
	w.Header().Set(grpcStatus, strconv.Itoa(grpcOK))
}

// call accepts the export of r, or returns why it does not.
func (h *handler) call(r *http.Request) error {
	if err := h.checkHost(r); err != nil {
		return err
	}
	signal, known := grpcMethods[r.URL.Path]
	switch mediaType := r.Header.Get("Content-Type"); {
	case !known || r.Method != http.MethodPost:
		return &refusal{http.StatusNotFound, grpcUnimplemented, "there is no method " + clip(r.URL.Path) + " of OTLP"}
	case mediaType != grpcType && mediaType != grpcProtobufType:
		return &refusal{http.StatusUnsupportedMediaType, grpcUnimplemented, "gRPC is taken with protobuf, and not as " + clip(mediaType)}
	}
	memory := &allowance{budget: &h.memory}
	defer memory.release()
	sent, compressed, err := h.readMessage(memory, r)
	if err != nil {
		return err
	}
	return h.accept(memory, &Request{Signal: signal, Sent: sent, Compressed: compressed, Header: r.Header})
}

// prefixLength is the length of what precedes each message: a flag that says whether
// it is compressed, and its length.
const prefixLength = 5

// readMessage returns the one message of a call.
func (h *handler) readMessage(memory *allowance, r *http.Request) (sent []byte, compressed bool, err error) {
	var prefix [prefixLength]byte
	if _, err = io.ReadFull(r.Body, prefix[:]); err != nil {
		return nil, false, err
	}
	compressed = prefix[0] == 1
	length := int64(binary.BigEndian.Uint32(prefix[1:]))
	encoding := r.Header.Get(grpcEncoding)
	switch {
	case prefix[0] > 1 || compressed && (encoding == "" || encoding == "identity"):
		return nil, false, &refusal{http.StatusBadRequest, grpcInternal, "a message of gRPC is compressed, and its header does not say how"}
	case compressed && encoding != gzipEncoding:
		return nil, false, &refusal{
			http.StatusUnsupportedMediaType, grpcUnimplemented,
			"an export is compressed with " + clip(encoding) + "; want " + gzipEncoding + " or none",
		}
	case length > int64(h.MaxBytes):
		return nil, false, errTooLarge
	}
	if sent, err = memory.readAll(io.LimitReader(r.Body, length), h.MaxBytes); err != nil {
		return nil, false, err
	}
	if int64(len(sent)) < length {
		return nil, false, io.ErrUnexpectedEOF
	}
	if n, err := io.ReadFull(r.Body, prefix[:1]); n > 0 || !errors.Is(err, io.EOF) {
		return nil, false, errors.New("a call has more than one message")
	}
	return sent, compressed, nil
}
