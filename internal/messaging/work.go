// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Batch describes the messages that one span handles.
type Batch struct {
	Destination string // Empty if there are several.
	Partition   int    // -1 if there are several, or none.
	Offset      int64  // -1 if there are several, or none.
	Messages    int

	// Start says how the span relates to the contexts of the messages, before
	// [Config.Start].
	Start []propagation.StartOption
	// Attributes are those that are known at the start of the span.
	Attributes []attribute.KeyValue
	// LinkAttributes returns the attributes of the link to the context of message
	// i. It may be nil.
	LinkAttributes func(i int) []attribute.KeyValue
	// Started is when the operation began, if that is not now.
	Started time.Time
	// Partitions is set for a client whose calls are not seen.
	Partitions *Partitions
}

// Work is an operation of a consumer on messages: its span, and what is measured
// when it ends.
type Work struct {
	r           *Recorder
	in          *instruments
	op          Operation
	ctx         context.Context //nolint:containedctx // the context of the span.
	span        trace.Span      // Nil for none.
	started     time.Time       // Zero if nobody measures.
	destination string
	partition   int
	messages    int
	partitions  *Partitions // See [Batch.Partitions].
	returned    bool        // Reports whether the handler returned.
}

// Begin starts the span of op, which handles the messages of b, which came with
// the contexts remotes.
func (r *Recorder) Begin(ctx context.Context, op Operation, b *Batch, remotes ...propagation.Remote) Work {
	w := r.BeginUnseen(ctx, op, b)
	if w.partitions = b.Partitions; w.partitions != nil {
		w.partitions.BeginWork()
	}
	t := r.templateOf(class{op, operations[op].spanKind, b.Destination, b.Partition})
	related := t.related
	switch {
	case op == Poll && !r.current(ctx).IsValid():
		related = append(slices.Clip(related), propagation.AsLink()) // A poll is not part of what it delivers.
	case op == Commit && len(r.cfg.Start) > 0 && r.current(ctx).IsValid():
		related = related[:1] // The span of the work stays the parent.
	}
	w.ctx, w.span = r.startRelated(ctx, t.name, remotes, b.startOptions(related))
	if op == Process {
		w.ctx = &handling{Context: w.ctx, message: observe.Message{
			System: r.cfg.System, Destination: b.Destination, Partition: b.Partition, Offset: b.Offset,
		}}
	}
	return w
}

// BeginUnseen is Begin without a span.
func (r *Recorder) BeginUnseen(ctx context.Context, op Operation, b *Batch) Work {
	w := Work{r: r, in: r.meters(), op: op, ctx: ctx, started: b.Started, destination: b.Destination, partition: b.Partition, messages: b.Messages}
	if w.started.IsZero() {
		w.started = r.clock(ctx, w.duration())
	}
	return w
}

// startOptions returns how the span starts: as related says, if b has nothing to
// add.
func (b *Batch) startOptions(related []propagation.StartOption) []propagation.StartOption {
	if len(b.Start) == 0 && len(b.Attributes) == 0 && b.LinkAttributes == nil && b.Started.IsZero() {
		return related
	}
	all := append(make([]propagation.StartOption, 0, len(b.Start)+len(related)+3), b.Start...)
	if len(b.Attributes) > 0 {
		all = append(all, propagation.WithSpanOptions(trace.WithAttributes(b.Attributes...)))
	}
	if b.LinkAttributes != nil {
		all = append(all, propagation.WithLinkAttributes(b.LinkAttributes))
	}
	if !b.Started.IsZero() {
		all = append(all, propagation.WithSpanOptions(trace.WithTimestamp(b.Started)))
	}
	return append(all, related...)
}

// Context returns the context of the span, for whoever does the work.
func (w *Work) Context() context.Context { return w.ctx }

// IsRecording reports whether attributes of the span are kept.
func (w *Work) IsRecording() bool { return w.span != nil && w.r.isRecording(w.span) }

// SetAttributes sets attributes of the span.
func (w *Work) SetAttributes(attributes ...attribute.KeyValue) {
	w.r.setAttributes(w.span, attributes...)
}

// Run calls fn with the context of the span, ends the work whatever way fn ends,
// and returns what fn returned. A panic continues with its own value.
func (w *Work) Run(fn func(context.Context) error) (err error) {
	defer w.close(&err)
	err = fn(w.ctx)
	w.returned = true
	return err
}

// close ends the work of Run. It must be deferred directly.
func (w *Work) close(err *error) {
	switch value := recover(); {
	case value != nil:
		w.finish(observe.OutcomePanic, nil)
		panic(value) // On the same stack.
	case w.returned:
		w.End(*err)
	default:
		// Goexit. With GODEBUG=panicnil=1 it may also be a panic(nil), which
		// has been recovered now and must not become a success.
		w.finish(observe.OutcomeCanceled, nil)
		*err = new(runtime.PanicNilError)
	}
}

// End ends the work with the error of whoever did it.
func (w *Work) End(err error) { w.finish(observe.Classify(w.ctx, err), err) }

func (w *Work) finish(outcome observe.Outcome, err error) {
	if w.partitions != nil {
		defer w.partitions.EndWork()
	}
	r, errorType := w.r, outcome.ErrorType(err)
	var elapsed time.Duration
	if !w.started.IsZero() {
		elapsed = time.Since(w.started)
	}
	if w.span != nil {
		r.finish(w.span, outcome, errorType, err)
	}
	if !w.started.IsZero() {
		r.measure(w.ctx, w.in, w.duration(), elapsed, series{op: w.op, destination: w.destination, partition: w.partition, errorType: errorType})
	}
	if r.cfg.Observer == nil {
		return
	}
	name := r.destinationOf(w.destination).name
	if w.op == Process {
		r.observeProcess(w.ctx, observe.Process{
			System: r.cfg.System, Destination: name, Group: r.cfg.Group, Messages: w.messages,
			Duration: elapsed, Outcome: outcome, ErrorType: errorType,
		})
	}
	r.fail(w.ctx, w.op, name, outcome, errorType)
}

// duration returns the instrument that measures the work.
func (w *Work) duration() metric.Float64Histogram {
	if w.op == Process {
		return w.in.process
	}
	return w.in.operation
}

// finish writes the outcome to span, with attributes that are known only now,
// and ends it. A cancellation is not an error.
func (r *Recorder) finish(span trace.Span, outcome observe.Outcome, errorType string, err error, attributes ...attribute.KeyValue) {
	if (errorType != "" || len(attributes) > 0) && r.isRecording(span) {
		if errorType != "" {
			attributes = append(attributes, keyErrorType.String(errorType))
		}
		r.setAttributes(span, attributes...)
		if outcome.IsError() {
			r.setError(span, r.describe(err, errorType))
		}
	}
	r.end(span)
}

// fail reports a failed operation. The destination has its name for events.
func (r *Recorder) fail(ctx context.Context, op Operation, destination string, outcome observe.Outcome, errorType string) {
	if r.cfg.Observer != nil && outcome.IsError() {
		r.observeFailure(ctx, observe.Failure{System: r.cfg.System, Operation: op.String(), Destination: destination, ErrorType: errorType})
	}
}
