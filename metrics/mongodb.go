// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/stages"
)

// The names of the metrics of MongoDB, without their namespace.
const (
	mongoDocuments = "mongodb_documents_total"
	mongoErrors    = "mongodb_errors_total"
	mongoQueue     = "mongodb_queue_seconds"
)

type mongoSeries struct {
	documents, errors *prometheus.CounterVec

	queue *prometheus.HistogramVec
}

func newMongoSeries(s *series, c config) mongoSeries {
	return mongoSeries{
		documents: s.counter(c, mongoDocuments, "Documents that were handled, by how that ended.", []string{labelCollection, labelOutcome}),
		errors:    s.counter(c, mongoErrors, "Documents whose handling ended with a failure, a timeout or a panic.", []string{labelCollection, labelErrorType}),
		queue:     s.histogram(c, mongoQueue, "Time from the write of a document to its handling.", []string{labelCollection}),
	}
}

// mongodb holds the series of MongoDB, looked up once.
type mongodb struct{ collections *limited[*mongoCollection] }

// mongoCollection holds the series of one collection.
type mongoCollection struct {
	documents map[string]prometheus.Counter // By outcome; read only.
	errors    *limited[prometheus.Counter]
	queue     *timer
}

func newMongoDB(m *Metrics) *mongodb {
	return &mongodb{newLimited(m, labelCollection, func(collection string) *mongoCollection { return newMongoCollection(m, collection) })}
}

func newMongoCollection(m *Metrics, collection string) *mongoCollection {
	all := m.series.mongodb
	c := &mongoCollection{
		documents: make(map[string]prometheus.Counter, outcomes),
		errors: newLimited(m, labelErrorType, func(errorType string) prometheus.Counter {
			return all.errors.WithLabelValues(collection, errorType)
		}),
		queue: newTimer(all.queue.WithLabelValues(collection), m.config),
	}
	for o := range outcomes {
		outcome := stages.Outcome(o).String() //nolint:gosec // Within the range.
		c.documents[outcome] = all.documents.WithLabelValues(collection, outcome)
	}
	return c
}

// MongoTravelled observes how long a document was on its way, since it was
// written, which is its time in the queue, and since its data set out.
func (m *Metrics) MongoTravelled(ctx context.Context, collection string, hop, endToEnd time.Duration) {
	if m == nil {
		return
	}
	m.mongodb.collections.with(collection).queue.observe(ctx, hop)
	m.travels.arrived(ctx, carrierMongoDB, hop, endToEnd)
}

// MongoProcessed counts documents that were handled. The outcome is one of
// those of package stages; of another nothing is counted. That the work was
// cancelled is no error.
func (m *Metrics) MongoProcessed(_ context.Context, collection string, documents int, outcome, errorType string) {
	if m == nil || documents <= 0 {
		return
	}
	c := m.mongodb.collections.with(collection)
	counter, ok := c.documents[outcome]
	if !ok {
		return
	}
	counter.Add(float64(documents))
	if errorType != "" && outcome != stages.OutcomeCancelled.String() {
		c.errors.with(errorType).Add(float64(documents))
	}
}

// MongoDropped counts telemetry that was lost.
func (m *Metrics) MongoDropped(reason string) {
	if m != nil {
		m.dropped.with(reason).Inc()
	}
}
