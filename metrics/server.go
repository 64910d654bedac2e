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
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/waybill-go/waybill/stages"
)

// The limits of the server. A scraper asks one request at a time, every few
// seconds.
const (
	defaultPath       = "/metrics"
	scrapeTimeout     = 10 * time.Second
	maxScrapes        = 8
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
	shutdownTimeout   = 5 * time.Second
)

// Server serves metrics over HTTP. It is made by [Listen]. Its methods are
// safe for concurrent use and may be called many times; on a nil *Server they
// do nothing.
type Server struct {
	address net.Addr
	server  *http.Server
	forget  func() bool   // Forgets the context of Listen.
	served  chan struct{} // Closed when nothing is served any more.
	err     error         // Why; to be read after served is closed.
}

// ServerOption configures [Listen].
type ServerOption interface {
	apply(serverConfig) serverConfig
}

type serverConfig struct{ path string }

type serverOptionFunc func(serverConfig) serverConfig

func (f serverOptionFunc) apply(c serverConfig) serverConfig { return f(c) }

// WithPath sets the path of the metrics, which must start with a slash. The
// default, also of an empty path, is /metrics.
func WithPath(path string) ServerOption {
	return serverOptionFunc(func(c serverConfig) serverConfig {
		c.path = path
		if path == "" {
			c.path = defaultPath
		}
		return c
	})
}

// Listen serves the metrics of gatherer on the TCP address addr, such as
// ":8000", until ctx is done or the server is closed. A port of 0 lets the
// system choose: see [Server.Addr]. When Listen has returned without an error
// the address is bound and scrapes are answered.
//
// Scrapes may have the OpenMetrics format, which is the one with exemplars. A
// gatherer that fails in part is served in part, one that panics is answered by
// an error, and one that takes longer than 10 seconds is not waited for. There
// is no TLS and no authentication: an address without a host is open to all who
// can reach it.
//
// A nil ctx is never done. A nil gatherer is an error, and so is a ctx that is
// done.
func Listen(ctx context.Context, addr string, gatherer prometheus.Gatherer, opts ...ServerOption) (*Server, error) {
	c := serverConfig{path: defaultPath}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	if isNil(gatherer) {
		return nil, errors.New("metrics: nil gatherer")
	}
	if !strings.HasPrefix(c.path, "/") {
		return nil, fmt.Errorf("metrics: invalid path %q", c.path)
	}
	ctx = orBackground(ctx)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("metrics: %w", context.Cause(ctx))
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	return serve(ctx, listener, newHandler(c.path, gatherer)), nil
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) *Server {
	s := &Server{
		address: listener.Addr(),
		server:  &http.Server{Handler: handler, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout},
		served:  make(chan struct{}),
	}
	go func() {
		defer close(s.served)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
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

func newHandler(path string, gatherer prometheus.Gatherer) http.Handler {
	metrics := promhttp.HandlerFor(contained{gatherer}, promhttp.HandlerOpts{
		EnableOpenMetrics:   true,
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
		Timeout:             scrapeTimeout,
		CoalesceGather:      true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		metrics.ServeHTTP(w, r)
	})
}

// contained is a gatherer that returns its panic as a [stages.PanicError].
type contained struct{ prometheus.Gatherer }

func (c contained) Gather() (families []*dto.MetricFamily, err error) {
	defer func() {
		if value := recover(); value != nil {
			families, err = nil, &stages.PanicError{Value: value}
		}
	}()
	return c.Gatherer.Gather()
}

// Addr returns the address the server is bound to, with the port the system
// chose.
func (s *Server) Addr() net.Addr {
	if s == nil {
		return nil
	}
	return s.address
}

// Shutdown stops the server: it takes no more scrapes and waits for those under
// way until ctx is done, then cuts them off and returns the error of ctx. It
// returns the error of a server that stopped by itself.
func (s *Server) Shutdown(ctx context.Context) error {
	if s == nil {
		return nil
	}
	ctx = orBackground(ctx)
	s.forget()
	err := s.server.Shutdown(ctx)
	return errors.Join(err, s.Close())
}

// Close stops the server at once, and cuts off the scrapes under way.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	s.forget()
	err := s.server.Close()
	<-s.served
	return errors.Join(err, s.err)
}
