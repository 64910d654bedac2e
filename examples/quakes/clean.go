// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/stages"
)

// headerReason is the header of a rejected message with the reason.
const headerReason = "reason"

// cleaner turns events into quakes, or rejects them.
type cleaner struct {
	*service
	transform func(context.Context, []byte) (quake, error)
	load      *stages.Stage
	rejected  *kafkacarrier.Writer
}

// clean is a member of a consumer group. It loads quakes into MongoDB, in documents
// that carry their context, and forwards other events to the topic of rejected
// ones. An offset is committed when its event has been handled, so an event that was
// not is read from Kafka again.
func clean(ctx context.Context, s *service, _ []string) error {
	c, err := newCleaner(s)
	if err != nil {
		return err
	}
	defer s.handOver(ctx)
	defer c.rejected.Close()
	reader := kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{setting(envKafka)}, GroupID: setting(envGroup), Topic: topicRaw,
		MaxWait: 100 * time.Millisecond,
	}), kafkacarrier.WithObserver(s.metrics))
	defer reader.Close()

	for {
		msg, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		// What has begun is finished, even if ctx ends.
		work := context.WithoutCancel(ctx)
		err = reader.Process(work, msg, func(ctx context.Context) error { return c.handle(ctx, msg) })
		if err != nil {
			return err
		}
		if err := reader.CommitMessages(work, msg); err != nil {
			return err
		}
	}
}

func newCleaner(s *service) (*cleaner, error) {
	pipeline, err := s.newPipeline("quakes")
	if err != nil {
		return nil, err
	}
	transform, err := pipeline.Stage("transform", stages.WithSource(topicRaw))
	if err != nil {
		return nil, err
	}
	load, err := pipeline.Stage("load")
	if err != nil {
		return nil, err
	}
	return &cleaner{service: s, transform: stages.Wrap(transform, transformEvent), load: load, rejected: s.newWriter()}, nil
}

// transformEvent calls [newQuake] and counts. A rejection is not a failure: the
// stage exists to find them.
func transformEvent(ctx context.Context, text []byte) (quake, error) {
	run := stages.FromContext(ctx)
	run.Read(1)
	q, err := newQuake(text)
	if why, ok := errors.AsType[rejection](err); ok {
		return q, stages.Reject(err, string(why))
	}
	run.Wrote(1)
	return q, nil
}

// handle handles one event.
func (c *cleaner) handle(ctx context.Context, msg kafka.Message) error {
	q, err := c.transform(ctx, msg.Value)
	if why, ok := errors.AsType[rejection](err); ok {
		c.log.InfoContext(ctx, "rejected", "event", string(msg.Key), "reason", string(why))
		forward := kafkacarrier.Forward(ctx, msg, topicRejected)
		forward.Headers = append(forward.Headers, kafka.Header{Key: headerReason, Value: []byte(why)})
		return c.rejected.WriteMessages(ctx, forward)
	}
	if err != nil {
		return err
	}
	return c.load.Run(ctx, func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		run.Read(1)
		q.Trace = mongocarrier.Capture(ctx)
		_, err := c.db.Collection(collectionQuakes).InsertOne(ctx, q)
		if err != nil && !mongo.IsDuplicateKeyError(err) { // An event may come twice.
			return err
		}
		run.Wrote(1)
		return nil
	})
}
