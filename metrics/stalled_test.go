// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
)

// pipes is a listener of pipes, which have no buffers: whoever does not read stalls
// the other side at once. In a bubble of synctest the clock of their deadlines is
// that of the bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// dial connects, or returns nil if the server does not accept.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client
	case <-time.After(time.Millisecond):
		return nil
	}
}

// counting is a gatherer with a large body that counts how often it is asked.
func counting(asked *int) prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "large", Help: strings.Repeat("x", 1<<20)}, func() float64 {
		*asked++
		return 1
	}))
	return registry
}

// isCutOff reports how long it takes until the server closes conn.
func isCutOff(conn net.Conn) time.Duration {
	start := time.Now()
	_ = conn.SetDeadline(start.Add(time.Hour))
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return time.Hour
	}
	return time.Since(start)
}

// Peers that stall are cut off, and hold no goroutine for good.
func TestServer_StalledPeers(t *testing.T) {
	t.Parallel()
	const scrape = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, tt := range []struct {
		name, request string
		reads         bool // The peer reads the answer.
		answer        string
		within        time.Duration // Until the peer is cut off.
	}{
		{name: "sends nothing", request: "", reads: true, within: 5 * time.Second},
		{name: "sends half a request", request: scrape[:10], reads: true, answer: "HTTP/1.1 4", within: 5 * time.Second},
		{name: "does not read", request: scrape, within: 30 * time.Second},
		{name: "is idle", request: scrape, reads: true, answer: "HTTP/1.1 200 OK", within: 2 * time.Minute},
		{
			name: "POST whose body never comes", request: "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
			reads: true, answer: "HTTP/1.1 405 Method Not Allowed", within: time.Second,
		},
		{
			name: "POST in chunks that never come", request: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
			reads: true, answer: "HTTP/1.1 405 Method Not Allowed", within: time.Second,
		},
		{
			name: "GET whose body never comes", request: "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
			reads: true, answer: "HTTP/1.1 200 OK", within: time.Second,
		},
		{
			name: "POST elsewhere whose body never comes", request: "POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
			reads: true, answer: "HTTP/1.1 404 Not Found", within: time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener, asked := newPipes(), 0
				server := metrics.Serve(t.Context(), listener, counting(&asked))
				conn := listener.dial()
				if _, err := io.WriteString(conn, tt.request); err != nil {
					t.Fatal(err)
				}
				reader := bufio.NewReader(conn)
				if tt.answer != "" {
					line, _ := reader.ReadString('\n')
					if !strings.HasPrefix(line, tt.answer) {
						t.Errorf("answer = %q, want %q", line, tt.answer)
					}
				}
				took := time.Hour
				if tt.reads {
					took = isCutOff(conn)
				} else {
					start := time.Now()
					time.Sleep(tt.within) // It holds its connection as long as it may.
					synctest.Wait()
					if _, err := conn.Write([]byte("x")); err != nil {
						took = time.Since(start)
					}
				}
				if took > tt.within {
					t.Errorf("cut off after %v, want %v", took, tt.within)
				}
				if err := server.Close(); err != nil {
					t.Error(err)
				}
				_ = conn.Close()
			})
		})
	}
}

// However many peers stall, they hold so many goroutines and no more, and when
// they are cut off a scrape is answered.
func TestServer_ManyStalledPeers(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"send nothing": "",
		"do not read":  "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener := newPipes()
				registry := prometheus.NewRegistry()
				mustNew(t, registry)
				server := metrics.Serve(t.Context(), listener, registry)
				var conns []net.Conn
				for range 10 * metrics.MaxConnections {
					conn := listener.dial()
					if conn == nil {
						break
					}
					conns = append(conns, conn)
					if _, err := io.WriteString(conn, request); err != nil {
						t.Fatal(err)
					}
				}
				if len(conns) != metrics.MaxConnections {
					t.Errorf("%d connections, want %d", len(conns), metrics.MaxConnections)
				}
				time.Sleep(time.Minute)
				conn := listener.dial()
				if conn == nil {
					t.Fatal("no connection when all others were cut off")
				}
				if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				answer, err := io.ReadAll(conn)
				if err != nil || !strings.Contains(string(answer), "etl_memory_bytes") {
					t.Errorf("answer = %.100q, %v", answer, err)
				}
				if err := server.Close(); err != nil {
					t.Error(err)
				}
				for _, conn := range append(conns, conn) {
					_ = conn.Close()
				}
			})
		})
	}
}

func TestServer_CloseWithStalledPeers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		server := metrics.Serve(t.Context(), listener, prometheus.NewRegistry())
		var conns []net.Conn
		for range metrics.MaxConnections {
			conns = append(conns, listener.dial())
		}
		start := time.Now()
		if err := server.Close(); err != nil || time.Since(start) > 0 {
			t.Errorf("Close = %v after %v, want nil at once", err, time.Since(start))
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
}
