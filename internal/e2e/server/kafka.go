// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// partitions is how many a topic gets that a constructor makes.
const partitions = 3

// KafkaServer is a Kafka broker for one test.
type KafkaServer struct {
	*lifecycle
	addr string
}

// Kafka starts Apache Kafka with the given topics, of three partitions each. If
// the variable KAFKA_BROKERS is set, it uses the first broker there instead.
func Kafka(t testing.TB, topics ...string) *KafkaServer {
	t.Helper()
	var k *KafkaServer
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		addr, _, _ := strings.Cut(brokers, ",")
		k = &KafkaServer{lifecycle: use(t, brokerReady(addr)), addr: addr}
	} else {
		k = startKafka(t)
	}
	k.CreateTopics(partitions, topics...)
	return k
}

func startKafka(t testing.TB) *KafkaServer {
	t.Helper()
	j := requireJava(t, "kafka")
	addrs, err := freeAddrs(2)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(config, []byte(kafkaProperties(dir, addrs[0], addrs[1])), 0o600); err != nil {
		t.Fatal(err)
	}
	format := j.command("kafka.tools.StorageTool", "format", "-t", "waybill-e2e-cluster-01", "-c", config, "--ignore-formatted")
	if out, err := exec.Command(format[0], format[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("format the storage of Kafka: %v\n%s", err, out)
	}
	broker := &process{command: j.command("kafka.Kafka", config), dir: dir, ready: brokerReady(addrs[0])}
	return &KafkaServer{lifecycle: begin(t, broker), addr: addrs[0]}
}

// kafkaProperties configures one node that is broker and controller, keeps its
// data in dir, and makes a consumer group wait for nobody.
func kafkaProperties(dir, addr, controller string) string {
	return strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + controller,
		"listeners=PLAINTEXT://" + addr + ",CONTROLLER://" + controller,
		"controller.listener.names=CONTROLLER",
		"log.dirs=" + filepath.ToSlash(filepath.Join(dir, "data")),
		"num.partitions=3",
		"offsets.topic.num.partitions=1",
		"offsets.topic.replication.factor=1",
		"transaction.state.log.num.partitions=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
		"",
	}, "\n")
}

// Addr returns the address of the broker, as host:port.
func (k *KafkaServer) Addr() string { return k.addr }

// CreateTopics makes topics of so many partitions, and returns when each can be
// written to. One that is there already stays as it is.
func (k *KafkaServer) CreateTopics(partitions int, topics ...string) {
	k.t.Helper()
	if len(topics) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := createTopics(ctx, k.addr, partitions, topics); err != nil {
		k.t.Fatalf("create topics: %v", err)
	}
}

func createTopics(ctx context.Context, addr string, partitions int, topics []string) error {
	client, closeIdle := newClient(addr)
	defer closeIdle()
	configs := make([]kafka.TopicConfig, len(topics))
	for i, topic := range topics {
		configs[i] = kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	}
	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: configs})
	if err != nil {
		return err
	}
	for topic, err := range created.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("%s: %w", topic, err)
		}
	}
	return await(ctx, nil, func(ctx context.Context) error { return topicsReady(ctx, addr, topics) })
}

// DeleteRecords deletes all records of a topic, as an operator does who makes
// room on a full disk. Offsets are not used again.
func (k *KafkaServer) DeleteRecords(topic string) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := deleteRecords(ctx, k.addr, topic); err != nil {
		k.t.Fatalf("delete the records of %s: %v", topic, err)
	}
}

func deleteRecords(ctx context.Context, addr, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr)) // kafka-go has no such request.
	if err != nil {
		return err
	}
	defer client.Close()
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	known, err := metadata.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	deletion := kmsg.DeleteRecordsRequestTopic{Topic: topic}
	for _, p := range known.Topics[0].Partitions {
		const all = -1
		deletion.Partitions = append(deletion.Partitions, kmsg.DeleteRecordsRequestTopicPartition{Partition: p.Partition, Offset: all})
	}
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.TimeoutMillis = 10_000
	request.Topics = []kmsg.DeleteRecordsRequestTopic{deletion}
	deleted, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, p := range deleted.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return fmt.Errorf("partition %d: %w", p.Partition, err)
		}
	}
	return nil
}

// topicsReady reports whether every partition has a leader.
func topicsReady(ctx context.Context, addr string, topics []string) error {
	// A client answers later questions from its memory, so each takes its own.
	client, closeIdle := newClient(addr)
	defer closeIdle()
	metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return err
	}
	for _, topic := range metadata.Topics {
		if topic.Error != nil {
			return fmt.Errorf("%s: %w", topic.Name, topic.Error)
		}
		for _, p := range topic.Partitions {
			if p.Error != nil || p.Leader.Host == "" {
				return fmt.Errorf("partition %d of %s has no leader: %w", p.ID, topic.Name, p.Error)
			}
		}
	}
	return nil
}

// brokerReady returns a function that reports whether the broker at addr takes
// requests, knows itself, and serves consumer groups.
func brokerReady(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := listening(ctx, addr); err != nil {
			return err
		}
		client, closeIdle := newClient(addr)
		defer closeIdle()
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		if err != nil {
			return err
		}
		if len(metadata.Brokers) == 0 {
			return errors.New("the cluster has no broker yet")
		}
		return groupsReady(ctx, client)
	}
}

// groupsReady reports whether the offsets of consumer groups are known: a broker
// makes or loads them when it is first asked, and refuses members until then.
func groupsReady(ctx context.Context, client *kafka.Client) error {
	offsets, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: "nobody"})
	if err != nil || errors.Is(offsets.Error, kafka.GroupIdNotFound) {
		return err
	}
	return offsets.Error
}

// newClient returns a client that the second result closes.
func newClient(addr string) (*kafka.Client, func()) {
	transport := &kafka.Transport{Dial: (&net.Dialer{}).DialContext}
	return &kafka.Client{Addr: kafka.TCP(addr), Transport: transport}, transport.CloseIdleConnections
}
