// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/stages"
)

// R7.
func TestOutcomeNames(t *testing.T) {
	t.Parallel()
	var got []string
	for o := stages.OutcomeSuccess; o <= stages.OutcomePanic+1; o++ {
		got = append(got, o.String())
	}
	want := []string{"success", "failure", "timeout", "cancelled", "panic", "outcome(5)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// R13, R14.
func TestOutcomeOfAnError(t *testing.T) {
	t.Parallel()
	live := t.Context()
	cancelled, cancel := context.WithCancel(live)
	cancel()
	expired, cancelExpired := context.WithDeadline(live, time.Unix(0, 0))
	t.Cleanup(cancelExpired)

	tests := map[string]struct {
		ctx       context.Context //nolint:containedctx // A row of a table.
		err       error
		want      stages.Outcome
		errorType string
		status    codes.Code
	}{
		"no error":                        {live, nil, stages.OutcomeSuccess, "", codes.Unset},
		"no error, context cancelled":     {cancelled, nil, stages.OutcomeSuccess, "", codes.Unset},
		"no error, context expired":       {expired, nil, stages.OutcomeSuccess, "", codes.Unset},
		"error":                           {live, errBoom, stages.OutcomeFailure, "*errors.errorString", codes.Error},
		"error, context cancelled":        {cancelled, errBoom, stages.OutcomeFailure, "*errors.errorString", codes.Error},
		"cancelled":                       {cancelled, context.Canceled, stages.OutcomeCancelled, "", codes.Unset},
		"cancelled, wrapped":              {cancelled, fmt.Errorf("read: %w", context.Canceled), stages.OutcomeCancelled, "", codes.Unset},
		"cancelled, joined":               {cancelled, errors.Join(errBoom, context.Canceled), stages.OutcomeCancelled, "", codes.Unset},
		"inner context cancelled":         {live, context.Canceled, stages.OutcomeFailure, "cancelled", codes.Error},
		"timeout":                         {expired, context.DeadlineExceeded, stages.OutcomeTimeout, "timeout", codes.Error},
		"timeout, wrapped":                {expired, fmt.Errorf("read: %w", context.DeadlineExceeded), stages.OutcomeTimeout, "timeout", codes.Error},
		"inner timeout":                   {live, context.DeadlineExceeded, stages.OutcomeFailure, "timeout", codes.Error},
		"inner timeout, then cancelled":   {cancelled, context.DeadlineExceeded, stages.OutcomeFailure, "timeout", codes.Error},
		"cancelled because it is expired": {expired, context.Canceled, stages.OutcomeCancelled, "", codes.Unset},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if err := r.Run(tt.ctx, func(context.Context) error { return tt.err }); err != tt.err {
				t.Fatalf("Run = %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(stages.Result{Outcome: tt.want, ErrorType: tt.errorType}, r.probe.last(t)); diff != "" {
				t.Error(diff)
			}
			span := r.span(t)
			if got := attributeOf(span, "error.type"); got != tt.errorType {
				t.Errorf("error.type = %q, want %q", got, tt.errorType)
			}
			if got := attributeOf(span, "etl.outcome"); got != tt.want.String() {
				t.Errorf("etl.outcome = %q, want %q", got, tt.want)
			}
			// The description is the type: the text of an error quotes data.
			if span.Status.Code != tt.status || span.Status.Description != tt.errorType && tt.status == codes.Error {
				t.Errorf("status = %+v", span.Status)
			}
			if len(span.Events) != 0 {
				t.Errorf("events = %v", span.Events)
			}
			if got := stages.Classify(tt.ctx, tt.err); got != tt.want {
				t.Errorf("Classify = %v, want %v", got, tt.want)
			}
		})
	}
	if got := stages.Classify(nil, errBoom); got != stages.OutcomeFailure { //nolint:staticcheck // A nil context is the test.
		t.Errorf("Classify of a nil context = %v", got)
	}
}

// R13.
func TestCallIsMeasuredWhenItsContextIsDone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	_ = r.Run(ctx, func(ctx context.Context) error {
		cancel()
		stages.FromContext(ctx).Read(1)
		return ctx.Err()
	})
	if got := r.probe.last(t); got.Outcome != stages.OutcomeCancelled || got.Read != 1 {
		t.Errorf("got %+v", got)
	}
}

