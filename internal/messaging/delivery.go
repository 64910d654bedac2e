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

// Arrived reports the latency of a message with the context remote, and what is
// wrong with that. The span that handles the message is in ctx, if it has one;
// without it the span that sent the message stands in its place. Nothing is
// reported of untrusted messages.
func (r *Recorder) Arrived(ctx context.Context, destination string, remote *propagation.Remote) {
	if r.cfg.Observer == nil || r.isUntrusted {
		return
	}
	d, now := r.destinationOf(destination), time.Now()
	if isMalformed(remote.Err()) {
		r.drop(observe.DropMalformed, d.name)
	}
	if remote.Conflict() {
		r.drop(observe.DropDuplicate, d.name)
	}
	latency, err := remote.Latency(now)
	switch err {
	case nil:
		d.arrived(now)
	case propagation.ErrAbsent: //nolint:errorlint // never wrapped, and asked for each message.
		if d.isSilent(now) {
			r.drop(observe.DropNoWaybill, d.name)
		}
		return
	default:
		d.arrived(now)
		r.drop(observe.DropStale, d.name)
		return
	}
	if latency.Skewed {
		r.drop(observe.DropSkew, d.name)
	}
	if sc := remote.SpanContext(); sc.IsSampled() && !r.current(ctx).IsValid() {
		a := newArrival(ctx, sc)
		defer a.release()
		ctx = a
	}
	r.observeArrival(ctx, observe.Arrival{System: r.cfg.System, Destination: d.name, Hop: latency.Hop, EndToEnd: latency.Total})
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
		r.drop(observe.DropSkew, destination)
		return 0
	}
	return d
}
