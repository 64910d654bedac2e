// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Lag is how far a consumer group is behind on one partition.
type Lag struct {
	Topic     string
	Partition int
	// Committed is the offset that the group goes on at.
	Committed int64
	// End is the offset of the next message that will be written.
	End int64
}

// Messages returns how many offsets the group has before it. In a compacted or
// transactional topic not all of them are messages, so it may stay above 0.
func (l Lag) Messages() int64 { return max(l.End-l.Committed, 0) }

// ReadLag asks the brokers how far group is behind on topics, or on all topics
// it has committed offsets of if there are none. It is right for a group whose
// consumers are stuck or stopped, of which a [Reader] knows nothing. The group
// is not joined, and no offset changes.
//
// Partitions that the group has never committed are left out. The error is that
// of the first request that failed. A nil client is [ErrNil].
func ReadLag(ctx context.Context, client *kafka.Client, group string, topics ...string) ([]Lag, error) {
	if client == nil {
		return nil, ErrNil
	}
	ctx = orBackground(ctx)
	committed, err := committedOffsets(ctx, client, group, topics)
	if err != nil || len(committed) == 0 {
		return nil, err
	}
	requests := make(map[string][]kafka.OffsetRequest)
	for key := range committed {
		requests[key.topic] = append(requests[key.topic], kafka.LastOffsetOf(key.partition))
	}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: requests})
	if err != nil {
		return nil, fmt.Errorf("the end of the partitions: %w", err)
	}
	var lags []Lag
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("the end of partition %d of %s: %w", p.Partition, topic, p.Error)
			}
			lags = append(lags, Lag{topic, p.Partition, committed[topicPartition{topic, p.Partition}], p.LastOffset})
		}
	}
	slices.SortFunc(lags, func(a, b Lag) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return lags, nil
}

// committedOffsets returns the offsets that group has committed.
func committedOffsets(ctx context.Context, client *kafka.Client, group string, topics []string) (map[topicPartition]int64, error) {
	partitions, err := partitionsOf(ctx, client, topics)
	if err != nil {
		return nil, err
	}
	res, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: partitions})
	switch {
	case err != nil:
		return nil, fmt.Errorf("the offsets of group %q: %w", group, err)
	case res.Error != nil:
		return nil, fmt.Errorf("the offsets of group %q: %w", group, res.Error)
	}
	committed := make(map[topicPartition]int64)
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			if p.Error == nil && p.CommittedOffset >= 0 {
				committed[topicPartition{topic, p.Partition}] = p.CommittedOffset
			}
		}
	}
	return committed, nil
}

// partitionsOf returns the partitions of topics, or nil, which asks for all that
// a group has committed.
func partitionsOf(ctx context.Context, client *kafka.Client, topics []string) (map[string][]int, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	res, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("the partitions of %q: %w", topics, err)
	}
	partitions := make(map[string][]int)
	for _, topic := range res.Topics {
		if topic.Error != nil {
			return nil, fmt.Errorf("the partitions of %q: %w", topic.Name, topic.Error)
		}
		for _, p := range topic.Partitions {
			partitions[topic.Name] = append(partitions[topic.Name], p.ID)
		}
	}
	return partitions, nil
}

// WatchLag reads the lag of group now and then until ctx is done, and tells the
// observer of [WithObserver]: see [ReadLag]. One watcher a group is enough for
// all its consumers, wherever it runs. It returns the error of ctx, or at once
// an error that no later attempt can mend.
//
// The interval of [WithInterval] is at times up to a tenth shorter, so that
// watchers that started together do not ask together, and is the time limit of
// an attempt.
// One that fails is told to the observer as a failure of the operation "lag". A
// partition that is no longer reported is told to be revoked.
func WatchLag(ctx context.Context, client *kafka.Client, group string, topics []string, opts ...Option) error {
	cfg := newConfig(opts)
	switch {
	case client == nil:
		return ErrNil
	case cfg.observer == nil:
		return errNoObserver
	}
	const byDefault = 30 * time.Second
	interval := cfg.interval
	if interval <= 0 {
		interval = byDefault
	}
	ctx = orBackground(ctx)
	w := &lagWatch{telemetry: newBriefTelemetry(cfg), client: client, group: group, topics: topics}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			w.forget(w.known)
			return ctx.Err()
		case <-timer.C:
			w.look(ctx, interval)
			timer.Reset(jittered(interval))
		}
	}
}

var errNoObserver = errors.New("kafkacarrier: WatchLag needs WithObserver")

// opLag is the operation that failures of a watcher are counted as.
var opLag = operation{name: "lag"} //nolint:gochecknoglobals // constant.

// lagWatch is a WatchLag under way.
type lagWatch struct {
	*telemetry

	client *kafka.Client
	group  string
	topics []string
	known  map[topicPartition]bool
}

// look reads the lag once. What the observer knows stays as it is when it fails.
func (w *lagWatch) look(ctx context.Context, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	lags, err := ReadLag(limited, w.client, w.group, w.topics...)
	if err != nil {
		if ctx.Err() == nil {
			w.failed(opLag, "", errorType(err))
		}
		return
	}
	gone := w.known
	w.known = make(map[topicPartition]bool, len(lags))
	for _, l := range lags {
		key := topicPartition{l.Topic, l.Partition}
		w.known[key] = true
		delete(gone, key)
		w.committed(w.group, w.templateOf(l.Topic), l.Partition, l.Messages())
	}
	w.forget(gone)
}

// forget tells the observer that partitions are no longer watched.
func (w *lagWatch) forget(partitions map[topicPartition]bool) {
	for key := range partitions {
		w.revoked(w.group, w.templateOf(key.topic), key.partition)
	}
}

// jittered returns d, or up to a tenth less.
func jittered(d time.Duration) time.Duration {
	const tenth = 10
	return d - rand.N(d/tenth+1) //nolint:gosec // no secret.
}
