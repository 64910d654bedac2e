// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
)

// instruments are the four of the semantic conventions and one of our own, as
// one provider made them. They are never nil.
// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
type instruments struct {
	provider metric.MeterProvider

	operation metric.Float64Histogram // messaging.client.operation.duration
	process   metric.Float64Histogram // messaging.process.duration
	sent      metric.Int64Counter     // messaging.client.sent.messages
	consumed  metric.Int64Counter     // messaging.client.consumed.messages

	request metric.Float64Histogram // waybill.client.request.duration

	attributes *bounded.Table[series, options]
	requests   *bounded.Table[request, []metric.RecordOption]
	others     *bounded.Table[series, options] // Of what is beyond the limit.
}

// buckets are the bounds in seconds that the conventions ask for.
var buckets = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// series is what tells one time series of a Recorder from another.
type series struct {
	op          Operation
	destination string
	partition   int // -1 if it is not recorded.
	errorType   string
	late        bool
}

// options are the attributes of a series as the instruments take them.
type options struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// meters returns the instruments to use now. With a provider of its own a
// Recorder always uses that one; with none it follows the global provider, and
// keeps the instruments of the last one, so that asking costs no allocation.
func (r *Recorder) meters() *instruments {
	last := r.instruments.Load()
	if last != nil && r.cfg.MeterProvider != nil {
		return last
	}
	provider := r.cfg.MeterProvider
	if provider == nil {
		provider = otel.GetMeterProvider()
	}
	if last != nil && scope.Same(last.provider, provider) {
		return last
	}
	made := r.newInstruments(provider)
	r.instruments.Store(made)
	return made
}

func (r *Recorder) newInstruments(provider metric.MeterProvider) *instruments {
	meter := scope.Meter(r.cfg.Scope, provider, semconv.SchemaURL)
	if _, isOff := provider.(noop.MeterProvider); !isOff && meter == (noop.Meter{}) {
		r.drop(observe.DropMeter, "") // The provider has failed.
	}
	bounds := metric.WithExplicitBucketBoundaries(buckets...)
	in := &instruments{
		provider: provider,
		operation: r.histogram(meter, "messaging.client.operation.duration", bounds, metric.WithUnit("s"),
			metric.WithDescription("Duration of messaging operation initiated by a producer or consumer client.")),
		process: r.histogram(meter, "messaging.process.duration", bounds, metric.WithUnit("s"),
			metric.WithDescription("Duration of processing operation.")),
		sent: r.counter(meter, "messaging.client.sent.messages", metric.WithUnit("{message}"),
			metric.WithDescription("Number of messages producer attempted to send to the broker.")),
		consumed: r.counter(meter, "messaging.client.consumed.messages", metric.WithUnit("{message}"),
			metric.WithDescription("Number of messages that were delivered to the application.")),
		request: r.histogram(meter, "waybill.client.request.duration", bounds, metric.WithUnit("s"),
			metric.WithDescription("Duration of a request of a messaging client to a broker.")),
	}
	in.requests = bounded.NewTable(maxKept, r.newRequestOptions)
	in.attributes = bounded.NewTable(maxKept, r.newOptions)
	in.others = bounded.NewTable(maxKept, r.newOptions)
	return in
}

// histogram returns an instrument of meter, or one that does nothing if the
// meter panics or has none.
func (r *Recorder) histogram(meter metric.Meter, name string, opts ...metric.Float64HistogramOption) (made metric.Float64Histogram) {
	defer func() {
		if recover() != nil || made == nil {
			r.drop(observe.DropMeter, "")
			made = noop.Float64Histogram{}
		}
	}()
	made, _ = meter.Float64Histogram(name, opts...)
	return made
}

// counter returns an instrument of meter, or one that does nothing if the meter
// panics or has none.
func (r *Recorder) counter(meter metric.Meter, name string, opts ...metric.Int64CounterOption) (made metric.Int64Counter) {
	defer func() {
		if recover() != nil || made == nil {
			r.drop(observe.DropMeter, "")
			made = noop.Int64Counter{}
		}
	}()
	made, _ = meter.Int64Counter(name, opts...)
	return made
}

func (r *Recorder) newOptions(s series) options {
	attributes := append(make([]attribute.KeyValue, 0, 12), keySystem.String(r.cfg.System),
		keyOperationName.String(s.op.String()), keyOperationType.String(operations[s.op].kind))
	switch name, isTemplate := r.nameOf(s.destination); {
	case s.destination == "":
	case isTemplate:
		attributes = append(attributes, keyTemplate.String(name))
	default:
		attributes = append(attributes, keyDestination.String(name))
	}
	if s.partition >= 0 {
		attributes = append(attributes, PartitionID(s.partition))
	}
	if r.cfg.Group != "" && s.op.isConsuming() {
		attributes = append(attributes, keyConsumerGroup.String(r.cfg.Group))
	}
	attributes = append(attributes, serverAttributes(r.cfg.Server)...)
	if s.errorType != "" {
		attributes = append(attributes, keyErrorType.String(safe.Text(s.errorType, safe.MaxName)))
	}
	if s.late {
		attributes = append(attributes, keyLate.Bool(true))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attributes...))
	return options{add: []metric.AddOption{set}, record: []metric.RecordOption{set}}
}

// optionsOf returns the attributes of s. If there are too many series, it is
// that of other destinations and errors.
func (r *Recorder) optionsOf(in *instruments, s series) options {
	if !r.cfg.WithPartitions {
		s.partition = -1
	}
	if kept, ok := in.attributes.Get(s); ok {
		return kept
	}
	other := series{op: s.op, partition: -1, late: s.late}
	if s.destination != "" {
		other.destination = observe.ErrorTypeOther
	}
	if s.errorType != "" {
		other.errorType = observe.ErrorTypeOther
	}
	kept, _ := in.others.Get(other)
	return kept
}

// measure records how long an operation took.
func (r *Recorder) measure(ctx context.Context, in *instruments, h metric.Float64Histogram, elapsed time.Duration, s series) {
	if r.isEnabled(ctx, h) {
		r.record(ctx, h, elapsed.Seconds(), r.optionsOf(in, s).record)
	}
}

// count adds n to a counter.
func (r *Recorder) count(ctx context.Context, in *instruments, c metric.Int64Counter, n int, s series) {
	if r.isEnabled(ctx, c) {
		r.add(ctx, c, n, r.optionsOf(in, s).add)
	}
}
