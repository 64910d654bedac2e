// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/internal/safe"
)

// The limits of the server. They bound how long a peer that sends or reads
// nothing can hold a goroutine, and how many peers can.
const (
	defaultPath       = "/metrics"
	maxConnections    = 64
	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = scrapeTimeout + 20*time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 5 * time.Second
)

var errNilGatherer = errors.New("metrics: nil gatherer")

// Server serves metrics over HTTP. [Listen] returns it. Its methods are safe for
// concurrent use and may be called more than once. The methods of a nil or zero
// Server do nothing.
type Server struct {
	address net.Addr
	server  *http.Server
	forget  func() bool   // Forgets the context of Listen.
	served  chan struct{} // Closed when nothing is served any more.
	err     error         // Why; to be read after served is closed.
}

// ServerOption configures [Listen]. If an option is given more than once, the
// last one wins. Nil options are ignored.
type ServerOption interface {
	apply(serverConfig) serverConfig
}

type serverConfig struct{ path string }

type serverOptionFunc func(serverConfig) serverConfig

func (f serverOptionFunc) apply(c serverConfig) serverConfig { return f(c) }

// WithPath sets the path of the metrics, which must start with a slash. The
// default is /metrics, also if path is empty.
func WithPath(path string) ServerOption {
	return serverOptionFunc(func(c serverConfig) serverConfig {
		c.path = path
		if path == "" {
			c.path = defaultPath
		}
		return c
	})
}

// Listen serves the metrics of gatherer, as [Handler] does, on the TCP address
// addr, such as ":8000", until ctx is done or the server is closed. If the port is
// 0, the system chooses one: see [Server.Addr]. When Listen returns without an
// error, the address is bound and scrapes are answered. The path / is answered
// with the path of the metrics.
//
// At most 64 connections are served at once; further ones wait. A peer that does
// not send its request within 10 seconds, or does not read the answer within 30
// seconds, is cut off. There is no TLS and no authentication: an address without a
// host is open to everyone who can reach it.
//
// A nil ctx is treated as context.Background(). Listen returns an error if
// gatherer is nil, ctx is done, the path is invalid, or the address cannot be
// bound.
func Listen(ctx context.Context, addr string, gatherer prometheus.Gatherer, opts ...ServerOption) (*Server, error) {
	c := serverConfig{path: defaultPath}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	if isNil(gatherer) {
		return nil, errNilGatherer
	}
	if !strings.HasPrefix(c.path, "/") {
		return nil, fmt.Errorf("metrics: invalid path %q", c.path)
	}
	ctx = safe.Context(ctx)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("metrics: %w", context.Cause(ctx))
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return serve(ctx, listener, newMux(c.path, Handler(gatherer))), nil
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) *Server {
	s := &Server{
		address: listener.Addr(),
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
		},
		served: make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		if err := s.server.Serve(newLimitedListener(listener)); !errors.Is(err, http.ErrServerClosed) {
			s.err = fmt.Errorf("metrics: %w", err)
		}
	}()
	s.forget = context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if s.server.Shutdown(grace) != nil {
			_ = s.server.Close()
		}
	})
	return s
}

// newMux returns a handler that serves the metrics at path and names that path
// at /.
func newMux(path string, metrics http.Handler) http.Handler {
	index := readOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintf(w, "The metrics are at %s\n", path)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			refuseBody(w)
		}
		switch r.URL.Path {
		case path:
			metrics.ServeHTTP(w, r)
		case "/":
			index.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}

// refuseBody makes the server answer without waiting for the body of the request,
// and close the connection.
func refuseBody(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now())
}

// limitedListener accepts a connection when fewer than maxConnections are open.
type limitedListener struct {
	net.Listener

	open    chan struct{} // One for each.
	closing func()
	closed  chan struct{}
}

func newLimitedListener(listener net.Listener) *limitedListener {
	closed := make(chan struct{})
	return &limitedListener{
		Listener: listener, open: make(chan struct{}, maxConnections), closed: closed, closing: sync.OnceFunc(func() { close(closed) }),
	}
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &limitedConn{conn, sync.OnceFunc(func() { <-l.open })}, nil
}

// Close implements [net.Listener].
func (l *limitedListener) Close() error {
	l.closing()
	return l.Listener.Close()
}

// limitedConn is a connection of a limitedListener.
type limitedConn struct {
	net.Conn

	closed func()
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// isZero reports whether s is not what Listen returned.
func (s *Server) isZero() bool { return s == nil || s.server == nil }

// Addr returns the address that the server is bound to, with the port that the
// system chose. It returns nil if s is nil or zero.
func (s *Server) Addr() net.Addr {
	if s.isZero() {
		return nil
	}
	return s.address
}

// Shutdown stops the server gracefully: it accepts no more scrapes and waits for
// those in progress. When ctx is done, it closes their connections and returns
// ctx.Err(). A nil ctx is treated as context.Background(). If the server had
// failed, Shutdown returns its error.
func (s *Server) Shutdown(ctx context.Context) error {
	if s.isZero() {
		return nil
	}
	s.forget()
	err := s.server.Shutdown(safe.Context(ctx))
	return errors.Join(err, s.Close())
}

// Close stops the server and closes all connections. If the server had failed,
// Close returns its error.
func (s *Server) Close() error {
	if s.isZero() {
		return nil
	}
	s.forget()
	err := s.server.Close()
	<-s.served
	return errors.Join(err, s.err)
}
