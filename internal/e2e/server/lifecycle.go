// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"
)

// patience is how long a server may take to be ready, on a machine that tests
// several modules at once.
const patience = time.Minute

// engine is what runs a server. It starts and stops, in turns, on the same
// address and the same data.
type engine interface {
	start(ctx context.Context) error
	stop() error
}

// lifecycle starts and stops the server of one test.
type lifecycle struct {
	t       testing.TB
	engine  engine // nil for a server that the environment names.
	running bool
}

// begin starts a server for as long as t runs.
func begin(t testing.TB, e engine) *lifecycle {
	t.Helper()
	l := &lifecycle{t: t, engine: e}
	t.Cleanup(l.Stop)
	l.Start()
	return l
}

// use waits for a server that the environment names.
func use(t testing.TB, ready func(ctx context.Context) error) *lifecycle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := await(ctx, nil, ready); err != nil {
		t.Fatalf("the server that the environment names: %v", err)
	}
	return &lifecycle{t: t}
}

// Start starts the server again after Stop, on the same address, and returns
// when it is ready. A server that runs is left alone.
func (l *lifecycle) Start() {
	l.t.Helper()
	l.requireOurs()
	if l.running {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.engine.start(ctx); err != nil {
		l.t.Fatalf("start the server: %v", err)
	}
	l.running = true
}

// Stop ends the server and returns when it has gone. A server that was stopped
// is left alone.
func (l *lifecycle) Stop() {
	l.t.Helper()
	l.requireOurs()
	if !l.running {
		return
	}
	l.running = false
	if err := l.engine.stop(); err != nil {
		l.t.Errorf("stop the server: %v", err)
	}
}

// Kill ends the server at once, with no time to end its work, and returns when it
// has gone. A server in this process is stopped.
func (l *lifecycle) Kill() {
	l.t.Helper()
	if p, ok := l.engine.(*process); ok && l.running {
		kill(p.cmd)
		<-p.gone
	}
	l.Stop()
}

func (l *lifecycle) requireOurs() {
	l.t.Helper()
	if l.engine == nil {
		l.t.Fatal("the environment names the server, and a test does not start or stop that one")
	}
}

// await calls ready until it returns nil, ctx ends, or gone is closed.
func await(ctx context.Context, gone <-chan struct{}, ready func(ctx context.Context) error) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-gone:
			return fmt.Errorf("it ended before it was ready: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("it was not ready in time: %w", err)
		}
	}
}

// listening reports whether someone takes connections on addr.
func listening(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

// freeAddrs returns n addresses of the loopback interface that nobody uses.
func freeAddrs(n int) ([]string, error) {
	addrs := make([]string, n)
	for i := range addrs {
		// Each is held until all are known, so that they differ.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // it holds nothing but the port.
		addrs[i] = l.Addr().String()
	}
	return addrs, nil
}
