// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build cgo

package carriers

import (
	"context"
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// confluentHeaders reads and writes the headers of a message. It does not write to
// a list of headers that messages share. If a key occurs more than once, the last
// header wins.
type confluentHeaders struct{}

func (confluentHeaders) Get(m *kafka.Message, key string) (value string) {
	for _, h := range m.Headers {
		if strings.EqualFold(h.Key, key) {
			value = string(h.Value)
		}
	}
	return value
}

func (c confluentHeaders) Set(m *kafka.Message, key, value string) {
	c.Delete(m, key)
	m.Headers = append(m.Headers, kafka.Header{Key: key, Value: []byte(value)})
}

func (confluentHeaders) Delete(m *kafka.Message, key string) {
	m.Headers = slices.DeleteFunc(slices.Clone(m.Headers), func(h kafka.Header) bool { return strings.EqualFold(h.Key, key) })
}

// InjectConfluent writes the context of ctx to m, to be produced with
// confluent-kafka-go. A topic keeps its messages, so they carry no baggage.
func InjectConfluent(ctx context.Context, m *kafka.Message) {
	propagation.Inject(ctx, m, confluentHeaders{}, propagation.WithoutBaggage())
}

// ProcessConfluent calls handle in a span that continues the trace of m, which was
// received, and so has a topic.
func ProcessConfluent(ctx context.Context, tracer trace.Tracer, m *kafka.Message, handle func(context.Context) error) error {
	remotes := []propagation.Remote{propagation.Read(m, confluentHeaders{})}
	ctx, span := propagation.Start(ctx, tracer, "process "+*m.TopicPartition.Topic, remotes,
		propagation.WithSpanOptions(trace.WithSpanKind(trace.SpanKindConsumer)))
	defer span.End()
	return handle(ctx)
}
