// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"time"
)

// Observer measures what a [Writer], a [Reader], [Process] and [WatchLag] see.
// Its methods take types of the standard library only, so that package metrics,
// which has one for Prometheus, does not depend on this one.
//
// An Observer never changes what is observed: if it panics, the call goes on.
// Its methods are called from many goroutines, between which they must not
// block, and once for each message, so they must not allocate either. Methods
// are never added to this interface; what comes later comes as one more.
type Observer interface {
	// KafkaSent is called when messages have been written to a partition, which
	// is -1 when the broker does not say, as without acknowledgements. The bytes
	// are those of their keys and values.
	KafkaSent(topic string, partition, messages, bytes int)
	// KafkaFetched is called when a message was handed to the caller. The lag
	// is the number of messages in the partition after it. The time it was
	// queued for is negative when the message has no time.
	KafkaFetched(group, topic string, partition, bytes int, lag int64, queued time.Duration)
	// KafkaTravelled is called when a message with a waybill is handled: hop is
	// the time since it was sent, endToEnd that since its data set out. The span
	// that handles it is in ctx.
	KafkaTravelled(ctx context.Context, topic string, hop, endToEnd time.Duration)
	// KafkaCommitted is called when the offset of a partition was committed, or
	// its committed offset was looked up. The lag is the number of messages
	// after it.
	KafkaCommitted(group, topic string, partition int, lag int64)
	// KafkaRedelivered is called for a message that was fetched before.
	KafkaRedelivered(group, topic string, partition int)
	// KafkaSkipped is called for a gap in the offsets of a partition. Compaction
	// and the markers of transactions make gaps too.
	KafkaSkipped(group, topic string, partition int, offsets int64)
	// KafkaRevoked is called when a partition is no longer read here: what is
	// known of it is out of date.
	KafkaRevoked(group, topic string, partition int)
	// KafkaFailed is called for an operation that failed. The topic is empty
	// when there is not one; the error type is the same as on the span.
	KafkaFailed(operation, topic, errorType string)
	// KafkaDropped is called for a context that was not carried, or a time that
	// was not measured. The reason is one of the constants in the package
	// documentation.
	KafkaDropped(reason string)
}

// BackpressureObserver is an optional interface of an [Observer], which shows
// where messages wait in a program. Methods are never added to it either.
type BackpressureObserver interface {
	// KafkaQueued is called when the number of messages changes that a Writer
	// was given and is not done with: up when WriteMessages is called, and down
	// when it returns or, if the kafka.Writer is asynchronous, when their outcome
	// is known.
	KafkaQueued(topic string, change int)
	// KafkaBlocked is called with the time a call spent in kafka-go: a send until
	// the messages were accepted, or delivered if the Writer is synchronous, and
	// a poll until there was a message. The topic is empty when there are
	// several.
	KafkaBlocked(operation, topic string, blocked time.Duration)
}

// The reasons that [Observer.KafkaDropped] is called with.
const (
	dropMalformed = "malformed_context" // A message held a context that is none.
	dropDuplicate = "duplicate_context" // It held several; the newest was taken.
	dropTooLarge  = "too_large"         // The context, or part of it, did not fit in BatchBytes.
	dropSkew      = "clock_skew"        // A time was in the future, and counted as now.
)

// observed calls an [Observer] that may be nil and may panic.
type observed struct{ to Observer }

func contain() { _ = recover() }

func (o observed) sent(topic string, partition, messages, bytes int) {
	if o.to != nil {
		defer contain()
		o.to.KafkaSent(topic, partition, messages, bytes)
	}
}

func (o observed) fetched(group, topic string, partition, bytes int, lag int64, queued time.Duration) {
	if o.to != nil {
		defer contain()
		o.to.KafkaFetched(group, topic, partition, bytes, lag, queued)
	}
}

func (o observed) travelled(ctx context.Context, topic string, hop, endToEnd time.Duration) {
	if o.to != nil {
		defer contain()
		o.to.KafkaTravelled(ctx, topic, hop, endToEnd)
	}
}

func (o observed) committed(group, topic string, partition int, lag int64) {
	if o.to != nil {
		defer contain()
		o.to.KafkaCommitted(group, topic, partition, lag)
	}
}

func (o observed) redelivered(group, topic string, partition int) {
	if o.to != nil {
		defer contain()
		o.to.KafkaRedelivered(group, topic, partition)
	}
}

func (o observed) skipped(group, topic string, partition int, offsets int64) {
	if o.to != nil {
		defer contain()
		o.to.KafkaSkipped(group, topic, partition, offsets)
	}
}

func (o observed) revoked(group, topic string, partition int) {
	if o.to != nil {
		defer contain()
		o.to.KafkaRevoked(group, topic, partition)
	}
}

func (o observed) failed(op operation, topic, errorType string) {
	if o.to != nil {
		defer contain()
		o.to.KafkaFailed(op.name, topic, errorType)
	}
}

// backpressure returns the observer of that, or nil.
func (o observed) backpressure() BackpressureObserver {
	b, _ := o.to.(BackpressureObserver)
	return b
}

func (o observed) queued(topic string, change int) {
	if b := o.backpressure(); b != nil {
		defer contain()
		b.KafkaQueued(topic, change)
	}
}

func (o observed) blocked(op operation, topic string, d time.Duration) {
	if b := o.backpressure(); b != nil {
		defer contain()
		b.KafkaBlocked(op.name, topic, d)
	}
}

// clock returns the time, if it matters to a BackpressureObserver.
func (o observed) clock() time.Time {
	if o.backpressure() == nil {
		return time.Time{}
	}
	return time.Now()
}

func (o observed) dropped(reason string) {
	if o.to != nil {
		defer contain()
		o.to.KafkaDropped(reason)
	}
}
