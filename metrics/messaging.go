// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"

	"github.com/waybill-go/waybill/observe"
)

// Compile-time checks that Metrics implements the observers of messaging.
var (
	_ observe.MessagingObserver    = (*Metrics)(nil)
	_ observe.PartitionObserver    = (*Metrics)(nil)
	_ observe.BackpressureObserver = (*Metrics)(nil)
)

// Sent implements [observe.MessagingObserver].
func (m *Metrics) Sent(_ context.Context, e observe.Send) {
	if !m.isZero() && e.System == observe.SystemKafka {
		m.kafka.sent(e)
	}
}

// Fetched implements [observe.MessagingObserver].
func (m *Metrics) Fetched(ctx context.Context, e observe.Fetch) {
	if !m.isZero() && e.System == observe.SystemKafka {
		m.kafka.fetched(ctx, e)
	}
}

// Arrived implements [observe.MessagingObserver].
func (m *Metrics) Arrived(ctx context.Context, e observe.Arrival) {
	if m.isZero() {
		return
	}
	m.latencies.arrived(ctx, e)
	if e.System == observe.SystemMongoDB {
		m.mongodb.arrived(ctx, e)
	}
}

// Processed implements [observe.MessagingObserver].
func (m *Metrics) Processed(ctx context.Context, e observe.Process) {
	if m.isZero() {
		return
	}
	switch e.System {
	case observe.SystemKafka:
		m.kafka.processed(ctx, e)
	case observe.SystemMongoDB:
		m.mongodb.processed(e)
	}
}

// Committed implements [observe.MessagingObserver].
func (m *Metrics) Committed(_ context.Context, e observe.Commit) {
	if !m.isZero() && e.System == observe.SystemKafka {
		m.kafka.committed(e)
	}
}

// Failed implements [observe.MessagingObserver].
func (m *Metrics) Failed(_ context.Context, e observe.Failure) {
	if !m.isZero() && e.System == observe.SystemKafka {
		m.kafka.failed(e)
	}
}

// Dropped implements [observe.DropObserver].
func (m *Metrics) Dropped(d observe.Drop) {
	if !m.isZero() {
		m.dropped.with(d.Reason).Inc()
	}
}

// Redelivered implements [observe.PartitionObserver].
func (m *Metrics) Redelivered(p observe.Partition) {
	if !m.isZero() && p.System == observe.SystemKafka {
		m.kafka.redelivered(p)
	}
}

// Skipped implements [observe.PartitionObserver].
func (m *Metrics) Skipped(g observe.Gap) {
	if !m.isZero() && g.System == observe.SystemKafka {
		m.kafka.skipped(g)
	}
}

// Revoked implements [observe.PartitionObserver].
func (m *Metrics) Revoked(p observe.Partition) {
	if !m.isZero() && p.System == observe.SystemKafka {
		m.kafka.revoked(p)
	}
}

// Queued implements [observe.BackpressureObserver].
func (m *Metrics) Queued(q observe.Queue) {
	if !m.isZero() && q.System == observe.SystemKafka {
		m.kafka.queued(q)
	}
}

// Blocked implements [observe.BackpressureObserver].
func (m *Metrics) Blocked(b observe.Block) {
	if !m.isZero() && b.System == observe.SystemKafka {
		m.kafka.blocked(b)
	}
}
