// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
)

// instruments are the four of the messaging conventions.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
type instruments struct {
	operationDuration metric.Float64Histogram
	processDuration   metric.Float64Histogram
	sent              metric.Int64Counter
	consumed          metric.Int64Counter

	sets *bounded.Table[measured, measurement]
}

// durationBuckets are the bounds in seconds that the conventions ask for.
var durationBuckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10} //nolint:gochecknoglobals // constant.

// maxSets is how many sets of attributes are kept, and so how many topics are
// told apart; what comes later shares the topic otherTopic.
const (
	maxSets    = 1000
	otherTopic = "_other"
)

// measured is what tells one time series from another.
type measured struct {
	op        operation
	topic     string
	template  bool // Reports whether topic is a template.
	partition int  // -1 when it does not count.
	group     string
	server    string // "" when it does not count.
	errorType string
	late      bool
}

// measurement is the attributes of a time series as the instruments take them.
type measurement struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// newInstruments makes the instruments. An error of the provider leaves an
// instrument that does nothing, which is what the API returns with it.
func newInstruments(provider metric.MeterProvider) *instruments {
	meter := scope.Meter(scopePath, provider, semconv.SchemaURL)
	buckets := metric.WithExplicitBucketBoundaries(durationBuckets...)
	in := &instruments{sets: bounded.NewTable(maxSets, newMeasurement)}
	in.operationDuration, _ = meter.Float64Histogram("messaging.client.operation.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of messaging operation initiated by a producer or consumer client."))
	in.processDuration, _ = meter.Float64Histogram("messaging.process.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of processing operation."))
	in.sent, _ = meter.Int64Counter("messaging.client.sent.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Number of messages producer attempted to send to the broker."))
	in.consumed, _ = meter.Int64Counter("messaging.client.consumed.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Number of messages that were delivered to the application."))
	return in
}

func newMeasurement(m measured) measurement {
	attributes := m.op.attributes()
	switch {
	case m.topic == "":
	case m.template:
		attributes = append(attributes, keyTemplate.String(m.topic))
	default:
		attributes = append(attributes, keyDestination.String(m.topic))
	}
	if m.partition >= 0 {
		attributes = append(attributes, partitionID(m.partition))
	}
	if m.group != "" {
		attributes = append(attributes, keyConsumerGroup.String(m.group))
	}
	attributes = append(attributes, serverAttributes(m.server)...)
	if m.errorType != "" {
		attributes = append(attributes, keyErrorType.String(m.errorType))
	}
	if m.late {
		attributes = append(attributes, keyLate.Bool(true))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return measurement{add: []metric.AddOption{set}, record: []metric.RecordOption{set}}
}

func (in *instruments) of(m measured) measurement {
	if kept, ok := in.sets.Get(m); ok {
		return kept
	}
	m.topic, m.template, m.partition = otherTopic, false, -1
	return newMeasurement(m)
}

// enabled reports whether anyone listens.
func (in *instruments) enabled(ctx context.Context) bool {
	return in.operationDuration.Enabled(ctx) || in.sent.Enabled(ctx) ||
		in.processDuration.Enabled(ctx) || in.consumed.Enabled(ctx)
}

func (in *instruments) count(ctx context.Context, counter metric.Int64Counter, n int, m measured) {
	counter.Add(ctx, int64(n), in.of(m).add...)
}

// now returns the time now, to be given to time, or the zero time if no one
// listens.
func now(ctx context.Context, histogram metric.Float64Histogram) time.Time {
	if !histogram.Enabled(ctx) {
		return time.Time{}
	}
	return time.Now()
}

// time records the time since started, unless that is zero.
func (in *instruments) time(ctx context.Context, histogram metric.Float64Histogram, started time.Time, m measured) {
	if !started.IsZero() {
		histogram.Record(ctx, time.Since(started).Seconds(), in.of(m).record...)
	}
}
