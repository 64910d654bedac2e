// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
)

// Transport is a kafka.RoundTripper that measures each request to a broker as
// waybill.client.request.duration, by the name of the request: produce, metadata,
// offsetfetch and so on. It records no spans. A [Writer] measures calls, with the
// time that messages waited in a batch; the number of produce requests here is
// the number of attempts.
//
// server.address and server.port are those that the Writer or the Client was
// given, if that is one address: which broker of the cluster takes a request is
// decided below. Answers from the cache of a kafka.Transport are not measured.
//
// A Transport is made by [NewTransport] and is safe for concurrent use.
type Transport struct {
	recorder *messaging.Recorder
	next     kafka.RoundTripper
	caches   bool     // Reports whether next answers metadata requests from a cache.
	created  sync.Map // The topics that next has created or found.
}

var _ kafka.RoundTripper = (*Transport)(nil)

// NewTransport returns a Transport that calls next, or kafka.DefaultTransport if
// next is nil. It is for the Transport of a kafka.Writer or a kafka.Client.
func NewTransport(next kafka.RoundTripper, opts ...TransportOption) *Transport {
	if next == nil {
		next = kafka.DefaultTransport
	}
	_, caches := next.(*kafka.Transport)
	return &Transport{recorder: messaging.New(newConfig(opts).recorder), next: next, caches: caches}
}

// RoundTrip calls RoundTrip of the wrapped RoundTripper and returns its results.
func (t *Transport) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	started, isCached := time.Now(), t.isCached(req)
	res, err := t.next.RoundTrip(ctx, addr, req)
	if !isCached {
		t.recorder.Requested(safe.Context(ctx), strings.ToLower(req.ApiKey().String()), serverOf(addr), time.Since(started), err)
	}
	return res, err
}

// isCached reports whether req is answered from the cache: a kafka.Transport
// sends a metadata request only to create a topic that it has not found.
func (t *Transport) isCached(req kafka.Request) bool {
	m, ok := req.(*metadata.Request)
	if !ok || !t.caches {
		return false
	}
	cached := true
	for _, topic := range m.TopicNames {
		if _, known := t.created.LoadOrStore(topic, true); !known && m.AllowAutoTopicCreation {
			cached = false
		}
	}
	return cached
}

// serverOf returns the address of the broker if it is one.
func serverOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	return addr.String()
}

// clientIDOf returns the client ID that transport sends, or the empty string.
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

// CloseIdleConnections closes the idle connections of the wrapped RoundTripper, if
// it has that method.
func (t *Transport) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
