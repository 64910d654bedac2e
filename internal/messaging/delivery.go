// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"errors"
	"time"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Consumed counts n messages that came to the application by op. The partition
// is -1 if there are several or none. The span of op is in ctx, if it has one.
func (r *Recorder) Consumed(ctx context.Context, op Operation, destination string, partition, n int) {
	in := r.meters()
	r.count(ctx, in, in.consumed, n, series{op: op, destination: destination, partition: partition})
}

// maxLatency is the longest time that data is believed to have needed. A waybill
// that is older would spoil an average for long.
const maxLatency = 30 * 24 * time.Hour

// Arrived reports the latency of a message with the context remote, and what is
// wrong with that. The span that handles the message is in ctx, if it has one.
func (r *Recorder) Arrived(ctx context.Context, destination string, remote *propagation.Remote) {
	if r.cfg.Observer == nil {
		return
	}
	d, now := r.destinationOf(destination), time.Now()
	if isMalformed(remote.Err()) {
		r.Drop(observe.DropMalformed, d.name)
	}
	w := remote.Waybill()
	if w.IsZero() {
		if d.isSilent(now) {
			r.Drop(observe.DropNoWaybill, d.name)
		}
		return
	}
	d.arrived(now)
	if now.Sub(w.Origin) > maxLatency || now.Sub(w.Sent) > maxLatency {
		r.Drop(observe.DropStale, d.name)
		return
	}
	r.observeArrival(ctx, observe.Arrival{
		System: r.cfg.System, Destination: d.name,
		Hop: r.since(now, w.Sent, d.name), EndToEnd: r.since(now, w.Origin, d.name),
	})
}

func isMalformed(err error) bool {
	if err == nil || err == propagation.ErrAbsent { //nolint:errorlint // never wrapped, and asked for each message.
		return false
	}
	_, malformed := errors.AsType[*propagation.MalformedError](err)
	return malformed
}

// since returns the time from then to now. A time in the future, by a clock that
// is ahead, is treated as now.
func (r *Recorder) since(now, then time.Time, destination string) time.Duration {
	d := now.Sub(then)
	if d < 0 {
		r.Drop(observe.DropSkew, destination)
		return 0
	}
	return d
}
