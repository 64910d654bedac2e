// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier_test

import (
	"context"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/propagation"
)

// Each call leaves one entry with the place where the user made it, and the span of a
// document shows how its context was read.
func TestJournal(t *testing.T) {
	t.Parallel()
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	inSpan := func(ctx context.Context) context.Context { return trace.ContextWithSpanContext(ctx, sc) }
	doNothing := func(context.Context) error { return nil }
	for _, tt := range []struct {
		name  string
		do    func(ctx context.Context, c *mongocarrier.Consumer, j *propagation.Journal) error
		want  []string
		marks []string
	}{
		{
			name: "inject",
			do: func(ctx context.Context, _ *mongocarrier.Consumer, _ *propagation.Journal) error {
				mongocarrier.InjectM(inSpan(ctx), M{}, full())
				return nil
			},
			want: []string{"mongocarrier.InjectM of mongo: inject ok"},
		},
		{
			name: "write what was captured before",
			do: func(ctx context.Context, _ *mongocarrier.Consumer, _ *propagation.Journal) error {
				field := mongocarrier.Capture(inSpan(ctx))
				mongocarrier.InjectM(ctx, M{}, full(), mongocarrier.WithCaptured(field))
				return nil
			},
			want: []string{"mongocarrier.Capture of mongo: inject ok"},
		},
		{
			name: "process a document",
			do: func(ctx context.Context, c *mongocarrier.Consumer, j *propagation.Journal) error {
				remote := mongocarrier.ReadM(M{"_otel": M{"traceparent": traceparentA}}, full(propagation.WithJournal(j)))
				return c.Process(ctx, remote, doNothing)
			},
			want: []string{
				"mongocarrier.ReadM of mongo: extract ok",
				"mongocarrier.(*Consumer).Process of : start ok",
			},
			marks: []string{"ok"},
		},
		{
			name: "process a batch of documents",
			do: func(ctx context.Context, c *mongocarrier.Consumer, j *propagation.Journal) error {
				good := mongocarrier.ReadM(M{"_otel": M{"traceparent": traceparentA}}, full(propagation.WithJournal(j)))
				cut := mongocarrier.ReadM(M{"_otel": M{"traceparent": "00-"}}, full(propagation.WithJournal(j)))
				return c.ProcessBatch(ctx, []propagation.Remote{good, cut}, doNothing)
			},
			want: []string{
				"mongocarrier.ReadM of mongo: extract ok",
				"mongocarrier.ReadM of mongo: extract malformed traceparent: shorter than 55 bytes",
				"mongocarrier.(*Consumer).ProcessBatch of : start malformed traceparent: shorter than 55 bytes",
			},
			marks: []string{"malformed traceparent: shorter than 55 bytes"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			recorder := tracetest.NewSpanRecorder()
			c := mongocarrier.NewConsumer("orders", mongocarrier.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))))
			var j propagation.Journal
			if err := tt.do(propagation.ContextWithJournal(t.Context(), &j), c, &j); err != nil {
				t.Fatal(err)
			}
			var got, marks []string
			for _, e := range j.Entries() {
				line := e.Call + " of " + e.Carrier + ": " + string(e.Action) + " " + string(e.Outcome)
				if e.Detail != "" {
					line += " " + e.Detail
				}
				got = append(got, line)
				if path.Base(e.File) != "journal_test.go" {
					t.Errorf("%v is not in this test", e)
				}
			}
			for _, s := range recorder.Ended() {
				for _, kv := range s.Attributes() {
					if kv.Key == "waybill.extract" {
						marks = append(marks, kv.Value.String())
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.marks, marks); diff != "" {
				t.Errorf("waybill.extract (-want +got):\n%s", diff)
			}
		})
	}
}
