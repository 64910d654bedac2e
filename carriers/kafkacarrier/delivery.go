// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/propagation"
)

// delivered measures that msg came to the caller by op.
func (t *telemetry) delivered(ctx context.Context, op operation, msg *kafka.Message) {
	if in := t.instruments(); in.consumed.Enabled(ctx) {
		in.count(ctx, in.consumed, 1, t.measured(op, msg.Topic, msg.Partition, nil))
	}
	if t.to == nil {
		return
	}
	now := time.Now()
	topic := t.templateOf(msg.Topic)
	queued := time.Duration(-1)
	if !msg.Time.IsZero() {
		queued = t.since(now, msg.Time)
	}
	t.fetched(t.cfg.group, topic, msg.Partition, len(msg.Key)+len(msg.Value), lagOf(msg), queued)
	if t.cfg.withoutExtract {
		return
	}
	remote := t.cfg.read(msg) //nolint:contextcheck // headers are read without one.
	if waybill := remote.Waybill(); !waybill.IsZero() {
		t.travelled(ctx, topic, t.since(now, waybill.Sent), t.since(now, waybill.Origin))
	}
	t.examine(msg, remote)
}

// since returns the time from then to now. What is in the future, by a clock
// that is ahead, was now.
func (t *telemetry) since(now, then time.Time) time.Duration {
	d := now.Sub(then)
	if d < 0 {
		t.dropped(dropSkew)
		return 0
	}
	return d
}

// lagOf returns how many offsets there were after msg when it was fetched. In a
// compacted or transactional topic not all of them are messages.
func lagOf(msg *kafka.Message) int64 { return max(msg.HighWaterMark-msg.Offset-1, 0) }

// examine counts what is wrong with the context that msg carries.
func (t *telemetry) examine(msg *kafka.Message, remote propagation.Remote) {
	if _, malformed := errors.AsType[*propagation.MalformedError](remote.Err()); malformed {
		t.dropped(dropMalformed)
	}
	if hasDuplicates(msg.Headers) {
		t.dropped(dropDuplicate)
	}
}

// hasDuplicates reports whether headers hold two contexts that differ.
func hasDuplicates(headers []kafka.Header) bool {
	var first []byte
	for i := range headers {
		h := &headers[i]
		switch {
		case len(h.Value) == 0 || !sameKey(h.Key, "traceparent"):
		case first == nil:
			first = h.Value
		case !bytes.Equal(first, h.Value):
			return true
		}
	}
	return false
}
