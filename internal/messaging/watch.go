// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/waybill-go/waybill/observe"
)

// Watch reports the committed offsets of a consumer group that someone else looks
// up. It must not be used concurrently.
type Watch struct {
	r      *Recorder
	reader uint64

	known  map[topicPartition]bool // False for those that the current look has not seen.
	failed map[string]bool         // The topics that it could not see.
}

// Watch calls look periodically until ctx is done, and returns ctx.Err(). The
// interval is at times up to a tenth shorter, so that watchers that started
// together do not look together, and is the time limit of each look. A look
// reports what it sees by [Watch.Committed] and [Watch.Failed]; what was seen
// before and is not any more is reported as revoked, unless its topic failed.
func (r *Recorder) Watch(ctx context.Context, interval time.Duration, look func(context.Context, *Watch)) error {
	w := &Watch{r: r, reader: NewReaderID(), known: make(map[topicPartition]bool)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			w.sweep(func(topicPartition) bool { return true })
			return ctx.Err()
		case <-timer.C:
			w.look(ctx, interval, look)
			timer.Reset(jittered(interval))
		}
	}
}

func (w *Watch) look(ctx context.Context, limit time.Duration, look func(context.Context, *Watch)) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for key := range w.known {
		w.known[key] = false
	}
	w.failed = make(map[string]bool)
	look(limited, w)
	if ctx.Err() == nil {
		w.sweep(func(key topicPartition) bool { return !w.known[key] && !w.failed[key.topic] && !w.failed[""] })
	}
}

// jittered returns d, or up to a tenth less.
func jittered(d time.Duration) time.Duration {
	const tenth = 10
	return d - rand.N(d/tenth+1) //nolint:gosec // no secret.
}

// Committed reports the offset that the group continues at, and how many offsets
// there are from there on.
func (w *Watch) Committed(ctx context.Context, topic string, partition int, offset, lag int64) {
	w.known[topicPartition{topic, partition}] = true
	of := w.partition(topic, partition)
	w.r.observeCommit(ctx, &observe.Commit{
		System: of.System, Group: of.Group, Topic: of.Topic, Partition: of.Partition, Reader: of.Reader, Offset: offset, Lag: lag,
	})
}

// sweep reports the partitions as revoked for which gone reports true.
func (w *Watch) sweep(gone func(topicPartition) bool) {
	for key := range w.known {
		if gone(key) {
			delete(w.known, key)
			w.r.observeRevocation(w.partition(key.topic, key.partition))
		}
	}
}

// Failed reports that the offsets of topic could not be looked up. It is empty
// if none could be. It reports nothing if ctx was canceled.
func (w *Watch) Failed(ctx context.Context, topic string, err error) {
	w.failed[topic] = true
	outcome := observe.Classify(ctx, err)
	w.r.fail(ctx, Lag, w.r.destinationOf(topic).name, outcome, outcome.ErrorType(err))
}

func (w *Watch) partition(topic string, partition int) observe.Partition {
	return observe.Partition{
		System: w.r.cfg.System, Group: w.r.cfg.Group, Topic: w.r.destinationOf(topic).name, Partition: partition, Reader: w.reader,
	}
}
