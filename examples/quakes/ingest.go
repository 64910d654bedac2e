// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/stages"
)

// ingest is a scheduled run, in which the flow begins. It reads the catalog and
// publishes each event.
func ingest(ctx context.Context, s *service, _ []string) error {
	pipeline, err := s.newPipeline("quakes")
	if err != nil {
		return err
	}
	extract, err := pipeline.Stage("extract", stages.WithSource(collectionCatalog))
	if err != nil {
		return err
	}
	publish, err := pipeline.Stage("publish")
	if err != nil {
		return err
	}
	var opts []kafkacarrier.WriterOption
	if faulty(faultInject) {
		opts = append(opts, kafkacarrier.WithoutInject())
	}
	writer := s.newWriter(opts...)
	defer writer.Close()

	return pipeline.Run(ctx, func(ctx context.Context) error {
		events, err := stages.Call(ctx, extract, s.readCatalog)
		if err != nil {
			return err
		}
		return publish.Run(ctx, func(ctx context.Context) error {
			run := stages.FromContext(ctx)
			for batch := range slices.Chunk(events, 100) {
				run.Read(len(batch))
				if err := writer.WriteMessages(ctx, batch...); err != nil {
					return err
				}
				run.Wrote(len(batch))
			}
			return nil
		})
	}, stages.WithFlush(s.flush))
}

// readCatalog returns all events as messages.
func (s *service) readCatalog(ctx context.Context) ([]kafka.Message, error) {
	cursor, err := s.db.Collection(collectionCatalog).Find(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	defer cursor.Close(ctx)
	var events []kafka.Message
	for cursor.Next(ctx) {
		text, err := bson.MarshalExtJSON(cursor.Current, false, false)
		if err != nil {
			return nil, err
		}
		id, _ := cursor.Current.Lookup("_id").StringValueOK()
		events = append(events, kafka.Message{Topic: topicRaw, Key: []byte(id), Value: text})
		stages.FromContext(ctx).Wrote(1)
	}
	return events, cursor.Err()
}

// newWriter returns a Writer whose messages carry the context of the call that writes
// them.
func (s *service) newWriter(opts ...kafkacarrier.WriterOption) *kafkacarrier.Writer {
	return kafkacarrier.NewWriter(&kafka.Writer{
		Addr:         kafka.TCP(setting(envKafka)),
		Balancer:     &kafka.Hash{},
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond,
	}, append(opts, kafkacarrier.WithObserver(s.metrics))...)
}
