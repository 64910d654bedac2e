// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// broker is a kafka.RoundTripper that keeps what is produced to it.
type broker struct {
	partitions int                                            // of each topic.
	answer     func(topic string, attempt int) (int16, error) // the error code of a produce; nil means none.
	hold       chan struct{}                                  // a produce waits until it is closed.
	arrived    chan struct{}                                  // told of each produce, if not nil.
	metadata   func(ctx context.Context, topic string) (int16, error)

	mu       sync.Mutex
	records  []kafka.Message
	attempts int
}

func (b *broker) RoundTrip(ctx context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	switch req := req.(type) {
	case *metadata.Request:
		return b.describe(ctx, req)
	case *produce.Request:
		return b.produce(req)
	default:
		return nil, errors.New("the broker of the tests does not know this request")
	}
}

func (b *broker) describe(ctx context.Context, req *metadata.Request) (kafka.Response, error) {
	res := &metadata.Response{Brokers: []metadata.ResponseBroker{{NodeID: 1, Host: "broker", Port: 9092}}}
	for _, name := range req.TopicNames {
		topic := metadata.ResponseTopic{Name: name}
		if b.metadata != nil {
			code, err := b.metadata(ctx, name)
			if err != nil {
				return nil, err
			}
			topic.ErrorCode = code
		}
		for i := range max(b.partitions, 1) {
			topic.Partitions = append(topic.Partitions, metadata.ResponsePartition{PartitionIndex: int32(i), LeaderID: 1})
		}
		res.Topics = append(res.Topics, topic)
	}
	return res, nil
}

func (b *broker) produce(req *produce.Request) (kafka.Response, error) {
	topic, partition := req.Topics[0].Topic, req.Topics[0].Partitions[0].Partition
	messages := readAll(req.Topics[0].Partitions[0].RecordSet.Records)
	if b.arrived != nil {
		b.arrived <- struct{}{}
	}
	if b.hold != nil {
		<-b.hold
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.attempts++
	var code int16
	if b.answer != nil {
		var err error
		if code, err = b.answer(topic, b.attempts); err != nil {
			return nil, err
		}
	}
	base := int64(0)
	for _, r := range b.records {
		if r.Topic == topic && r.Partition == int(partition) {
			base++
		}
	}
	if code == 0 {
		for i, m := range messages {
			m.Topic, m.Partition, m.Offset = topic, int(partition), base+int64(i)
			b.records = append(b.records, m)
		}
	}
	return &produce.Response{Topics: []produce.ResponseTopic{{Topic: topic, Partitions: []produce.ResponsePartition{
		{Partition: partition, ErrorCode: code, BaseOffset: base},
	}}}}, nil
}

func readAll(records protocol.RecordReader) []kafka.Message {
	var messages []kafka.Message
	for {
		r, err := records.ReadRecord()
		if err != nil {
			return messages
		}
		m := kafka.Message{Time: r.Time, Headers: append([]kafka.Header(nil), r.Headers...)}
		m.Key, m.Value = readBytes(r.Key), readBytes(r.Value)
		messages = append(messages, m)
	}
}

func readBytes(b kafka.Bytes) []byte {
	if b == nil {
		return nil
	}
	data, _ := io.ReadAll(b)
	return data
}

// written returns what was produced, in the order it came.
func (b *broker) written() []kafka.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]kafka.Message(nil), b.records...)
}

// writerTo returns a kafka.Writer that writes orders to b at once and tries twice.
func writerTo(b *broker) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP("broker:9092"), Topic: "orders", Transport: b, RequiredAcks: kafka.RequireAll, Balancer: &kafka.RoundRobin{},
		BatchTimeout: time.Millisecond, MaxAttempts: 2, WriteBackoffMin: time.Millisecond, WriteBackoffMax: time.Millisecond,
	}
}

func closeWriter(t testing.TB, w io.Closer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func value(s string) kafka.Message { return kafka.Message{Value: []byte(s)} }

func numbered(n int) []kafka.Message {
	msgs := make([]kafka.Message, n)
	for i := range msgs {
		msgs[i] = kafka.Message{Key: []byte{byte(i)}, Value: []byte{byte(i >> 8), byte(i)}}
	}
	return msgs
}
