// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

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
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The waits between attempts, and how much of an answer is read.
const (
	firstWait = 200 * time.Millisecond
	lastWait  = 2 * time.Second
	maxAnswer = 64 << 10
)

// Client sends spans to one collector. [New] returns it.
type Client struct {
	http    *http.Client
	url     string
	header  http.Header
	timeout time.Duration
	gzip    bool
	grpc    bool
}

var _ otlptrace.Client = (*Client)(nil)

// Start implements [otlptrace.Client].
func (c *Client) Start(context.Context) error { return nil }

// Stop implements [otlptrace.Client].
func (c *Client) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, and tries again while the collector is busy or is not there yet,
// as one in a sidecar, until ctx is done or the timeout of the variables is over.
func (c *Client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// The request of the service is the same message under another name.
	message, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	body, err := c.encode(message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		after, err := c.post(ctx, body)
		if err == nil || after < 0 {
			return err
		}
		after = max(wait, after)
		if time.Until(deadline) <= after {
			return err
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return err
		}
	}
}

// encode returns the body of the request.
func (c *Client) encode(message []byte) ([]byte, error) {
	if c.gzip {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		if _, err := w.Write(message); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		message = zipped.Bytes()
	}
	if !c.grpc {
		return message, nil
	}
	// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
	framed := make([]byte, framePrefix, framePrefix+len(message))
	if c.gzip {
		framed[0] = 1
	}
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message))) //nolint:gosec // Spans are much smaller.
	return append(framed, message...), nil
}

// framePrefix is the number of bytes before a message of gRPC.
const framePrefix = 5

// final is the wait after an answer that no other attempt would change.
const final = -1

// post makes one attempt. After an error, it returns how long to wait at least until
// another one, or final.
func (c *Client) post(ctx context.Context, body []byte) (after time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return final, err
	}
	maps.Copy(request.Header, c.header)
	c.describe(request.Header)
	response, err := c.http.Do(request)
	if err != nil {
		return afterFailure(err), c.explain(err)
	}
	defer response.Body.Close()
	answer, failed := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode/100 != 2 {
		return retryAfter(response), fmt.Errorf("the collector answers %s", response.Status)
	}
	if failed != nil {
		return final, failed
	}
	if c.grpc {
		if after, err = grpcStatus(response); err != nil {
			return after, err
		}
		answer = unframed(answer)
	}
	return final, rejection(answer)
}

// explain returns err, and what may be wrong if the collector speaks the other protocol.
func (c *Client) explain(err error) error {
	other, signs := protocolGRPC, []string{"malformed HTTP response", "readLoopPeekFail"}
	if c.grpc {
		other, signs = protocolHTTP, []string{"frame too large", "client conn could not be established"}
	}
	for _, sign := range signs {
		if strings.Contains(err.Error(), sign) {
			return fmt.Errorf("%w (it may need OTEL_EXPORTER_OTLP_PROTOCOL=%s)", err, other)
		}
	}
	return err
}

// afterFailure returns how long to wait after an attempt that was not answered: it is worth
// another one if there was no connection to a host that exists.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp-connection
func afterFailure(err error) time.Duration {
	failed, ok := errors.AsType[*net.OpError](err)
	if !ok || failed.Op != "dial" {
		return final
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok && lookup.IsNotFound {
		return final
	}
	return 0
}

// unframed returns the message of an answer of gRPC, or nil if that is compressed.
func unframed(answer []byte) []byte {
	if len(answer) < framePrefix || answer[0] != 0 {
		return nil
	}
	return answer[framePrefix:]
}

// rejection returns an error if the answer of a collector says that it rejected the
// spans, which is in field 1, its reason in field 2 of that.
// https://opentelemetry.io/docs/specs/otlp/#partial-success
func rejection(answer []byte) error {
	partial := field(answer, 1)
	if reason := field(partial, 2); len(reason) > 0 {
		return fmt.Errorf("the collector accepts only a part: %.200s", reason)
	}
	return nil
}

// field returns the last value of a field of a message that is bytes, or nil.
func field(message []byte, number protowire.Number) (value []byte) {
	for len(message) > 0 {
		found, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(found, kind, message)
		if size < 0 {
			return nil
		}
		if found == number && kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message)
		}
		message = message[size:]
	}
	return value
}

// describe sets the headers that say what the body is.
func (c *Client) describe(header http.Header) {
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "waybill")
	}
	encoding := "Content-Encoding"
	header.Set("Content-Type", "application/x-protobuf")
	if c.grpc {
		encoding = "Grpc-Encoding"
		header.Set("Content-Type", "application/grpc")
		header.Set("Te", "trailers")
	}
	if c.gzip {
		header.Set(encoding, "gzip")
	}
}

// retryAfter returns how long to wait after an answer with an error.
// https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
func retryAfter(response *http.Response) time.Duration {
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil || seconds < 0 {
			return 0
		}
		return time.Duration(seconds) * time.Second
	default:
		return final
	}
}

// grpcRetryable are the status codes of gRPC after which another attempt may succeed:
// canceled, deadline exceeded, aborted, out of range, unavailable and data loss.
// https://opentelemetry.io/docs/specs/otlp/#failures
var grpcRetryable = []string{"1", "4", "10", "11", "14", "15"}

// grpcStatus returns the error in the trailers of an answer, or in its header if it has
// nothing else.
func grpcStatus(response *http.Response) (after time.Duration, err error) {
	trailer := response.Trailer
	if trailer.Get("Grpc-Status") == "" {
		trailer = response.Header
	}
	code := trailer.Get("Grpc-Status")
	if code == "0" {
		return final, nil
	}
	message, err := url.PathUnescape(trailer.Get("Grpc-Message"))
	if err != nil {
		message = trailer.Get("Grpc-Message")
	}
	if err = fmt.Errorf("the collector answers with the gRPC status %q: %.200s", code, message); slices.Contains(grpcRetryable, code) {
		return 0, err
	}
	return final, err
}
