// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest_test

import (
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest"
)

func TestFlow(t *testing.T) {
	t.Parallel()
	f := flowtest.New(t)
	api, job := f.Service("api"), f.Service("etl-job")
	ctx, root := api.Tracer("test").Start(f.Context(), "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
	_, send := api.Tracer("test").Start(ctx, "send orders", trace.WithSpanKind(trace.SpanKindProducer))
	send.End()
	root.End()
	link := trace.Link{SpanContext: send.SpanContext().WithRemote(true)}
	jctx, process := job.Tracer("test").Start(f.Context(), "process orders", trace.WithLinks(link), trace.WithSpanKind(trace.SpanKindConsumer))
	for range 3 {
		_, load := job.Tracer("test").Start(jctx, "load", trace.WithAttributes(attribute.Int("rows", 3)))
		load.End()
	}
	process.End()

	fl := f.Wait(5 * time.Second)
	fl.RequireConnected()
	fl.RequirePath("api POST /orders", "api send orders", "etl-job process orders", "etl-job load")
	fl.Span("load").Times(3).Attr("rows", 3).ChildOf("etl-job process orders").NoAttr("x")
	fl.Span("process orders").LinkedTo("api send orders").Kind(trace.SpanKindConsumer)
	t.Log("\n" + fl.Tree())
}
