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

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

func panicsDeepInside() error { panic(errBoom) }

// eventAttributes returns the attributes of the only event of a span.
func eventAttributes(t *testing.T, span tracetest.SpanStub) map[string]string {
	t.Helper()
	if len(span.Events) != 1 || span.Events[0].Name != "exception" {
		t.Fatalf("events = %v, want one exception", span.Events)
	}
	attributes := map[string]string{}
	for _, a := range span.Events[0].Attributes {
		attributes[string(a.Key)] = a.Value.AsString()
	}
	return attributes
}

func TestStage_PanicIsRecordedOnceAndContinues(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		for name, opts := range map[string][]stages.Option{"types": nil, "texts": {stages.WithErrorDescription(nil)}} {
			r := newRig(t, opts...)
			var value any
			var stack string
			func() {
				defer func() { value, stack = recover(), string(debug.Stack()) }()
				_ = run(t.Context(), r.Stage, func(context.Context) error { return panicsDeepInside() })
			}()
			if value != errBoom {
				t.Errorf("%s: recovered %v, want %v", name, value, errBoom)
			}
			if !strings.Contains(stack, "panicsDeepInside") {
				t.Errorf("%s: the frames of the panic are gone:\n%s", name, stack)
			}
			if diff := cmp.Diff(observe.RunEnd{Outcome: observe.OutcomePanic, ErrorType: "panic"}, r.probe.last(t)); diff != "" {
				t.Errorf("%s: end (-want +got)\n%s", name, diff)
			}
			if n := r.probe.inFlight.Load(); n != 0 {
				t.Errorf("%s: %d in flight, want 0", name, n)
			}
			span := r.span(t)
			if span.Status.Code != codes.Error || attributeOf(span, "error.type") != "panic" {
				t.Errorf("%s: status = %+v, attributes = %v", name, span.Status, span.Attributes)
			}
			event := eventAttributes(t, span)
			if got := event["exception.type"]; got != "*errors.errorString" {
				t.Errorf("%s: exception.type = %q", name, got)
			}
			if !strings.Contains(event["exception.stacktrace"], "panicsDeepInside") {
				t.Errorf("%s: the recorded stack lacks the frames of the panic", name)
			}
		}
	})
}

type textError struct{ text string }

func (e textError) Error() string { return e.text }

type stringer struct{ text string }

func (s stringer) String() string { return s.text }

// A panic quotes data, as an error does.
func TestStage_TextOfAPanic(t *testing.T) {
	t.Parallel()
	const secret = "card 4711"
	redact := func(err error) string { return strings.ReplaceAll(err.Error(), "4711", "####") }
	for _, tt := range []struct {
		name  string
		value any
		// The exception without and with a description.
		exception, described string
	}{
		{name: "string", value: secret, exception: "string", described: "string"},
		{name: "error", value: errors.New(secret), exception: "*errors.errorString", described: "*errors.errorString"},
		{name: "wrapped error", value: fmt.Errorf("a: %w", errors.New(secret)), exception: "*fmt.wrapError", described: "*fmt.wrapError"},
		{name: "error that is not a pointer", value: textError{secret}, exception: "*stages_test.textError", described: "stages_test.textError"},
		{name: "Stringer", value: stringer{secret}, exception: "*stages_test.stringer", described: "stages_test.stringer"},
		{name: "slice", value: []string{secret}, exception: "[]string", described: "[]string"},
		{name: "map", value: map[string]string{"card": secret}, exception: "map[string]string", described: "map[string]string"},
		{name: "function", value: func() {}, exception: "func()", described: "func()"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, option := range map[string]stages.Option{
				"default": nil, "redacted": stages.WithErrorDescription(redact), "nothing left": stages.WithErrorDescription(func(error) string { return "" }),
			} {
				r := newRig(t, option)
				_ = recovered(func() { _ = r.Run(t.Context(), func(context.Context) error { panic(tt.value) }) })
				span := r.span(t)
				event := eventAttributes(t, span)
				delete(event, "exception.stacktrace")
				if text := fmt.Sprint(span.Status, span.Attributes, event); strings.Contains(text, secret) || strings.Contains(text, "4711") {
					t.Errorf("%s: the span has the text of the panic: %s", name, text)
				}
				want := tt.exception
				if name == "redacted" {
					want = tt.described
					if text := "panic: " + redact(errors.New(fmt.Sprint(tt.value))); event["exception.message"] != text || span.Status.Description != text {
						t.Errorf("%s: message %q, status %q, want %q", name, event["exception.message"], span.Status.Description, text)
					}
				} else if span.Status.Description != "panic" {
					t.Errorf("%s: status %q, want panic", name, span.Status.Description)
				}
				if got := event["exception.type"]; !strings.HasSuffix(got, want) {
					t.Errorf("%s: exception.type = %q, want %q", name, got, want)
				}
			}
		})
	}
}

