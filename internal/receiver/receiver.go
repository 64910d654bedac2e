// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package receiver takes what OpenTelemetry SDKs export: OTLP over HTTP, as protobuf
// and JSON, and over gRPC, all on the same port. It needs only the standard library,
// and leaves the decoding to its caller.
//
// It is made to listen on a loopback address of a machine where browsers run: it
// answers no request that a page of another site could send, and what a client can make
// it hold in memory is bounded.
package receiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config configures a Receiver.
type Config struct {
	// Consume is called with each export, concurrently. If it returns [ErrBusy], the
	// client is asked to try again later; any other error says that the body is no
	// valid message. The request must not be used after Consume has returned, but for
	// its slices, which nobody changes.
	Consume func(*Request) error
	// Refused is called with the reason why something was not accepted, for a person
	// to read. It may be nil.
	Refused func(reason string)

	// MaxBytes is the size of the largest export, both as it is sent and decompressed.
	// The default is 20 MiB.
	MaxBytes int
	// MaxTotalBytes is the size of all exports that are held at a time. Clients are
	// asked to try again if there are more. The default is 128 MiB.
	MaxTotalBytes int
	// MaxConnections is how many clients are served at a time; more have to wait. The
	// default is 1000.
	MaxConnections int
	// Timeout is how long a client may take to send an export. The default is 30 s.
	Timeout time.Duration
}

// The limits of time that no client needs to exceed.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
)

func (c Config) withDefaults() Config {
	c.MaxBytes = cmp.Or(c.MaxBytes, 20<<20)
	c.MaxTotalBytes = cmp.Or(c.MaxTotalBytes, 128<<20)
	c.MaxConnections = cmp.Or(c.MaxConnections, 1000)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if c.Refused == nil {
		c.Refused = func(string) {}
	}
	return c
}

// ErrBusy asks a client to send an export again later.
var ErrBusy = errors.New("too many exports at a time; try again later")

// Receiver serves OTLP on one or more addresses. It is safe for concurrent use.
type Receiver struct {
	server    *http.Server
	addresses []net.Addr
	serving   sync.WaitGroup
}

// Listen listens on addresses, such as 127.0.0.1:4318, and serves there until Close is
// called.
func Listen(ctx context.Context, c Config, addresses ...string) (*Receiver, error) {
	c = c.withDefaults()
	slots := make(chan struct{}, c.MaxConnections)
	var listeners []net.Listener
	for _, address := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			for _, opened := range listeners {
				_ = opened.Close()
			}
			return nil, fmt.Errorf("listen on %s: %w", address, err)
		}
		listeners = append(listeners, &listener{Listener: l, slots: slots, closing: make(chan struct{}), refused: c.Refused})
	}
	r := &Receiver{server: newServer(c)}
	for _, l := range listeners {
		r.addresses = append(r.addresses, l.Addr())
		r.serving.Go(func() { _ = r.server.Serve(l) }) // It ends when l is closed.
	}
	return r, nil
}

func newServer(c Config) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: newHandler(c), Protocols: protocols,
		ReadHeaderTimeout: min(headerTimeout, c.Timeout), ReadTimeout: c.Timeout, WriteTimeout: 2 * c.Timeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       log.New(io.Discard, "", 0), // What concerns the user goes to Config.Refused.
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100, SendPingTimeout: idleTimeout, WriteByteTimeout: c.Timeout},
	}
}

// Addresses returns the addresses that the receiver listens on, in the order in which
// they were given to [Listen].
func (r *Receiver) Addresses() []net.Addr { return r.addresses }

// Endpoint returns the value of OTEL_EXPORTER_OTLP_ENDPOINT for the first address.
func (r *Receiver) Endpoint() string { return "http://" + r.addresses[0].String() }

// Close stops listening, and lets the exports that are under way end until ctx is done.
func (r *Receiver) Close(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, r.server.Close())
	}
	r.serving.Wait()
	return err
}
