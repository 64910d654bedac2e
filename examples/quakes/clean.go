// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/stages"
)

// headerReason is the header of a rejected message with the reason.
const headerReason = "reason"

// queued is how many events may wait to be loaded.
const queued = 64

// cleaner turns events into quakes, or rejects them.
type cleaner struct {
	*service
	reader   *kafkacarrier.Reader
	rejected *kafkacarrier.Writer
	bare     *kafkacarrier.Writer // Writes messages as they are; for a fault.

	validate  func(context.Context, event) error
	transform func(context.Context, []byte) (quake, error)
	queue     *stages.Queue[cleaned]
	load      func(context.Context, quake) error
}

// cleaned is an event that has been handled and not yet committed.
type cleaned struct {
	msg      kafka.Message
	quake    quake
	rejected bool
}

// clean is a member of a consumer group. It loads quakes into MongoDB, in documents
// that carry their context, and forwards other events to the topic of rejected
// ones. Events are cleaned while those before them are loaded; a queue is between
// the two. An offset is committed when its event and those before it have been
// handled, so an event that was not is read from Kafka again.
func clean(ctx context.Context, s *service, _ []string) error {
	c, err := newCleaner(s)
	if err != nil {
		return err
	}
	defer s.handOver(ctx)
	defer c.rejected.Close()
	defer c.bare.Close()
	defer c.reader.Close()

	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { defer c.queue.Close(); return c.clean(groupCtx) })
	// What has begun is finished, even if ctx ends.
	group.Go(func() error { defer c.queue.Close(); return c.loadAll(context.WithoutCancel(ctx)) })
	return group.Wait()
}

func newCleaner(s *service) (*cleaner, error) {
	pipeline, err := s.newPipeline("quakes")
	if err != nil {
		return nil, err
	}
	transform, errTransform := pipeline.Stage("transform", stages.WithSource(topicRaw))
	validate, errValidate := pipeline.Stage("validate")
	load, errLoad := pipeline.Stage("load")
	if err = errors.Join(errTransform, errValidate, errLoad); err != nil {
		return nil, err
	}
	c := &cleaner{service: s, rejected: s.newWriter(), bare: s.newWriter(kafkacarrier.WithoutInject())}
	checks, err := stages.NewValidator(validate, eventChecks)
	if err != nil {
		return nil, err
	}
	if c.queue, err = stages.NewQueue[cleaned](load, queued); err != nil {
		return nil, err
	}
	c.validate = stages.WrapErr(validate, counted(checks.Validate))
	c.transform = stages.Wrap(transform, c.transformEvent)
	c.load = stages.WrapErr(load, counted(c.insert))
	c.reader = kafkacarrier.NewReader(kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{setting(envKafka)}, GroupID: setting(envGroup), Topic: topicRaw,
		MaxWait: 100 * time.Millisecond,
	}), kafkacarrier.WithObserver(s.metrics))
	return c, nil
}

// counted counts a row in, and, if handle returns no error, a row out.
func counted[T any](handle func(context.Context, T) error) func(context.Context, T) error {
	return func(ctx context.Context, row T) error {
		run := stages.FromContext(ctx)
		run.Read(1)
		err := handle(ctx, row)
		if err == nil {
			run.Wrote(1)
		}
		return err
	}
}

// clean reads events until ctx ends, cleans them, and puts them into the queue.
func (c *cleaner) clean(ctx context.Context) error {
	for {
		msg, err := c.reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		err = c.reader.Process(context.WithoutCancel(ctx), msg, func(work context.Context) error {
			if faulty(faultBackground) {
				work = context.Background()
			}
			return c.handle(work, msg)
		})
		if err != nil {
			return err
		}
	}
}

// handle cleans one event.
func (c *cleaner) handle(ctx context.Context, msg kafka.Message) error {
	if faulty(faultStale) && fails(msg) {
		return errors.Join(c.retry(ctx, msg), c.queue.Put(ctx, cleaned{msg: msg, rejected: true}))
	}
	q, err := c.transform(ctx, msg.Value)
	why, rejected := errors.AsType[rejection](err)
	if rejected {
		c.log.InfoContext(ctx, "rejected", "event", string(msg.Key), "reason", string(why))
		forward := kafkacarrier.Forward(ctx, msg, topicRejected)
		forward.Headers = append(forward.Headers, kafka.Header{Key: headerReason, Value: []byte(why)})
		err = c.rejected.WriteMessages(ctx, forward)
	}
	if err != nil {
		return err
	}
	return c.queue.Put(ctx, cleaned{msg: msg, quake: q, rejected: rejected})
}

// transformEvent returns the quake of an event. A rejection is not a failure: the
// stage exists to find them.
func (c *cleaner) transformEvent(ctx context.Context, text []byte) (quake, error) {
	run := stages.FromContext(ctx)
	run.Read(1)
	e, err := newEvent(text)
	if err != nil {
		return quake{}, stages.Reject(err, err.Error())
	}
	if err := c.validate(ctx, e); err != nil {
		check, _ := stages.RejectReason(err)
		why := cmp.Or(rejections[check], rejection(check))
		return quake{}, stages.Reject(why, string(why))
	}
	run.Wrote(1)
	return newQuake(e), nil
}

// loadAll loads the quakes of the queue until it is closed, and commits their events.
func (c *cleaner) loadAll(ctx context.Context) error {
	for ctx, done := range c.queue.All(ctx) {
		if !done.rejected {
			if err := c.load(ctx, done.quake); err != nil {
				return err
			}
		}
		if err := c.reader.CommitMessages(ctx, done.msg); err != nil {
			return err
		}
	}
	return nil
}

// insert writes a quake, which may come twice, to MongoDB.
func (c *cleaner) insert(ctx context.Context, q quake) error {
	stages.FromContext(ctx).Watermark(q.Time)
	q.Trace = mongocarrier.Capture(ctx)
	_, err := c.db.Collection(collectionQuakes).InsertOne(ctx, q)
	if mongo.IsDuplicateKeyError(err) {
		return nil
	}
	return err
}