func panicsDeepInside() error { panic(errBoom) }

// R11.
func TestPanicIsRecordedOnceAndGoesOn(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		r := newRig(t)
		var value any
		var stack string
		func() {
			defer func() { value, stack = recover(), string(debug.Stack()) }()
			_ = run(t.Context(), r.Stage, func(context.Context) error { return panicsDeepInside() })
		}()
		if value != errBoom {
			t.Errorf("recovered %v", value)
		}
		if !strings.Contains(stack, "panicsDeepInside") {
			t.Errorf("the frames of the panic are gone:\n%s", stack)
		}
		if diff := cmp.Diff(stages.Result{Outcome: stages.OutcomePanic, ErrorType: "panic"}, r.probe.last(t)); diff != "" {
			t.Error(diff)
		}
		if n := r.probe.inFlight.Load(); n != 0 {
			t.Errorf("%d in flight", n)
		}
		span := r.span(t)
		if span.Status.Code != codes.Error || span.Status.Description != "panic" || attributeOf(span, "error.type") != "panic" {
			t.Errorf("status = %+v, attributes = %v", span.Status, span.Attributes)
		}
		if len(span.Events) != 1 || span.Events[0].Name != "exception" {
			t.Fatalf("events = %v", span.Events)
		}
		for _, a := range span.Events[0].Attributes {
			if a.Key == "exception.stacktrace" && !strings.Contains(a.Value.AsString(), "panicsDeepInside") {
				t.Error("the recorded stack lacks the frames of the panic")
			}
		}
	})
}

// R11.
func TestPanicIsNotRecordedWithoutPanicRecording(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithoutPanicRecording())
	r := newRig(t, stages.WithTracerProvider(provider))
	r.spans = spans
	if value := recovered(func() { _ = r.Run(t.Context(), func(context.Context) error { panic(7) }) }); value != 7 {
		t.Errorf("recovered %v", value)
	}
	if span := r.span(t); len(span.Events) != 0 || span.Status.Code != codes.Error {
		t.Errorf("events = %v, status = %v", span.Events, span.Status)
	}
}

// R12.
func TestPanicOfNil(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	value := recovered(func() { _ = r.Run(t.Context(), func(context.Context) error { panic(nil) }) }) //nolint:govet // The test.
	if _, ok := value.(*runtime.PanicNilError); !ok {
		t.Errorf("recovered %T", value)
	}
	if got := r.probe.last(t).Outcome; got != stages.OutcomePanic {
		t.Errorf("outcome %v", got)
	}
}

// R12. With this setting recover cannot tell the two apart, but nothing that
// panicked may look like a success. Not parallel: it sets the environment.
func TestPanicOfNilThatLooksLikeGoexitIsAnError(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	for name, run := range ways {
		err := run(t.Context(), newRig(t).Stage, func(context.Context) error { panic(nil) }) //nolint:govet // The test.
		if _, ok := errors.AsType[*runtime.PanicNilError](err); !ok {
			t.Errorf("%s = %v", name, err)
		}
	}
}

// R12.
func TestGoexitIsACancellation(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		r := newRig(t)
		returned := false
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = run(t.Context(), r.Stage, func(context.Context) error { runtime.Goexit(); return nil })
			returned = true
		}()
		<-done
		if returned {
			t.Error("Goexit did not end the goroutine")
		}
		if diff := cmp.Diff(stages.Result{Outcome: stages.OutcomeCancelled}, r.probe.last(t)); diff != "" {
			t.Error(diff)
		}
		if span := r.span(t); span.Status.Code != codes.Unset || len(span.Events) != 0 {
			t.Errorf("status = %v, events = %v", span.Status, span.Events)
		}
	})
}

