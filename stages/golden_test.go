// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/golden"
	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// What the spans look like is API.
func TestGoldenSpans(t *testing.T) {
	t.Parallel()
	expired, cancel := context.WithDeadlineCause(t.Context(), time.Unix(0, 0), errors.New("the window has closed"))
	t.Cleanup(cancel)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()

	p, r := newRun(t)
	extract := mustStage(t, p, "extract", stages.WithSource("orders.raw"))
	transform := mustStage(t, p, "transform", stages.WithErrorType(errBoom, "boom"), stages.WithAttemptSpans())
	load := mustStage(t, p, "load", stages.WithErrorDescription(func(err error) string { return "text: " + err.Error() }))
	_ = recovered(func() {
		_ = p.Run(t.Context(), func(ctx context.Context) error {
			_ = extract.Run(ctx, func(ctx context.Context) error {
				run := stages.FromContext(ctx)
				run.Read(12)
				run.Wrote(10)
				run.Rejected(2, "no depth")
				run.BytesIn(512)
				run.BytesOut(256)
				run.Retried()
				run.Input(stages.Dataset{Name: "orders", Format: "csv", Path: "s3://lake/orders", Rows: 12, Bytes: 512})
				run.Output(stages.Dataset{Name: "orders.clean", Format: "parquet", Path: "/data/orders", Rows: 10, Bytes: 256})
				return nil
			})
			_ = transform.Run(ctx, func(context.Context) error { return errBoom })
			_ = transform.Run(ctx, func(ctx context.Context) error {
				return stages.Attempt(ctx, 2, func(context.Context) error { return errBoom })
			})
			for range stages.Seq(ctx, extract, rows(3)) {
				break
			}
			_ = stages.Batch(ctx, load, remotesOf(3), func(context.Context) error { return nil },
				stages.WithRows(500), stages.WithStartOptions(propagation.WithMaxLinks(2)))
			journaled := propagation.ReadTextMap(mapCarrier{}, propagation.WithJournal(new(propagation.Journal)))
			_ = stages.Batch(ctx, load, []propagation.Remote{journaled}, func(context.Context) error { return nil })
			_ = transform.Run(itemContext(t, ctx), func(context.Context) error { return nil })
			_ = transform.Run(cancelled, func(context.Context) error { return context.Canceled })
			_ = load.Run(expired, func(ctx context.Context) error { return ctx.Err() })
			_ = load.Run(ctx, func(context.Context) error { return errBoom })
			return load.Run(ctx, func(context.Context) error { panic("full") })
		}, stages.WithParameter("day", "2026-10-01"))
	})

	var text strings.Builder
	for _, span := range r.spans.GetSpans() {
		writeSpan(&text, span)
	}
	golden.Compare(t, "spans.golden", text.String())

	// The table in the documentation of the package lists the same attributes.
	seen := map[string]bool{}
	for _, span := range r.spans.GetSpans() {
		for _, a := range span.Attributes {
			seen[strings.Replace(string(a.Key), "etl.parameter.day", "etl.parameter.{key}", 1)+" "+typeNames[a.Value.Type()]] = true
		}
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for line := range strings.Lines(string(doc)) {
		if fields := strings.Fields(line); len(fields) > 2 && slices.Contains(slices.Collect(maps.Values(typeNames)), fields[2]) {
			documented[fields[1]+" "+fields[2]] = true
		}
	}
	if diff := cmp.Diff(documented, seen); diff != "" {
		t.Errorf("doc.go lists other attributes (-doc +spans):\n%s", diff)
	}
}

// itemContext returns the context of an item that was put and taken in a span.
func itemContext(t *testing.T, ctx context.Context) context.Context { //nolint:revive // Helpers begin with t.
	t.Helper()
	return through(t, ctx, ctx).Context(ctx)
}

// typeNames are the types of attributes in the documentation.
var typeNames = map[attribute.Type]string{
	attribute.STRING: "string", attribute.INT64: "int", attribute.FLOAT64: "float", attribute.BOOL: "bool", attribute.STRINGSLICE: "string[]", attribute.INT64SLICE: "int[]",
}

func writeSpan(w *strings.Builder, span tracetest.SpanStub) {
	scope := span.InstrumentationScope
	fmt.Fprintf(w, "%s %s %s %q\n", span.Name, span.SpanKind, span.Status.Code, span.Status.Description)
	fmt.Fprintf(w, "  scope %s %s\n", scope.Name, scope.SchemaURL)
	attributes := make([]string, 0, len(span.Attributes))
	for _, a := range span.Attributes {
		value := a.Value.String()
		if a.Key == "etl.downstream_seconds" {
			value = "(measured)"
		}
		attributes = append(attributes, fmt.Sprintf("  %s %s %s\n", a.Key, a.Value.Type(), value))
	}
	slices.Sort(attributes)
	w.WriteString(strings.Join(attributes, ""))
	if len(span.Links) > 0 {
		fmt.Fprintf(w, "  links %d\n", len(span.Links))
	}
	for _, event := range span.Events {
		fmt.Fprintf(w, "  event %s\n", event.Name)
		for _, a := range event.Attributes {
			if a.Key == "exception.stacktrace" {
				fmt.Fprintf(w, "    %s\n", a.Key)
				continue
			}
			fmt.Fprintf(w, "    %s %s\n", a.Key, a.Value.String())
		}
	}
}
