// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"context"
	"time"
)

// The systems that events come from, as the semantic conventions of
// OpenTelemetry name them.
const (
	SystemKafka   = "kafka"
	SystemMongoDB = "mongodb"
)

// MessagingObserver observes what clients of messaging systems do: a topic of
// Kafka, or a collection of MongoDB that is used as a queue. Package metrics has
// one for Prometheus and one for OpenTelemetry.
//
// A MessagingObserver never changes what is observed: if it panics, the call
// continues. Methods may be called concurrently and once per message; they
// should not block or allocate. The span of the operation is the current one in
// ctx, where there is one; the context may be done. Embed [NoMessaging] to
// implement some of the methods only.
//
// A MessagingObserver may also implement [PartitionObserver] and
// [BackpressureObserver]. New methods are added as separate optional
// interfaces, never to this one.
type MessagingObserver interface {
	// Sent is called when messages have been written.
	Sent(ctx context.Context, e Send)
	// Fetched is called when a message was handed to the caller.
	Fetched(ctx context.Context, e Fetch)
	// Arrived is called when a message or document with a waybill is handled. The
	// ctx must not be used after the call.
	Arrived(ctx context.Context, e Arrival)
	// Processed is called when messages or documents have been handled.
	Processed(ctx context.Context, e Process)
	// Committed is called when the offset of a partition was committed, or its
	// committed offset was looked up.
	Committed(ctx context.Context, e Commit)
	// Failed is called for an operation that failed. A cancellation is not a
	// failure.
	Failed(ctx context.Context, e Failure)

	DropObserver
}

// PartitionObserver is an optional interface that a [MessagingObserver] may
// implement to follow the partitions of a consumer.
type PartitionObserver interface {
	// Redelivered is called for a message that was fetched before.
	Redelivered(p Partition)
	// Skipped is called once for a gap in the offsets of a partition.
	// Compaction and the markers of transactions make gaps too.
	Skipped(g Gap)
	// Revoked is called when a partition is no longer read or watched by
	// p.Reader.
	Revoked(p Partition)
}

// BackpressureObserver is an optional interface that a [MessagingObserver] may
// implement to see where messages wait in a program.
type BackpressureObserver interface {
	// Queued is called when the number of messages changes that a writer was
	// given and is not done with.
	Queued(q Queue)
	// Blocked is called with the time that a call spent in the client library.
	Blocked(b Block)
}

// Send describes messages that have been written.
type Send struct {
	System      string
	Destination string // The topic or collection.
	Partition   int    // -1 if the broker does not tell.
	Messages    int
	Bytes       int // Of keys and values.
}

// Fetch describes a message that was handed to the caller.
type Fetch struct {
	System    string
	Group     string // The consumer group; may be empty.
	Topic     string
	Partition int
	Offset    int64
	Bytes     int           // Of key and value.
	Lag       int64         // The offsets in the partition after the highest one delivered; -1 if unknown.
	Queued    time.Duration // Since the time of the message; negative if it has none.
	Reader    uint64        // Identifies who tells: see [Partition].
}

// Arrival describes how long data needed to get here.
type Arrival struct {
	System      string
	Destination string
	Hop         time.Duration // Since the data was sent, at least 0.
	EndToEnd    time.Duration // Since the data entered the flow, at least 0.
}

// Process describes messages or documents that have been handled.
type Process struct {
	System      string
	Destination string // Empty if there are several.
	Group       string
	Messages    int
	Duration    time.Duration
	Outcome     Outcome
	ErrorType   string // The same as on the span; empty for a success.
}

// Commit describes a committed offset.
type Commit struct {
	System    string
	Group     string
	Topic     string
	Partition int
	Offset    int64 // Where the group continues: the offset after the last committed message.
	Lag       int64 // The offsets in the partition from there on.
	Reader    uint64
}

// Failure describes an operation that failed.
type Failure struct {
	System      string
	Operation   string // "send", "poll", "process", "commit", "lag".
	Destination string // Empty if there is not exactly one.
	ErrorType   string // The same as on the span.
}

// Partition identifies a partition as one reader sees it.
type Partition struct {
	System    string
	Group     string
	Topic     string
	Partition int
	// Reader tells the readers and watchers of one process apart, so that one
	// that loses a partition does not erase what another tells of it. It is
	// never 0.
	Reader uint64
}

// Gap describes offsets of a partition that were not delivered.
type Gap struct {
	Partition

	Offsets int64 // How many.
}

// Queue describes a change of the number of messages that wait in a writer.
type Queue struct {
	System      string
	Destination string
	Change      int // Positive when messages are accepted, negative when they are done.
}

// Block describes the time a call spent in a client library.
type Block struct {
	System      string
	Operation   string
	Destination string // Empty if there are several.
	Duration    time.Duration
}

// NoMessaging is a [MessagingObserver] that ignores all events. Embed it to
// implement some of the methods only. The zero value is ready to use.
type NoMessaging struct{}

var _ MessagingObserver = NoMessaging{}

// Sent ignores e.
func (NoMessaging) Sent(context.Context, Send) {}

// Fetched ignores e.
func (NoMessaging) Fetched(context.Context, Fetch) {}

// Arrived ignores e.
func (NoMessaging) Arrived(context.Context, Arrival) {}

// Processed ignores e.
func (NoMessaging) Processed(context.Context, Process) {}

// Committed ignores e.
func (NoMessaging) Committed(context.Context, Commit) {}

// Failed ignores e.
func (NoMessaging) Failed(context.Context, Failure) {}

// Dropped ignores d.
func (NoMessaging) Dropped(Drop) {}
