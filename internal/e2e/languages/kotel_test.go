// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"

	"github.com/waybill-go/waybill/propagation"
)

// consumeKotel handles count messages with franz-go and its own instrumentation, and
// sends each on to the topic next.
func (p *goPeer) consumeKotel(ctx context.Context, topic string, count int, next string, opts ...kotel.TracerOpt) error {
	opts = append(opts, kotel.TracerProvider(p.provider), kotel.TracerPropagator(propagation.TraceContext{}))
	tracer := kotel.NewTracer(opts...)
	client, err := kgo.NewClient(
		kgo.SeedBrokers(p.broker), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(tracer)).Hooks()...),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for count > 0 {
		fetches := client.PollRecords(ctx, count)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			ctx, span := tracer.WithProcessSpan(record)
			sent := client.ProduceSync(ctx, &kgo.Record{Topic: next, Value: record.Value})
			span.End()
			if err := sent.FirstErr(); err != nil {
				return err
			}
			count--
		}
	}
	return nil
}
