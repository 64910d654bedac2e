// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// This file makes every call of code that is not ours: of tracers and their
// samplers and processors, of spans, of instruments, of the observer and of the
// functions of users. Each may panic, which is stopped here, call by call, so
// that one that fails takes nothing else with it.

// contain stops a panic and reports what is lost. It must be deferred directly.
func (r *Recorder) contain(reason string) {
	if recover() != nil {
		r.drop(reason, "")
	}
}

// startSpan starts a span that has no remote contexts to handle.
func (r *Recorder) startSpan(ctx context.Context, tracer trace.Tracer, name string, options []trace.SpanStartOption) (started context.Context, span trace.Span) {
	defer func() {
		if recover() != nil || started == nil || span == nil {
			r.drop(observe.DropTracer, "")
			started, span = noop.Tracer{}.Start(ctx, name) //nolint:fatcontext // set once, in place of the result.
		}
	}()
	started, span = tracer.Start(ctx, name, options...) //nolint:spancheck // the caller ends it.
	span.SpanContext()                                  // A span that panics here is not usable.
	return started, span                                //nolint:spancheck // the caller ends it.
}

// startRelated starts a span that handles remote contexts.
func (r *Recorder) startRelated(ctx context.Context, name string, remotes []propagation.Remote, options []propagation.StartOption) (started context.Context, span trace.Span) {
	defer func() {
		if recover() != nil {
			r.drop(observe.DropTracer, "")
			started, span = noop.Tracer{}.Start(ctx, name) //nolint:fatcontext // set once, in place of the result.
		}
	}()
	return propagation.Start(ctx, &r.contained, name, remotes, options...)
}

// contained is the tracer of a Recorder for package propagation, which stops
// panics too, but has nobody to report them to.
type contained struct {
	noop.Tracer

	r *Recorder
}

// Start implements [trace.Tracer].
func (c *contained) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	return c.r.startSpan(ctx, c.r.tracer.Get(), name, options)
}

// current returns the context of the span in ctx.
func (r *Recorder) current(ctx context.Context) trace.SpanContext {
	defer r.contain(observe.DropTracer)
	return trace.SpanContextFromContext(ctx)
}

func (r *Recorder) isRecording(span trace.Span) bool {
	defer r.contain(observe.DropTracer)
	return span.IsRecording()
}

func (r *Recorder) setAttributes(span trace.Span, attributes ...attribute.KeyValue) {
	defer r.contain(observe.DropTracer)
	span.SetAttributes(attributes...)
}

func (r *Recorder) setError(span trace.Span, description string) {
	defer r.contain(observe.DropTracer)
	span.SetStatus(codes.Error, description)
}

func (r *Recorder) end(span trace.Span) {
	defer r.contain(observe.DropTracer)
	span.End()
}

// instrument is what all instruments have in common.
type instrument interface {
	Enabled(ctx context.Context) bool
}

func (r *Recorder) isEnabled(ctx context.Context, i instrument) bool {
	defer r.contain(observe.DropMeter)
	return i.Enabled(ctx)
}

func (r *Recorder) record(ctx context.Context, h metric.Float64Histogram, value float64, options []metric.RecordOption) {
	defer r.contain(observe.DropMeter)
	h.Record(ctx, value, options...)
}

func (r *Recorder) add(ctx context.Context, c metric.Int64Counter, n int, options []metric.AddOption) {
	defer r.contain(observe.DropMeter)
	c.Add(ctx, int64(n), options...)
}

// describe returns the status description of err, whose type is errorType.
func (r *Recorder) describe(err error, errorType string) (description string) {
	if r.cfg.Describe == nil || err == nil {
		return errorType
	}
	description = errorType
	defer r.contain(observe.DropFormatter)
	return safe.Text(r.cfg.Describe(err), safe.MaxValue)
}

// nameOf returns the name that spans and metrics of destination have, and
// whether it is a template.
func (r *Recorder) nameOf(destination string) (name string, isTemplate bool) {
	name = safe.Text(destination, safe.MaxName)
	if r.cfg.Template == nil || destination == "" || destination == observe.ErrorTypeOther {
		return name, false
	}
	defer r.contain(observe.DropFormatter)
	if made := r.cfg.Template(destination); made != "" && made != destination {
		return safe.Text(made, safe.MaxName), true
	}
	return name, false
}

// Invoke returns f(arg), where f is a function of the user's. It reports false if f
// panics.
func Invoke[A, R any](r *Recorder, f func(A) R, arg A) (result R, ok bool) {
	defer r.contain(observe.DropFormatter)
	return f(arg), true
}

// drop reports lost telemetry. The destination has its name for events, or is
// empty.
func (r *Recorder) drop(reason, destination string) {
	if o := r.cfg.Observer; o != nil {
		defer safe.Contain() // There is nobody left to report to.
		o.Dropped(observe.Drop{Reason: reason, System: r.cfg.System, Destination: destination})
	}
}

// The methods below call the observer; o is never nil.

func (r *Recorder) observeSend(ctx context.Context, e observe.Send) {
	defer r.contain(observe.DropPanic)
	r.cfg.Observer.Sent(ctx, e)
}

func (r *Recorder) observeFetch(ctx context.Context, e *observe.Fetch) {
	defer r.contain(observe.DropPanic)
	r.cfg.Observer.Fetched(ctx, *e)
}

func (r *Recorder) observeArrival(ctx context.Context, e observe.Arrival) {
	defer r.contain(observe.DropPanic)
	r.cfg.Observer.Arrived(ctx, e)
}

func (r *Recorder) observeProcess(ctx context.Context, e observe.Process) {
	defer r.contain(observe.DropPanic)
	r.cfg.Observer.Processed(ctx, e)
}

func (r *Recorder) observeCommit(ctx context.Context, e *observe.Commit) {
	defer r.contain(observe.DropPanic)
	r.cfg.Observer.Committed(ctx, *e)
}

func (r *Recorder) observeFailure(ctx context.Context, e observe.Failure) {
	defer r.contain(observe.DropPanic)
	r.cfg.Observer.Failed(ctx, e)
}

func (r *Recorder) observeRedelivery(p observe.Partition) {
	if o, ok := r.cfg.Observer.(observe.PartitionObserver); ok {
		defer r.contain(observe.DropPanic)
		o.Redelivered(p)
	}
}

func (r *Recorder) observeGap(g observe.Gap) {
	if o, ok := r.cfg.Observer.(observe.PartitionObserver); ok {
		defer r.contain(observe.DropPanic)
		o.Skipped(g)
	}
}

func (r *Recorder) observeRevocation(p observe.Partition) {
	if o, ok := r.cfg.Observer.(observe.PartitionObserver); ok {
		defer r.contain(observe.DropPanic)
		o.Revoked(p)
	}
}

func (r *Recorder) observeQueue(o observe.BackpressureObserver, q observe.Queue) {
	defer r.contain(observe.DropPanic)
	o.Queued(q)
}

func (r *Recorder) observeBlock(o observe.BackpressureObserver, b observe.Block) {
	defer r.contain(observe.DropPanic)
	o.Blocked(b)
}
