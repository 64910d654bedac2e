// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// kafkaAdmin prepares the Kafka broker and reads what it has.
type kafkaAdmin struct {
	client *kafka.Client
	group  string
	before map[string]int64 // The number of records that each topic had before.
}

// newKafkaAdmin creates the topics, and a consumer group that starts at the records
// that are written from now on.
func newKafkaAdmin(ctx context.Context, addr, group string) (*kafkaAdmin, error) {
	a := &kafkaAdmin{client: &kafka.Client{Addr: kafka.TCP(addr), Timeout: patience}, group: group}
	created, err := a.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: topicRaw, NumPartitions: partitions, ReplicationFactor: 1},
		{Topic: topicRejected, NumPartitions: partitions, ReplicationFactor: 1},
	}})
	if err != nil {
		return nil, err
	}
	for topic, err := range created.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return nil, fmt.Errorf("create the topic %s: %w", topic, err)
		}
	}
	// A new topic and a new group take a moment until they can be used.
	for end := time.Now().Add(5 * patience); ; time.Sleep(100 * time.Millisecond) {
		if err = a.commitEnds(ctx); err == nil || ctx.Err() != nil || time.Now().After(end) {
			return a, err
		}
	}
}

// commitEnds makes the group start at the ends of the partitions.
func (a *kafkaAdmin) commitEnds(ctx context.Context) error {
	ends, err := a.ends(ctx)
	if err != nil {
		return err
	}
	var commits []kafka.OffsetCommit
	for _, end := range ends[topicRaw] {
		commits = append(commits, kafka.OffsetCommit{Partition: end.Partition, Offset: end.LastOffset})
	}
	committed, err := a.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: a.group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topicRaw: commits},
	})
	if err != nil {
		return err
	}
	for _, partition := range committed.Topics[topicRaw] {
		if partition.Error != nil {
			return partition.Error
		}
	}
	a.before = totals(ends)
	return nil
}

// written returns the number of records that were written to each topic since.
func (a *kafkaAdmin) written(ctx context.Context) (map[string]int64, error) {
	ends, err := a.ends(ctx)
	if err != nil {
		return nil, err
	}
	written := totals(ends)
	for topic := range written {
		written[topic] -= a.before[topic]
	}
	return written, nil
}

// lag returns how many records the group has not committed.
func (a *kafkaAdmin) lag(ctx context.Context) (int64, error) {
	ends, err := a.ends(ctx)
	if err != nil {
		return 0, err
	}
	var ids []int
	for _, end := range ends[topicRaw] {
		ids = append(ids, end.Partition)
	}
	fetched, err := a.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: a.group, Topics: map[string][]int{topicRaw: ids}})
	if err != nil {
		return 0, err
	}
	lag := totals(ends)[topicRaw]
	for _, partition := range fetched.Topics[topicRaw] {
		if partition.Error != nil {
			return 0, fmt.Errorf("the offset of partition %d: %w", partition.Partition, partition.Error)
		}
		lag -= max(partition.CommittedOffset, 0)
	}
	return lag, nil
}

// ready reports whether the members of the consumer group have their partitions.
func (a *kafkaAdmin) ready(ctx context.Context, members int) (bool, error) {
	described, err := a.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{a.group}})
	if err != nil {
		return false, err
	}
	group := described.Groups[0]
	return group.Error == nil && group.GroupState == "Stable" && len(group.Members) == members, nil
}

// ends returns the end of each partition.
func (a *kafkaAdmin) ends(ctx context.Context) (map[string][]kafka.PartitionOffsets, error) {
	metadata, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topicRaw, topicRejected}})
	if err != nil {
		return nil, err
	}
	requests := map[string][]kafka.OffsetRequest{}
	for _, topic := range metadata.Topics {
		if topic.Error != nil {
			return nil, topic.Error
		}
		for _, partition := range topic.Partitions {
			requests[topic.Name] = append(requests[topic.Name], kafka.LastOffsetOf(partition.ID))
		}
	}
	listed, err := a.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: requests})
	if err != nil {
		return nil, err
	}
	for _, offsets := range listed.Topics {
		for _, end := range offsets {
			if end.Error != nil {
				return nil, end.Error
			}
		}
	}
	return listed.Topics, nil
}

func totals(ends map[string][]kafka.PartitionOffsets) map[string]int64 {
	total := map[string]int64{}
	for topic, offsets := range ends {
		for _, end := range offsets {
			total[topic] += end.LastOffset
		}
	}
	return total
}
