// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/propagation"
)

// scopePath names the instrumentation scope.
const scopePath = "carriers/kafkacarrier"

// telemetry is what everything here records with. It is safe for concurrent use.
type telemetry struct {
	observed

	cfg    config
	tracer *scope.Tracer
	meter  *meter
	starts *bounded.Table[spanClass, *spanStart]
}

// newTelemetry makes the telemetry of something that is kept.
func newTelemetry(cfg config) *telemetry {
	t := newBriefTelemetry(cfg)
	t.starts = bounded.NewTable(maxSets, t.newSpanStart)
	return t
}

// newBriefTelemetry makes the telemetry of one call.
func newBriefTelemetry(cfg config) *telemetry {
	return &telemetry{
		observed: observed{cfg.observer},
		cfg:      cfg,
		tracer:   scope.NewTracer(scopePath, cfg.tracerProvider, semconv.SchemaURL),
		meter:    meterOf(cfg.meterProvider),
	}
}

// instruments returns the instruments to use now.
func (t *telemetry) instruments() *instruments { return t.meter.get() }

// spanClass is what the spans have in common that are started alike.
type spanClass struct {
	op    operation
	kind  trace.SpanKind
	topic string
}

// spanStart is how the spans of a class are started.
type spanStart struct {
	name    string
	options []trace.SpanStartOption
	related propagation.StartOption // The same for propagation.Start.
}

func (t *telemetry) newSpanStart(class spanClass) *spanStart {
	attributes := class.op.attributes()
	name := class.topic
	if class.topic != "" {
		attributes = append(attributes, keyDestination.String(class.topic))
		if template := t.templateOf(class.topic); template != class.topic {
			name = template
			attributes = append(attributes, keyTemplate.String(template))
		}
	}
	if t.cfg.group != "" && class.op != opCreate && class.op != opSend {
		attributes = append(attributes, keyConsumerGroup.String(t.cfg.group))
	}
	if t.cfg.clientID != "" {
		attributes = append(attributes, keyClientID.String(t.cfg.clientID))
	}
	start := &spanStart{
		name:    class.op.spanName(name),
		options: []trace.SpanStartOption{trace.WithSpanKind(class.kind), trace.WithAttributes(attributes...)},
	}
	start.related = propagation.WithSpanOptions(start.options...)
	return start
}

func (t *telemetry) startOf(class spanClass) *spanStart {
	if t.starts != nil {
		if start, ok := t.starts.Get(class); ok {
			return start
		}
	}
	return t.newSpanStart(class)
}

// templateOf returns the name that spans and metrics of topic go by.
func (t *telemetry) templateOf(topic string) (name string) {
	if t.cfg.template == nil || topic == "" {
		return topic
	}
	defer func() {
		if recover() != nil || name == "" {
			name = topic
		}
	}()
	return t.cfg.template(topic)
}

// waited tells how long a call was in kafka-go since started, unless that is
// zero.
func (t *telemetry) waited(op operation, topic string, started time.Time) {
	if !started.IsZero() {
		t.blocked(op, t.templateOf(topic), time.Since(started))
	}
}

// start opens a span that has no remote context to do with.
func (t *telemetry) start(ctx context.Context, tracer trace.Tracer, class spanClass, links ...trace.Link) (started context.Context, span trace.Span) {
	defer func() {
		if recover() != nil || span == nil { // A sampler or a processor panicked.
			started, span = noop.Tracer{}.Start(ctx, class.op.name) //nolint:fatcontext // the one span of this call.
		}
	}()
	start := t.startOf(class)
	options := start.options
	if len(links) > 0 {
		options = append(slices.Clip(options), trace.WithLinks(links...))
	}
	return tracer.Start(ctx, start.name, options...)
}

// continues opens a span that handles remotes.
func (t *telemetry) continues(ctx context.Context, class spanClass, remotes []propagation.Remote, opts ...propagation.StartOption) (context.Context, trace.Span) {
	start := t.startOf(class)
	options := append(append(make([]propagation.StartOption, 0, 1+len(opts)), start.related), opts...)
	return propagation.Start(ctx, t.tracer.Get(), start.name, remotes, options...)
}

// finish ends span with the outcome err and what else is to be said of it.
func (t *telemetry) finish(ctx context.Context, span trace.Span, err error, attributes ...attribute.KeyValue) {
	defer contain() // A span processor may panic.
	defer span.End()
	if len(attributes) > 0 {
		span.SetAttributes(attributes...)
	}
	if err == nil || !span.IsRecording() {
		return
	}
	kind := errorType(err)
	span.SetAttributes(keyErrorType.String(kind))
	if !isCancellation(ctx, err) {
		span.SetStatus(codes.Error, t.description(err, kind))
	}
}

// description is the status description of err, whose type is kind.
func (t *telemetry) description(err error, kind string) (description string) {
	if t.cfg.describe == nil {
		return kind
	}
	defer func() {
		if recover() != nil {
			description = kind
		}
	}()
	return t.cfg.describe(err)
}

// isCancellation reports whether err says that ctx was cancelled, which is not
// an error of the one who was told to stop.
func isCancellation(ctx context.Context, err error) bool {
	return ctx.Err() != nil && is(err, context.Canceled)
}

// measured names the time series of op on a partition of topic.
func (t *telemetry) measured(op operation, topic string, partition int, err error) measured {
	m := measured{op: op, topic: t.templateOf(topic), partition: -1}
	m.template = m.topic != topic
	if t.cfg.withPartitions {
		m.partition = partition
	}
	if op != opSend {
		m.group = t.cfg.group
	}
	if err != nil {
		m.errorType = errorType(err)
	}
	return m
}
