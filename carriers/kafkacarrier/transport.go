// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Transport is a kafka.RoundTripper that measures each request to a broker as
// messaging.client.operation.duration, by the name of the request: produce,
// metadata, offsetfetch and so on. It makes no spans. What [Writer] measures is
// a call, with the time its messages waited in a batch; the number of produce
// requests here is that of the attempts.
//
// server.address and server.port are those that the Writer or the Client was
// given, if that is one address: which broker of the cluster takes a request is
// decided below.
//
// A Transport is made by [NewTransport], and is safe for concurrent use.
type Transport struct {
	*telemetry

	next kafka.RoundTripper
}

var _ kafka.RoundTripper = (*Transport)(nil)

// NewTransport wraps next, or kafka.DefaultTransport if next is nil. It is for
// the Transport of a kafka.Writer or a kafka.Client.
func NewTransport(next kafka.RoundTripper, opts ...Option) *Transport {
	if next == nil {
		next = kafka.DefaultTransport
	}
	return &Transport{telemetry: newTelemetry(newConfig(opts)), next: next}
}

// RoundTrip does what that of the wrapped one does and returns what it returned.
func (t *Transport) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	started := time.Now()
	res, err := t.next.RoundTrip(ctx, addr, req)
	m, in := t.measured(operation{name: strings.ToLower(req.ApiKey().String())}, "", -1, err), t.instruments()
	if addr != nil {
		m.server = addr.String()
	}
	if ctx = orBackground(ctx); in.operationDuration.Enabled(ctx) {
		in.time(ctx, in.operationDuration, started, m)
	}
	return res, err
}

// clientIDOf returns the client ID that transport sends, or "".
func clientIDOf(transport kafka.RoundTripper) string {
	switch t := transport.(type) {
	case *Transport:
		if t != nil {
			return clientIDOf(t.next)
		}
	case *kafka.Transport:
		if t != nil {
			return t.ClientID
		}
	}
	return ""
}

// CloseIdleConnections closes those of the wrapped one, if it has any.
func (t *Transport) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