// The text of the zero value of an error of the runtime would mislead.
func TestStage_PanicOfTheRuntimeHasNoFalseText(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rows, next := make([]int, 3), 3
	_ = recovered(func() {
		_ = r.Run(t.Context(), func(context.Context) error { rows[next]++; return nil })
	})
	event := eventAttributes(t, r.span(t))
	if got := event["exception.message"]; strings.Contains(got, "index") {
		t.Errorf("exception.message = %q, want no text", got)
	}
	if got := event["exception.type"]; got != "*runtime.boundsError" {
		t.Errorf("exception.type = %q, want *runtime.boundsError", got)
	}
}

func TestStage_PanicIsNotRecordedWithoutPanicRecording(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans), sdktrace.WithoutPanicRecording())
	r := newRig(t, stages.WithTracerProvider(provider))
	r.spans = spans
	if value := recovered(func() { _ = r.Run(t.Context(), func(context.Context) error { panic(7) }) }); value != 7 {
		t.Errorf("recovered %v, want 7", value)
	}
	if span := r.span(t); len(span.Events) != 0 || span.Status.Code != codes.Error {
		t.Errorf("events = %v, status = %v, want none, Error", span.Events, span.Status)
	}
}

func TestStage_PanicOfNil(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	value := recovered(func() { _ = r.Run(t.Context(), func(context.Context) error { panic(nil) }) }) //nolint:govet // The test.
	if _, ok := value.(*runtime.PanicNilError); !ok {
		t.Errorf("recovered %T, want a PanicNilError", value)
	}
	if got := r.probe.last(t).Outcome; got != observe.OutcomePanic {
		t.Errorf("outcome = %v, want panic", got)
	}
}

// With this setting recover cannot tell the two apart, but nothing that panicked
// may look like a success. Not parallel: it sets the environment.
func TestStage_PanicOfNilThatLooksLikeGoexitIsAnError(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	for name, run := range ways {
		err := run(t.Context(), newRig(t).Stage, func(context.Context) error { panic(nil) }) //nolint:govet // The test.
		if _, ok := errors.AsType[*runtime.PanicNilError](err); !ok {
			t.Errorf("%s = %v, want a PanicNilError", name, err)
		}
	}
}

func TestStage_GoexitIsACancellation(t *testing.T) {
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
		if diff := cmp.Diff(observe.RunEnd{Outcome: observe.OutcomeCanceled, ErrorType: "canceled"}, r.probe.last(t)); diff != "" {
			t.Errorf("end (-want +got)\n%s", diff)
		}
		if span := r.span(t); span.Status.Code != codes.Unset || len(span.Events) != 0 {
			t.Errorf("status = %v, events = %v, want Unset, none", span.Status, span.Events)
		}
	})
}

func TestWithPanicAsError(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(context.Context, *stages.Stage, func(context.Context) error) error) {
		r := newRig(t, stages.WithPanicAsError())
		err := run(t.Context(), r.Stage, func(context.Context) error { return panicsDeepInside() })
		var panicked *stages.PanicError
		if !errors.As(err, &panicked) || !errors.Is(err, errBoom) || panicked.Value != errBoom {
			t.Fatalf("error = %#v, want a PanicError of %v", err, errBoom)
		}
		if !strings.Contains(string(panicked.Stack), "panicsDeepInside") {
			t.Errorf("stack:\n%s", panicked.Stack)
		}
		if got := err.Error(); got != "panic: boom" {
			t.Errorf("Error() = %q, want panic: boom", got)
		}
		if got := r.probe.last(t); got.Outcome != observe.OutcomePanic || got.ErrorType != "panic" {
			t.Errorf("end = %+v, want a panic", got)
		}
		eventAttributes(t, r.span(t))
	})
	if err := (&stages.PanicError{Value: 7}).Unwrap(); err != nil {
		t.Errorf("a number unwraps to %v, want nil", err)
	}
}
