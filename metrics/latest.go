// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// latest is a timestamp that goes back only when it is reset. It has no series
// until it is set.
type latest struct {
	backend backend
	metric  series.Metric
	values  []string // Of the labels.

	millis atomic.Int64 // Of the Unix time that the gauge shows; never if none.

	mu    sync.Mutex // Held by those who write.
	gauge gauge      // Nil without a series.
}

// never is earlier than any time.
const never = math.MinInt64

func newLatest(b backend, m series.Metric, values ...string) *latest {
	l := &latest{backend: b, metric: m, values: values}
	l.millis.Store(never)
	return l
}

// set sets l to t, unless l is later.
func (l *latest) set(t time.Time) {
	if t.UnixMilli() <= l.millis.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.UnixMilli() > l.millis.Load() {
		l.put(t)
	}
}

// reset sets l to t, even if l is later, and removes the series if t is zero.
func (l *latest) reset(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !t.IsZero() {
		l.put(t)
		return
	}
	l.millis.Store(never)
	l.gauge = nil
	l.backend.removeGauge(l.metric, l.values...)
}

func (l *latest) put(t time.Time) {
	if l.gauge == nil {
		l.gauge = l.backend.gauge(l.metric, l.values...)
	}
	l.gauge.Set(unixSeconds(t))
	l.millis.Store(t.UnixMilli())
}
