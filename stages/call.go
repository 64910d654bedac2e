// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/clock"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// call is the context of one run of a stage. It holds the run itself, so that
// the two are one allocation.
type call struct {
	context.Context //nolint:containedctx // It is a context.

	run      Run
	span     trace.Span // Nil without a span.
	started  time.Duration
	counted  atomic.Pointer[rejectionSet] // The rejections that runs inside of this one have counted; nil for none.
	datasets atomic.Pointer[datasets]     // Nil for none.
	live     bool                         // Reports whether the context was not done when the run began.
	returned bool                         // Reports whether the function returned: it neither panicked nor called Goexit.
	looked   atomic.Bool                  // Reports whether the function has seen that the context is done.
}

// Value implements [context.Context].
func (c *call) Value(key any) any {
	switch key.(type) {
	case callKey:
		return c
	case observe.StageContextKey:
		return &c.run.stage.id
	case itemKey:
		return nil // The link is on the span of this run.
	default:
		return c.Context.Value(key)
	}
}

// Err implements [context.Context]. Whoever asks for the cause asks here first:
// [context.Cause] does.
func (c *call) Err() error {
	err := c.Context.Err()
	if err != nil {
		c.looked.Store(true)
	}
	return err
}

// failedFirst reports whether the function may have canceled its context itself:
// the context was not done when the function began, and the function has not
// looked whether it is. It must be called before anyone else looks.
func (c *call) failedFirst() bool { return c.live && !c.looked.Load() }

// begin starts the span, notifies the observer and starts the clock.
func (s *Stage) begin(ctx context.Context, opts []trace.SpanStartOption) *call {
	c := newCall(ctx, s)
	if !s.withoutSpans {
		c.startSpan(opts)
	}
	c.start()
	c.started = clock.Now()
	return c
}

func newCall(ctx context.Context, s *Stage) *call {
	c := &call{Context: ctx}
	c.run.stage, c.run.call = s, c
	return c
}

// start notes whether the context is live, and notifies the observer.
func (c *call) start() {
	defer c.run.stage.contain(observe.DropPanic)
	c.run.stage.runs.Started(c)
	c.live = c.Context.Err() == nil
}

// end records how the function ended. It must be deferred directly: a panic of
// the function continues from here with the same value, on the same stack.
func (c *call) end(err *error) {
	value := recover()
	ended := clock.Now()
	end := observe.RunEnd{Duration: ended - c.started}
	s := c.run.stage
	failure := *err
	switch {
	case value != nil:
		panicked := &PanicError{Value: value}
		failure = panicked
		end.Outcome, end.ErrorType = observe.OutcomePanic, observe.ErrorTypePanic
		if s.panicAsError {
			panicked.Stack = debug.Stack()
			*err = panicked
		}
	case c.returned:
		end.Outcome, end.ErrorType = c.judge(failure)
	default:
		// Goexit. With GODEBUG=panicnil=1 it may also be a panic(nil), which
		// has been recovered now and must not become a success.
		end.Outcome, end.ErrorType = observe.OutcomeCanceled, observe.ErrorTypeCanceled
		*err = errPanicNil()
	}
	c.close(end, ended, failure, value)
	if value != nil && !s.panicAsError {
		panic(value)
	}
}

// close reports the end of the run, at a reading of the clock, to the observer and
// ends the span. The failure is the error that decided the outcome, and value that
// of a panic.
func (c *call) close(end observe.RunEnd, at time.Duration, failure error, value any) {
	c.run.totals(&end)
	c.run.stage.finish(c, end, at)
	if end.Outcome == observe.OutcomeSuccess {
		c.observeLatency()
	}
	if value == nil || c.isOnSpan(value, failure) {
		c.endSpan(end, failure, value)
	} else {
		c.endSpan(end, failure, nil)
	}
}

// observeLatency reports the end-to-end latency of the data of the run.
func (c *call) observeLatency() {
	defer c.run.stage.contain(observe.DropPanic)
	if batch, ok := c.Context.(*batchContext); !ok || !c.observeLatencies(batch.remotes) {
		c.observeOrigin(propagation.WaybillFromContext(c.Context).Origin)
	}
}

// observeOrigin reports the end-to-end latency of data that entered the flow at
// origin, and whether that is known.
func (c *call) observeOrigin(origin time.Time) bool {
	if origin.IsZero() {
		return false
	}
	if endToEnd, ok := c.run.stage.age(origin); ok {
		c.run.stage.latency(c, observe.Latency{EndToEnd: endToEnd})
	}
	return true
}

// totals writes the counts of the run to end.
func (r *Run) totals(end *observe.RunEnd) {
	end.Read, end.Wrote, end.Rejected = r.read.Load(), r.wrote.Load(), r.rejected.Load()
	end.BytesIn, end.BytesOut = r.bytesIn.Load(), r.bytesOut.Load()
	end.Retries = r.retries.Load()
}
