// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
)

// The attributes of a span. OpenTelemetry has no stable conventions for data
// pipelines yet; when it has, the names change here.
const (
	pipelineKey     = attribute.Key("etl.pipeline")
	stageKey        = attribute.Key("etl.stage")
	sourceKey       = attribute.Key("etl.source")
	outcomeKey      = attribute.Key("etl.outcome")
	causeKey        = attribute.Key("etl.cause")
	rowsReadKey     = attribute.Key("etl.rows.read")
	rowsWrittenKey  = attribute.Key("etl.rows.written")
	rowsRejectedKey = attribute.Key("etl.rows.rejected")
	bytesInKey      = attribute.Key("etl.bytes.in")
	bytesOutKey     = attribute.Key("etl.bytes.out")
	retriesKey      = attribute.Key("etl.retries")
	attemptKey      = attribute.Key("etl.attempt")
	downstreamKey   = attribute.Key("etl.downstream_seconds")
	stoppedEarlyKey = attribute.Key("etl.stopped_early")
	batchRowsKey    = attribute.Key("etl.batch.rows")

	// attemptSuffix follows the name of the stage in the name of the span of an attempt.
	attemptSuffix = " attempt"

	// parameterPrefix precedes the key of a [WithParameter].
	parameterPrefix = "etl.parameter."
)

// datasetKeys are the attributes of inputs and outputs: an attribute has a value for
// each dataset, in the same order. They are the inputs and outputs of OpenLineage, and
// are to follow the proposal of OpenTelemetry for data pipelines when it has names.
// https://openlineage.io/docs/spec/object-model
// https://github.com/open-telemetry/semantic-conventions/issues/3762
var datasetKeys = [directions]struct{ names, formats, paths, rows, bytes attribute.Key }{
	dataIn: {
		names: "etl.input.names", formats: "etl.input.formats", paths: "etl.input.paths",
		rows: "etl.input.rows", bytes: "etl.input.bytes",
	},
	dataOut: {
		names: "etl.output.names", formats: "etl.output.formats", paths: "etl.output.paths",
		rows: "etl.output.rows", bytes: "etl.output.bytes",
	},
}

// startAttributes returns the attributes that a span of the stage starts with.
func startAttributes(id observe.StageID) []attribute.KeyValue {
	attributes := []attribute.KeyValue{pipelineKey.String(id.Pipeline)}
	if id.Stage != "" {
		attributes = append(attributes, stageKey.String(id.Stage))
	}
	if id.Source != "" {
		attributes = append(attributes, sourceKey.String(id.Source))
	}
	return attributes
}

// endAttributes returns the attributes of a run that has ended. Counts of 0 and
// empty texts are left out.
func endAttributes(end observe.RunEnd, cause string) []attribute.KeyValue {
	var room [10]attribute.KeyValue // Most runs need few of these: only those go to the heap.
	attributes := append(room[:0], outcomeKey.String(end.Outcome.String()))
	if end.ErrorType != "" {
		attributes = append(attributes, semconv.ErrorTypeKey.String(end.ErrorType))
	}
	if cause != "" {
		attributes = append(attributes, causeKey.String(cause))
	}
	attributes = appendCount(attributes, rowsReadKey, end.Read)
	attributes = appendCount(attributes, rowsWrittenKey, end.Wrote)
	attributes = appendCount(attributes, rowsRejectedKey, end.Rejected)
	attributes = appendCount(attributes, bytesInKey, end.BytesIn)
	attributes = appendCount(attributes, bytesOutKey, end.BytesOut)
	attributes = appendCount(attributes, retriesKey, end.Retries)
	if end.Downstream > 0 {
		attributes = append(attributes, downstreamKey.Float64(end.Downstream.Seconds()))
	}
	return slices.Clone(attributes)
}

func appendCount(attributes []attribute.KeyValue, key attribute.Key, n int64) []attribute.KeyValue {
	if n == 0 {
		return attributes
	}
	return append(attributes, key.Int64(n))
}

func (c *call) startSpan(opts []trace.SpanStartOption) {
	s := c.run.stage
	defer s.contain(observe.DropTracer)
	if link, ok := itemLink(c.Context); ok {
		opts = append(slices.Clip(opts), trace.WithLinks(link))
	}
	started, span := s.tracer.Get().Start(c.Context, s.spanName, opts...)
	if started == nil {
		s.dropped(observe.DropTracer)
		return
	}
	_ = started.Err()                 // Panics if it is a nil pointer, which the function must not be given.
	c.Context, c.span = started, span // endSpan ends it.
}

// setAttribute sets an attribute of the span, if there is one.
func (c *call) setAttribute(a attribute.KeyValue) {
	defer c.run.stage.contain(observe.DropTracer)
	if c.span != nil && c.span.IsRecording() {
		c.span.SetAttributes(a)
	}
}

// endSpan writes the end to the span and ends it. The value is the one of a panic to
// record, or nil.
func (c *call) endSpan(end observe.RunEnd, err error, value any) {
	if c.span == nil {
		return
	}
	described := c.describeSpan(end, err, value)
	defer c.run.stage.contain(observe.DropTracer)
	if value == nil || described {
		c.span.End()
		return
	}
	endPanicked(c.span, value)
}

// describeSpan writes the end to the span. It reports whether the span needs no
// record of the panic any more.
func (c *call) describeSpan(end observe.RunEnd, err error, value any) (described bool) {
	s := c.run.stage
	defer s.contain(observe.DropTracer)
	if !c.span.IsRecording() {
		return true
	}
	c.span.SetAttributes(endAttributes(end, c.cause(end.Outcome))...)
	if data := c.datasets.Load(); data != nil {
		c.span.SetAttributes(data.attributes()...)
	}
	if !end.Outcome.IsError() {
		return true
	}
	text := s.description(err)
	if text == "" {
		c.span.SetStatus(codes.Error, end.ErrorType)
		return false
	}
	c.span.SetStatus(codes.Error, text)
	if value != nil {
		c.span.AddEvent(semconv.ExceptionEvent, trace.WithAttributes(exceptionAttributes(value, text)...))
	}
	return true
}

// cause returns the text for why the context is done, or the empty string if it
// may not be recorded.
func (c *call) cause(outcome observe.Outcome) string {
	if c.run.stage.describe == nil || outcome != observe.OutcomeCanceled && outcome != observe.OutcomeTimeout {
		return ""
	}
	return c.run.stage.description(context.Cause(c.Context))
}

// endPanicked ends the span as it would end if it had been deferred in the
// function that panicked, but with a zero value of the type that it panicked
// with. So the tracer records the exception itself, once and without its text,
// and does not if its owner has said so with WithoutPanicRecording.
func endPanicked(span trace.Span, value any) {
	defer func() { _ = recover() }()
	defer span.End(trace.WithStackTrace(true))
	panic(zeroOf(value))
}

// zeroOf returns a value of the type of value without its data: the zero value, or,
// for a type with methods, which may make a text that misleads, a nil pointer.
func zeroOf(value any) any {
	t := reflect.TypeOf(value)
	if t.Kind() != reflect.Pointer && t.NumMethod() > 0 {
		t = reflect.PointerTo(t)
	}
	return reflect.Zero(t).Interface()
}
