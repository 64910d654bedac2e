// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/observe"
)

// push pushes the metrics of the job to a Pushgateway.
func push(ctx context.Context, cfg *Config, result *result, took time.Duration) error {
	registry := prometheus.NewRegistry()
	m, err := metrics.New(registry)
	if err != nil {
		return err
	}
	run := m.Stage(observe.StageID{Pipeline: cfg.Name})
	run.Started(ctx)
	if counter, ok := run.(observe.CountObserver); ok {
		result.rows.count(counter)
	}
	end := observe.RunEnd{
		Outcome: result.outcome, ErrorType: result.outcome.ErrorType(result.err), Duration: took,
		Read: result.rows.read, Wrote: result.rows.wrote, Rejected: result.rows.rejected,
	}
	if at, ok := run.(observe.EndObserver); ok {
		at.EndedAt(ctx, end, result.at)
	} else {
		run.Ended(ctx, end)
	}
	pusher, err := metrics.NewPusher(cfg.Push, cfg.PushJob, registry, metrics.WithPushTimeout(cfg.FlushTimeout))
	if err != nil {
		return err
	}
	return pusher.Push(ctx)
}

// count reports the rows to an observer.
func (r *rows) count(observer observe.CountObserver) {
	observer.Counted(observe.Count{Kind: observe.CountRead, N: int(r.read)})
	observer.Counted(observe.Count{Kind: observe.CountWrote, N: int(r.wrote)})
	for reason, n := range r.reasons {
		observer.Counted(observe.Count{Kind: observe.CountRejected, N: int(n), Reason: reason})
	}
}
