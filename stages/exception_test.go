// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/log/embedded"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/stages"
)

// recordedLogs is a logger provider, and its logger, that keeps records. It panics in
// the method named fails.
type recordedLogs struct {
	embedded.LoggerProvider

	disabled bool
	fails    string

	mu      sync.Mutex
	records []string // Event, severity, span and attributes.
}

type recordingLogger struct {
	embedded.Logger
	to *recordedLogs
}

func (r *recordedLogs) check(method string) {
	if r.fails == method {
		panic(method)
	}
}

func (r *recordedLogs) Logger(name string, _ ...log.LoggerOption) log.Logger {
	r.check("Logger")
	if !strings.HasSuffix(name, "waybill/stages") {
		panic("the scope is " + name)
	}
	return recordingLogger{to: r}
}

func (l recordingLogger) Enabled(context.Context, log.EnabledParameters) bool {
	l.to.check("Enabled")
	return !l.to.disabled
}

func (l recordingLogger) Emit(ctx context.Context, record log.Record) {
	l.to.check("Emit")
	text := fmt.Sprintf("%s %v span=%t", record.EventName(), record.Severity(), trace.SpanContextFromContext(ctx).IsValid())
	record.WalkAttributes(func(a attribute.KeyValue) bool {
		value := a.Value.String()
		if a.Key == "exception.stacktrace" {
			value = strconv.FormatBool(strings.Contains(value, "stages_test.panicking"))
		}
		text += fmt.Sprintf(" %s=%s", a.Key, value)
		return true
	})
	l.to.mu.Lock()
	defer l.to.mu.Unlock()
	l.to.records = append(l.to.records, text)
}

func panicking(context.Context) error { panic(errBoom) }

// Not parallel: it sets a variable and the error handler.
func TestWithLoggerProvider(t *testing.T) {
	const record = "exception ERROR span=true exception.type=*errors.errorString exception.stacktrace=true etl.pipeline=orders etl.stage=load"
	for _, tt := range []struct {
		name, variable string
		opts           []stages.Option
		logs           *recordedLogs // Nil for one that works.
		want           []string
		events         int // On spans.
		said           int // Times that nothing is recorded.
	}{
		{name: "no variable", events: 2},
		{name: "unknown value", variable: "log", events: 2},
		{name: "value of another variable", variable: "true", events: 2},
		{name: "logs", variable: "logs", want: []string{record, record}},
		{name: "spaces", variable: " logs", events: 2},
		{name: "capitals", variable: "LOGS", events: 2},
		{name: "both", variable: "logs/dup", want: []string{record, record}, events: 2},
		{name: "without spans", variable: "logs", opts: []stages.Option{stages.WithoutSpans()}, want: []string{
			strings.Replace(record, "true", "false", 1), strings.Replace(record, "true", "false", 1),
		}},
		{name: "panic as error", variable: "logs", opts: []stages.Option{stages.WithPanicAsError()}, want: []string{record, record}},
		{name: "nobody records logs", variable: "logs", logs: &recordedLogs{disabled: true}, events: 2, said: 1},
		{name: "nobody records both", variable: "logs/dup", logs: &recordedLogs{disabled: true}, events: 2, said: 1},
		{name: "provider panics", variable: "logs", logs: &recordedLogs{fails: "Logger"}, events: 2, said: 1},
		{name: "Enabled panics", variable: "logs", logs: &recordedLogs{fails: "Enabled"}, events: 2, said: 1},
		{name: "Emit panics", variable: "logs", logs: &recordedLogs{fails: "Emit"}, events: 2, said: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", tt.variable)
			if tt.logs == nil {
				tt.logs = new(recordedLogs)
			}
			said := 0
			handler := otel.GetErrorHandler()
			otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { said++ }))
			t.Cleanup(func() { otel.SetErrorHandler(handler) })
			r := newRig(t, append([]stages.Option{stages.WithLoggerProvider(tt.logs)}, tt.opts...)...)
			t.Setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "read at construction")
			for range 2 {
				_ = recovered(func() { _ = r.Run(t.Context(), panicking) })
			}
			if diff := cmp.Diff(tt.want, tt.logs.records); diff != "" {
				t.Errorf("records (-want +got)\n%s", diff)
			}
			events := 0
			for _, span := range r.spans.GetSpans() {
				events += len(span.Events)
				if span.Status.Description != "panic" {
					t.Errorf("status = %v, want panic", span.Status)
				}
			}
			if events != tt.events || said != tt.said {
				t.Errorf("%d events, said %d times, want %d, %d", events, said, tt.events, tt.said)
			}
			if n := r.probe.dropped("logger"); (tt.logs.fails != "") != (n > 0) {
				t.Errorf("%d drops of the logger for %q", n, tt.logs.fails)
			}
		})
	}
}

// Not parallel: it sets a variable.
func TestWithLoggerProvider_Description(t *testing.T) {
	t.Setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs")
	var logs recordedLogs
	r := newRig(t, stages.WithLoggerProvider(&logs), stages.WithErrorDescription(func(error) string { return "redacted" }))
	_ = recovered(func() { _ = r.Run(t.Context(), panicking) })
	if len(logs.records) != 1 || !strings.Contains(logs.records[0], " exception.message=redacted ") {
		t.Errorf("records = %q, want one with the description", logs.records)
	}
	if span := r.span(t); len(span.Events) != 0 || span.Status.Description != "redacted" {
		t.Errorf("status = %v, %d events, want redacted, none", span.Status, len(span.Events))
	}
}

// Not parallel: it sets a variable.
func TestWithLoggerProvider_ErrorsAreNotExceptions(t *testing.T) {
	t.Setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", "logs")
	var logs recordedLogs
	r := newRig(t, stages.WithLoggerProvider(&logs))
	_ = r.Run(t.Context(), func(context.Context) error { return errBoom })
	if len(logs.records) != 0 {
		t.Errorf("records = %q, want none", logs.records)
	}
}

func ExampleWithLoggerProvider() {
	// With OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=logs in the environment, panics are
	// log records of this provider; with logs/dup, they are events of spans as well.
	var logs recordedLogs // The LoggerProvider of the SDK, in a program.
	p, err := stages.NewPipeline("orders", stages.WithLoggerProvider(&logs))
	fmt.Println(p != nil, err)
	// Output: true <nil>
}
