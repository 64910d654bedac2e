// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

// tellState answers the question of the first row of the board Flow, with the same
// metrics: is anything wrong?
func (d *demo) tellState(ctx context.Context, t tally) error {
	lag, err := d.broker.lag(ctx)
	if err != nil {
		return err
	}
	failed, all := t.failed()
	d.printf("Is anything wrong?  Last success: %s ago.  Lost: %s.  Failed: %s of %s.  Lag: %s.\n\n",
		time.Since(t.lastSuccess()).Round(100*time.Millisecond), none(t.sum("etl_kafka_offset_gaps_total", nil), "gap"),
		none(failed, ""), plural(all, "run"), none(int(lag), "message"))
	return nil
}

// none formats a number that should be 0.
func none(n int, what string) string {
	switch {
	case n == 0:
		return "none"
	case what == "":
		return flow.Count(n)
	default:
		return plural(n, what)
	}
}

// lastSuccess returns when a run of a stage last succeeded.
func (t tally) lastSuccess() time.Time {
	last := 0.0
	for _, metric := range t.series("etl_last_success_timestamp_seconds", nil) {
		last = max(last, metric.GetGauge().GetValue())
	}
	return time.UnixMilli(int64(last * 1000))
}

// failed returns the number of runs that failed, and of all runs.
func (t tally) failed() (failed, all int) {
	for _, metric := range t.series("etl_processing_seconds", nil) {
		runs := int(metric.GetHistogram().GetSampleCount())
		switch valueOf(metric, "outcome") {
		case "success":
		case "cancelled":
			continue
		default:
			failed += runs
		}
		all += runs
	}
	return failed, all
}