// R11.
func TestPanicAsError(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		r := newRig(t, stages.WithPanicAsError())
		err := run(t.Context(), r.Stage, func(context.Context) error { return panicsDeepInside() })
		var panicked *stages.PanicError
		if !errors.As(err, &panicked) || !errors.Is(err, errBoom) || panicked.Value != errBoom {
			t.Fatalf("got %#v", err)
		}
		if !strings.Contains(string(panicked.Stack), "panicsDeepInside") {
			t.Errorf("stack:\n%s", panicked.Stack)
		}
		if got := err.Error(); got != "panic: boom" {
			t.Errorf("Error() = %q", got)
		}
		if got := r.probe.last(t); got.Outcome != stages.OutcomePanic || got.ErrorType != "panic" {
			t.Errorf("got %+v", got)
		}
		if span := r.span(t); len(span.Events) != 1 {
			t.Errorf("events = %v", span.Events)
		}
	})
	if err := (&stages.PanicError{Value: 7}).Unwrap(); err != nil {
		t.Errorf("a number unwraps to %v", err)
	}
}

// R13.
func TestClassifierDecidesWhatIsRecorded(t *testing.T) {
	t.Parallel()
	errEnd := errors.New("end of data")
	r := newRig(t, stages.WithClassifier(func(ctx context.Context, err error) stages.Outcome {
		if errors.Is(err, errEnd) {
			return stages.OutcomeSuccess
		}
		return stages.Classify(ctx, err)
	}))
	if err := r.Run(t.Context(), func(context.Context) error { return errEnd }); err != errEnd {
		t.Errorf("Run = %v", err)
	}
	if diff := cmp.Diff(stages.Result{}, r.probe.last(t)); diff != "" {
		t.Error(diff)
	}
	_ = r.Run(t.Context(), func(context.Context) error { return errBoom })
	if got := r.probe.last(t).Outcome; got != stages.OutcomeFailure {
		t.Errorf("outcome %v", got)
	}
	for outcome, errorType := range map[stages.Outcome]string{stages.OutcomeTimeout: "timeout", stages.OutcomePanic: "panic"} {
		r := newRig(t, stages.WithClassifier(func(context.Context, error) stages.Outcome { return outcome }))
		_ = r.Run(t.Context(), func(context.Context) error { return errBoom })
		if diff := cmp.Diff(stages.Result{Outcome: outcome, ErrorType: errorType}, r.probe.last(t)); diff != "" {
			t.Error(diff)
		}
	}
}

// R13, R14.
func TestRedactorPutsErrorTextOnTheSpan(t *testing.T) {
	t.Parallel()
	redact := func(err error) string { return strings.ReplaceAll(err.Error(), "4711", "***") }
	expired, cancel := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), errors.New("order 4711 is late"))
	t.Cleanup(cancel)

	r := newRig(t, stages.WithRedactor(redact))
	_ = r.Run(t.Context(), func(context.Context) error { return errors.New("order 4711 has no total") })
	if span := r.span(t); span.Status.Description != "order *** has no total" || attributeOf(span, "error.type") != "*errors.errorString" {
		t.Errorf("status = %+v", span.Status)
	}

	r.spans.Reset()
	_ = r.Run(expired, func(ctx context.Context) error { return ctx.Err() })
	if got := attributeOf(r.span(t), "etl.cause"); got != "order *** is late" {
		t.Errorf("cause = %q", got)
	}

	r.spans.Reset()
	_ = recovered(func() { _ = r.Run(t.Context(), func(context.Context) error { panic("order 4711") }) })
	if got := r.span(t).Status.Description; got != "panic: order ***" {
		t.Errorf("description = %q", got)
	}

	silent := newRig(t)
	_ = silent.Run(expired, func(ctx context.Context) error { return ctx.Err() })
	if got := attributeOf(silent.span(t), "etl.cause"); got != "" {
		t.Errorf("cause without a redactor = %q", got)
	}
}
