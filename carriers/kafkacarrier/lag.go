// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/internal/safe"
)

// Lag is how far a consumer group is behind on one partition.
type Lag struct {
	Topic     string
	Partition int
	// Committed is the offset that the group continues at: the one it committed,
	// or the first offset of the partition if retention has removed that.
	Committed int64
	// End is the offset of the next message that will be written.
	End int64
}

// Messages returns how many offsets the group has before it. In a compacted or
// transactional topic not all of them are messages, so it may stay above 0.
func (l Lag) Messages() int64 { return max(l.End-l.Committed, 0) }

// ReadLag asks the brokers how far group is behind on topics, or on all topics for
// which it has committed offsets if there are none. It is right for a group whose
// consumers are stuck or stopped, which a [Reader] cannot see. It does not join
// the group and changes no offset.
//
// Partitions for which the group has never committed are left out. If some topics
// or partitions cannot be read, ReadLag returns the lag of the others, and an
// error. If client is nil, it returns [ErrNil].
func ReadLag(ctx context.Context, client *kafka.Client, group string, topics ...string) ([]Lag, error) {
	if client == nil {
		return nil, ErrNil
	}
	q := lagQuery{client: client, group: group, topics: topics}
	lags := q.read(safe.Context(ctx))
	errs := make([]error, len(q.failures))
	for i := range q.failures {
		errs[i] = q.failures[i].err
	}
	return lags, errors.Join(errs...)
}

// lagQuery reads the lag of a group once.
type lagQuery struct {
	client *kafka.Client
	group  string
	topics []string

	failures []lagFailure
}

// lagFailure is why the lag of a topic, or of all topics if it is empty, was not
// read.
type lagFailure struct {
	topic string
	err   error
}

type topicPartition struct {
	topic     string
	partition int
}

// fail notes the first failure of a topic.
func (q *lagQuery) fail(topic string, err error) {
	if !slices.ContainsFunc(q.failures, func(f lagFailure) bool { return f.topic == topic }) {
		q.failures = append(q.failures, lagFailure{topic, err})
	}
}

func (q *lagQuery) read(ctx context.Context) []Lag {
	var lags []Lag
	committed := q.committed(ctx)
	for key, bounds := range q.bounds(ctx, committed) {
		lags = append(lags, Lag{key.topic, key.partition, max(committed[key], bounds.FirstOffset), bounds.LastOffset})
	}
	slices.SortFunc(lags, func(a, b Lag) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return lags
}

// committed returns the offsets that the group has committed.
func (q *lagQuery) committed(ctx context.Context) map[topicPartition]int64 {
	partitions := q.partitions(ctx)
	if len(q.topics) > 0 && len(partitions) == 0 {
		return nil // Nothing would mean everything.
	}
	res, err := q.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: q.group, Topics: partitions})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		q.fail("", fmt.Errorf("kafkacarrier: offsets of group %q: %w", q.group, err))
		return nil
	}
	committed := make(map[topicPartition]int64)
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			switch {
			case p.Error != nil:
				q.fail(topic, fmt.Errorf("kafkacarrier: offset of group %q in partition %d of %q: %w", q.group, p.Partition, topic, p.Error))
			case p.CommittedOffset >= 0:
				committed[topicPartition{topic, p.Partition}] = p.CommittedOffset
			}
		}
	}
	return committed
}

// partitions returns the partitions of the topics, or nil for all that the group
// has committed.
func (q *lagQuery) partitions(ctx context.Context) map[string][]int {
	if len(q.topics) == 0 {
		return nil
	}
	res, err := q.client.Metadata(ctx, &kafka.MetadataRequest{Topics: q.topics})
	if err != nil {
		q.fail("", fmt.Errorf("kafkacarrier: partitions of %q: %w", q.topics, err))
		return nil
	}
	partitions := make(map[string][]int)
	for _, topic := range res.Topics {
		if topic.Error != nil {
			q.fail(topic.Name, fmt.Errorf("kafkacarrier: partitions of %q: %w", topic.Name, topic.Error))
			continue
		}
		for _, p := range topic.Partitions {
			partitions[topic.Name] = append(partitions[topic.Name], p.ID)
		}
	}
	return partitions
}

// bounds returns the first and last offsets of partitions. kafka-go answers for
// all of them or none, so if it fails they are asked for one by one.
func (q *lagQuery) bounds(ctx context.Context, committed map[topicPartition]int64) map[topicPartition]kafka.PartitionOffsets {
	bounds := make(map[topicPartition]kafka.PartitionOffsets, len(committed))
	if len(committed) == 0 {
		return bounds
	}
	all := make(map[string][]kafka.OffsetRequest)
	for key := range committed {
		all[key.topic] = append(all[key.topic], kafka.FirstOffsetOf(key.partition), kafka.LastOffsetOf(key.partition))
	}
	if q.listOffsets(ctx, all, bounds) == nil {
		return bounds
	}
	for key := range committed {
		one := map[string][]kafka.OffsetRequest{key.topic: {kafka.FirstOffsetOf(key.partition), kafka.LastOffsetOf(key.partition)}}
		if err := q.listOffsets(ctx, one, bounds); err != nil {
			q.fail(key.topic, fmt.Errorf("kafkacarrier: bounds of partition %d of %q: %w", key.partition, key.topic, err))
		}
		if ctx.Err() != nil {
			q.fail("", fmt.Errorf("kafkacarrier: bounds of partitions: %w", ctx.Err()))
			break
		}
	}
	return bounds
}

// listOffsets adds the bounds that the brokers answer with.
func (q *lagQuery) listOffsets(ctx context.Context, topics map[string][]kafka.OffsetRequest, bounds map[topicPartition]kafka.PartitionOffsets) error {
	res, err := q.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: topics})
	if err != nil {
		return err
	}
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				q.fail(topic, fmt.Errorf("kafkacarrier: bounds of partition %d of %q: %w", p.Partition, topic, p.Error))
				continue
			}
			bounds[topicPartition{topic, p.Partition}] = p
		}
	}
	return nil
}

var errNoObserver = errors.New("kafkacarrier: WatchLag needs WithObserver")

// WatchLag periodically reads the lag of group, as [ReadLag] does, and reports it
// to the observer of [WithObserver] until ctx is done. One watcher for a group is
// enough for all its consumers, wherever it runs. WatchLag returns ctx.Err(), or
// immediately returns an error that retrying cannot fix.
//
// The interval of [WithInterval] is at times up to a tenth shorter, so that
// watchers that started together do not ask together, and is the time limit of
// each attempt. A topic that cannot be read is reported as a failure of the
// operation "lag", and its lag remains as it was. A partition that is no longer
// there is reported as revoked, as all partitions are in the end; what a Reader
// reports of them is not affected.
func WatchLag(ctx context.Context, client *kafka.Client, group string, topics []string, opts ...LagOption) error {
	cfg := newConfig(opts)
	switch {
	case client == nil:
		return ErrNil
	case cfg.recorder.Observer == nil:
		return errNoObserver
	}
	const byDefault = 30 * time.Second
	interval := cfg.interval
	if interval <= 0 {
		interval = byDefault
	}
	cfg.recorder.Group = group
	return messaging.New(cfg.recorder).Watch(safe.Context(ctx), interval, func(ctx context.Context, w *messaging.Watch) {
		q := lagQuery{client: client, group: group, topics: topics}
		for _, l := range q.read(ctx) {
			w.Committed(ctx, l.Topic, l.Partition, l.Committed, l.Messages())
		}
		for _, f := range q.failures {
			w.Failed(ctx, f.topic, f.err)
		}
	})
}
