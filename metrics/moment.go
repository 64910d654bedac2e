// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// moment is a time that is read when metrics are collected. It has no series until
// it is set.
type moment struct {
	millis atomic.Int64 // Of the Unix time.
}

// never stands for no time. It is earlier than any.
const never = math.MinInt64

func newMoment() *moment {
	m := &moment{}
	m.clear()
	return m
}

// clear removes the series of m.
func (m *moment) clear() { m.millis.Store(never) }

// set sets m to t. Many goroutines may set the same time, so it does not write what
// is there.
func (m *moment) set(t time.Time) {
	if millis := t.UnixMilli(); millis != m.millis.Load() {
		m.millis.Store(millis)
	}
}

// advance sets m to t, unless m is later.
func (m *moment) advance(t time.Time) {
	for millis := t.UnixMilli(); ; {
		known := m.millis.Load()
		if millis <= known || m.millis.CompareAndSwap(known, millis) {
			return
		}
	}
}

// read puts m, if it is set, as a series of a metric and the labels of a stage.
func (m *moment) read(put put, metric series.Metric, of stageName) {
	if millis := m.millis.Load(); millis != never {
		put(metric, seconds(millis), of.pipeline, of.stage)
	}
}

// unixSeconds returns the Unix time of t in seconds.
func unixSeconds(t time.Time) float64 { return seconds(t.UnixMilli()) }

func seconds(millis int64) float64 { return float64(millis) / 1e3 }
