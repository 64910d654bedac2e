// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"net"
	"sync"
)

// listener limits how many connections there are at a time, and notices clients that
// speak TLS.
type listener struct {
	net.Listener

	slots   chan struct{} // Shared by all listeners of a receiver.
	closing chan struct{}
	close   sync.Once
	refused func(reason string)
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closing:
		return nil, net.ErrClosed
	}
	accepted, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &conn{Conn: accepted, listener: l}, nil
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.close.Do(func() { close(l.closing) })
	return l.Listener.Close()
}

// conn is a connection that frees its slot when it is closed.
type conn struct {
	net.Conn

	listener *listener
	read     bool // Reports whether something was read.
	close    sync.Once
}

// tlsHandshake is the first byte of a TLS connection: RFC 8446, section 5.1.
const tlsHandshake = 0x16

// Read implements [net.Conn]. It is never called concurrently.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.read {
		c.read = true
		if p[0] == tlsHandshake {
			c.listener.refused("a client speaks TLS, which is not spoken here: its endpoint must begin with http://, " +
				"or set OTEL_EXPORTER_OTLP_INSECURE=true")
		}
	}
	return n, err
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.close.Do(func() { <-c.listener.slots })
	return c.Conn.Close()
}
