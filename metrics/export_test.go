// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"io/fs"
	"net"

	"github.com/prometheus/client_golang/prometheus"
)

// HeldBytes is what the memory gauge shows outside Linux.
var HeldBytes = heldBytes

// MemoryLimit collects the memory limit of a process with a limit of the Go runtime
// and a file system.
func MemoryLimit(runtime int64, root fs.FS) prometheus.Collector {
	c := newCollectors(newConfig[Option](nil))
	c.collect(newMemoryLimitOf(func() int64 { return runtime }, root).read)
	return c
}

// MaxConnections is how many connections a server serves at once.
const MaxConnections = maxConnections

// Serve is [Listen] on a listener of a test.
func Serve(ctx context.Context, listener net.Listener, gatherer prometheus.Gatherer) *Server {
	return serve(ctx, listener, newMux(defaultPath, Handler(gatherer)))
}
