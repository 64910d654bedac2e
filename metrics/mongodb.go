// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// mongodb observes collections of MongoDB that are used as queues.
type mongodb struct {
	collections *limited[*mongoCollection]
	latencies   *latencies
}

// mongoCollection holds the series of one collection. Those of an outcome other
// than success and failure, and of the queue, exist from their first use.
type mongoCollection struct {
	documents [observe.Outcomes]func() counter
	errors    *limited[counter]
	queue     func() histogram
}

func newMongoDB(m *Metrics) *mongodb {
	return &mongodb{
		collections: newLimited(m, series.Collection, func(collection string) *mongoCollection { return newMongoCollection(m, collection) }),
		latencies:   m.latencies,
	}
}

func newMongoCollection(m *Metrics, collection string) *mongoCollection {
	b := m.backend
	c := &mongoCollection{
		errors: newLimited(m, series.ErrorType, func(errorType string) counter {
			return b.counter(series.MongoErrors, collection, errorType)
		}),
		queue: onFirstUse(b.histogram, series.MongoQueue, collection),
	}
	for o := range c.documents {
		c.documents[o] = onFirstUse(b.counter, series.MongoDocuments, collection, observe.Outcome(o).String()) //nolint:gosec // Within the range.
	}
	return c
}

// arrived observes the time in the queue of a document with a waybill.
func (d *mongodb) arrived(ctx context.Context, e observe.Arrival) {
	if d.latencies.isPlausible(e.Hop) {
		d.collections.with(e.Destination).queue().observe(ctx, e.Hop.Seconds())
	}
}

func (d *mongodb) processed(e observe.Process) {
	if e.Messages <= 0 || int(e.Outcome) >= observe.Outcomes {
		return
	}
	c := d.collections.with(e.Destination)
	c.documents[observe.OutcomeSuccess]().Add(0)
	c.documents[observe.OutcomeFailure]().Add(0)
	c.documents[e.Outcome]().Add(float64(e.Messages))
	if e.Outcome.IsError() {
		c.errors.with(e.ErrorType).Add(float64(e.Messages))
	}
}
