// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// collection is where the documents of a job are from.
const collection = "reports"

var errSchema = errors.New("the schema has changed")

// runJob is one run of a job, which pushes its metrics when it has ended.
func (h *host) runJob(ctx context.Context) error {
	name := h.Pipelines[0]
	p, err := stages.NewPipeline(name, stages.WithObserver(h.metrics))
	if err != nil {
		return err
	}
	report, err := p.Stage("report", stages.WithSource(collection))
	if err != nil {
		return err
	}
	pusher, err := metrics.NewPusher(h.Gateway, name, h.registry)
	if err != nil {
		return err
	}
	consumer := mongocarrier.NewConsumer(collection, mongocarrier.WithObserver(h.metrics))
	return p.Run(ctx, func(ctx context.Context) error {
		return report.Run(ctx, func(ctx context.Context) error {
			run := stages.FromContext(ctx)
			run.Read(1)
			if err := consumer.Process(ctx, mongocarrier.ReadD(document()), h.handle); err != nil {
				return err
			}
			run.Wrote(1)
			return nil
		})
	}, stages.WithFlush(pusher.Push))
}

// document returns a document that a service has written a moment ago.
func document() bson.D {
	ctx := propagation.ContextWithWaybill(context.Background(), propagation.Waybill{Origin: time.Now().Add(-time.Second)})
	return mongocarrier.InjectD(ctx, bson.D{{Key: "_id", Value: bson.NewObjectID()}})
}

func (h *host) handle(context.Context) error {
	if h.Fails {
		return errSchema
	}
	return nil
}
