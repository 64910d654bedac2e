// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	otelpropagation "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/propagation"
)

// A failure names the lines that inject and extract, and says which of them is wrong.
func TestFailure_Journal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		send   func(ctx context.Context, f *flowtest.Flow) map[string]string
		handle func(f *flowtest.Flow, message map[string]string) context.Context
		want   string // Of the failure; "" if there is none.
	}{
		"whole": {send: sendIn, handle: handleIn},
		"without a span": {
			send:   func(_ context.Context, f *flowtest.Flow) map[string]string { return inject(f.Context()) },
			handle: handleIn,
			want:   `P06 violation(?s:.*)flowtest/journal_test\.go:\d+`,
		},
		"not used": {
			send: sendIn,
			handle: func(f *flowtest.Flow, message map[string]string) context.Context {
				_ = handleIn(f, message)
				return f.Context()
			},
			want: `P10 violation(?s:.*)flowtest/journal_test\.go:\d+`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failed := run(t, func(tb testing.TB) {
				f := flowtest.New(tb)
				ctx, send := f.Service("api").Tracer("test").Start(f.Context(), "send orders", trace.WithSpanKind(trace.SpanKindProducer), kafka)
				message := tt.send(ctx, f)
				send.End()
				_, process := f.Service("job").Tracer("test").Start(tt.handle(f, message), "process orders", trace.WithSpanKind(trace.SpanKindConsumer), kafka)
				process.End()
				fl := f.Wait(time.Second)
				fl.RequireConnected()
				fl.Golden("testdata/journal.flow")
			})
			text := failed.text.String()
			if failed.failed != (tt.want != "") || !regexp.MustCompile(tt.want).MatchString(text) {
				t.Errorf("failed %t, and printed:\n%s\nwant %q", failed.failed, text, tt.want)
			}
		})
	}
}

func inject(ctx context.Context) map[string]string {
	message := map[string]string{}
	propagation.InjectTextMap(ctx, otelpropagation.MapCarrier(message))
	return message
}

func sendIn(ctx context.Context, _ *flowtest.Flow) map[string]string { return inject(ctx) }

func handleIn(f *flowtest.Flow, message map[string]string) context.Context {
	return propagation.ExtractTextMap(f.Context(), otelpropagation.MapCarrier(message))
}

// An injection with a context that is not derived from the one of the flow explains
// what it broke. It belongs to the flow for certain if no other test runs.
func TestFailure_JournalOfAForeignContext(t *testing.T) {
	order := func(ctx context.Context, f *flowtest.Flow, worker trace.TracerProvider) {
		_, send := f.Service("api").Tracer("test").Start(f.Context(), "send orders", trace.WithSpanKind(trace.SpanKindProducer), kafka)
		message := inject(ctx)
		send.End()
		_, process := worker.Tracer("test").Start(handleIn(f, message), "process orders", trace.WithSpanKind(trace.SpanKindConsumer), kafka)
		process.End()
		f.Wait(time.Second).RequireConnected()
	}
	for name, tt := range map[string]struct {
		test func(tb testing.TB)
		want string
	}{
		"among other tests": {want: "This is likely.", test: func(tb testing.TB) {
			f := flowtest.New(tb)
			order(t.Context(), f, f.Service("job"))
		}},
		"alone": {want: "This is certain.", test: func(tb testing.TB) {
			f := flowtest.New(tb)
			f.Global("job")
			order(t.Context(), f, f.Service("job"))
		}},
	} {
		failed := run(t, tt.test)
		if text := failed.text.String(); !failed.failed || !strings.Contains(text, "P06 violation") || !strings.Contains(text, tt.want) {
			t.Errorf("%s: failed %t, and printed:\n%s\nwant P06, and %q", name, failed.failed, text, tt.want)
		}
	}
}

// A span says how its extraction ended, and a golden file does not, as only tests ask.
func TestRecording_Golden_WithoutExtractions(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	remote := propagation.ReadTextMap(otelpropagation.MapCarrier{"traceparent": "garbage"})
	_, span := propagation.Start(f.Context(), f.Service("job").Tracer("test"), "process", []propagation.Remote{remote})
	span.End()
	fl := f.Wait(time.Second)
	fl.Span("process").Attr("waybill.extract", "malformed traceparent: shorter than 55 bytes")
	fl.Golden("testdata/malformed.flow")
}
