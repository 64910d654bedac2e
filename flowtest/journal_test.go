// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"context"
	"regexp"
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
