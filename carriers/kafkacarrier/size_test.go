// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/propagation"
)

// strictBroker refuses a record batch that is larger than limit, as brokers do.
type strictBroker struct {
	broker

	limit int
}

func (b *strictBroker) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	p, ok := req.(*produce.Request)
	if !ok {
		return b.broker.RoundTrip(ctx, addr, req)
	}
	topic, partition := p.Topics[0].Topic, &p.Topics[0].Partitions[0]
	messages := readAll(partition.RecordSet.Records)
	records := make([]kafka.Record, len(messages))
	for i, m := range messages {
		records[i] = kafka.Record{Time: m.Time, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: m.Headers}
	}
	set := protocol.RecordSet{Version: 2, Records: kafka.NewRecordReader(records...)}
	var encoded bytes.Buffer
	if _, err := set.WriteTo(&encoded); err != nil {
		return nil, err
	}
	const lengthOfAll = 4 // Precedes the batch.
	code := int16(0)
	if encoded.Len()-lengthOfAll > b.limit {
		code = int16(kafka.MessageSizeTooLarge)
	} else {
		b.mu.Lock()
		b.records = append(b.records, messages...)
		b.mu.Unlock()
	}
	return &produce.Response{Topics: []produce.ResponseTopic{{Topic: topic, Partitions: []produce.ResponsePartition{
		{Partition: partition.Partition, ErrorCode: code},
	}}}}, nil
}

// The context never makes a broker refuse a message that it takes without.
func TestWriter_MessageNearTheLimitOfTheBroker(t *testing.T) {
	t.Parallel()
	const ofBroker = 1<<20 + 12 // The default of message.max.bytes.
	plainTakes := func(limit int, batchBytes int64, msg kafka.Message) bool {
		w := writerTo(&broker{})
		w.Transport, w.BatchBytes, w.MaxAttempts = &strictBroker{limit: limit}, batchBytes, 1
		defer closeWriter(t, w)
		return w.WriteMessages(t.Context(), msg) == nil
	}
	for name, tt := range map[string]struct {
		limit      int // Of the broker.
		batchBytes int64
		from, to   int // Sizes of values.
		headers    []kafka.Header
		key        []byte
	}{
		"all defaults":        {limit: ofBroker, from: 1_048_340, to: 1_048_520},
		"with a key":          {limit: ofBroker, from: 1_048_300, to: 1_048_520, key: []byte("a key of some length")},
		"with headers":        {limit: ofBroker, from: 1_048_300, to: 1_048_500, headers: []kafka.Header{header("app", "1"), {Key: "null"}}},
		"with an old context": {limit: ofBroker, from: 1_048_300, to: 1_048_520, headers: []kafka.Header{header("traceparent", traceparentA)}},
		"a smaller broker":    {limit: 100_000, batchBytes: 100_000, from: 99_700, to: 99_960},
		"an even smaller one": {limit: 5_000, batchBytes: 5_000, from: 4_700, to: 4_970},
		"a larger one":        {limit: 4 << 20, batchBytes: 4 << 20, from: 4<<20 - 250, to: 4<<20 - 60},
		"small batches":       {limit: ofBroker, batchBytes: 300, from: 60, to: 290},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, whole, bare := 0, 0, 0
			for size := tt.from; size <= tt.to; size += 1 + (tt.to-tt.from)/40 {
				msg := kafka.Message{Key: tt.key, Value: make([]byte, size), Headers: tt.headers}
				if !plainTakes(tt.limit, tt.batchBytes, msg) {
					continue
				}
				taken++
				b := &strictBroker{limit: tt.limit}
				r := newRig(t, &b.broker, func(w *kafka.Writer) {
					w.Transport, w.BatchBytes, w.MaxAttempts = b, tt.batchBytes, 1
				})
				if err := r.writer.WriteMessages(bareContext(t, traceparentB), msg); err != nil {
					t.Errorf("a value of %d bytes: %v", size, err)
					continue
				}
				got := kafkacarrier.Read(b.written()[0], w3c())
				isWhole := traceOf(got) == traceB && !got.Waybill().IsZero()
				if dropped := strings.Contains(fmt.Sprint(r.events.take()), "dropped too_large"); dropped == isWhole {
					t.Errorf("a value of %d bytes: the whole context was written: %t, and a drop reported: %t", size, isWhole, dropped)
				}
				if isWhole {
					whole++
				}
				if traceOf(got) != traceB {
					bare++
				}
			}
			if taken == 0 || whole == 0 || bare == 0 || whole+bare == taken {
				t.Errorf("of %d messages %d have a whole context and %d none; the test is off the limit", taken, whole, bare)
			}
		})
	}
}

func traceOf(r propagation.Remote) string { return r.SpanContext().TraceID().String() }
