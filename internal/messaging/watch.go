// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"

	"github.com/waybill-go/waybill/observe"
)

// Watch reports the committed offsets of a consumer group that someone else looks
// up. It must not be used concurrently.
type Watch struct {
	r      *Recorder
	reader uint64
	known  map[topicPartition]bool
}

// NewWatch returns a Watch of the group of r.
func (r *Recorder) NewWatch() *Watch {
	return &Watch{r: r, reader: NewReaderID(), known: make(map[topicPartition]bool)}
}

// Committed reports the offset that the group goes on at, and how many offsets
// there are from there on.
func (w *Watch) Committed(ctx context.Context, topic string, partition int, offset, lag int64) {
	w.known[topicPartition{topic, partition}] = true
	of := w.partition(topic, partition)
	w.r.observeCommit(ctx, &observe.Commit{
		System: of.System, Group: of.Group, Topic: of.Topic, Partition: of.Partition, Reader: of.Reader, Offset: offset, Lag: lag,
	})
}

// Forget reports that all partitions are no longer watched for which gone
// reports true.
func (w *Watch) Forget(gone func(topic string, partition int) bool) {
	for key := range w.known {
		if gone(key.topic, key.partition) {
			delete(w.known, key)
			w.r.observeRevocation(w.partition(key.topic, key.partition))
		}
	}
}

// Failed reports that the offsets of topic could not be looked up. It is empty
// if there are several.
func (w *Watch) Failed(ctx context.Context, topic string, err error) {
	outcome := observe.Classify(ctx, err)
	w.r.fail(ctx, Lag, w.r.destinationOf(topic).name, outcome, outcome.ErrorType(err))
}

func (w *Watch) partition(topic string, partition int) observe.Partition {
	return observe.Partition{
		System: w.r.cfg.System, Group: w.r.cfg.Group, Topic: w.r.destinationOf(topic).name, Partition: partition, Reader: w.reader,
	}
}
