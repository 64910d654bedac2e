// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// latencies observes how long data takes, by destination and by the stage that
// runs where it arrives. The names of stages come from the program, which has few.
type latencies struct {
	here         *arrivals // At the end of a stage, and from no destination.
	destinations *limited[*arrivals]
	max          time.Duration
	stale        func()
}

// arrivals holds the histograms of one destination.
type arrivals struct {
	ends *bounded.Table[stageName, histogram]
	hops *bounded.Table[hop, histogram]
}

// stageName is empty where no stage runs.
type stageName struct{ pipeline, stage string }

// hop is the way of data from where it was sent to where it arrives.
type hop struct {
	to     stageName
	system string
}

func newLatencies(m *Metrics) *latencies {
	return &latencies{
		here:         newArrivals(m, ""),
		destinations: newLimited(m, series.Destination, func(destination string) *arrivals { return newArrivals(m, destination) }),
		max:          m.config.maxLatency,
		stale:        func() { m.dropped.with(observe.DropStale).Inc() },
	}
}

func newArrivals(m *Metrics, destination string) *arrivals {
	return &arrivals{
		ends: bounded.NewTable(math.MaxInt, func(to stageName) histogram {
			return m.backend.histogram(series.EndToEnd, to.pipeline, to.stage, destination)
		}),
		hops: bounded.NewTable(math.MaxInt, func(h hop) histogram {
			return m.backend.histogram(series.Hop, h.to.pipeline, h.to.stage, valid(h.system), destination)
		}),
	}
}

// stage returns a function that observes the end-to-end latency of the data of
// one stage. The series exists from the first call.
func (l *latencies) stage(pipeline, name string) func(context.Context, time.Duration) {
	end := sync.OnceValue(func() histogram {
		latency, _ := l.here.ends.Get(stageName{pipeline, name})
		return latency
	})
	return func(ctx context.Context, endToEnd time.Duration) {
		if l.isPlausible(endToEnd) {
			end().observe(ctx, endToEnd.Seconds())
		}
	}
}

// arrived observes data that arrived from a destination.
func (l *latencies) arrived(ctx context.Context, e observe.Arrival) {
	from := l.here
	if e.Destination != "" {
		from = l.destinations.with(e.Destination)
	}
	id, _ := observe.StageFromContext(ctx)
	to := stageName{valid(id.Pipeline), valid(id.Stage)}
	if l.isPlausible(e.Hop) {
		latency, _ := from.hops.Get(hop{to, e.System})
		latency.observe(ctx, e.Hop.Seconds())
	}
	if l.isPlausible(e.EndToEnd) {
		latency, _ := from.ends.Get(to)
		latency.observe(ctx, e.EndToEnd.Seconds())
	}
}

// isPlausible reports whether d may be true, and counts if not: one absurd time
// would move an average far.
func (l *latencies) isPlausible(d time.Duration) bool {
	if l.max > 0 && d > l.max {
		l.stale()
		return false
	}
	return true
}
