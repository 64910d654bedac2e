// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowtest checks in a unit test that the spans of several services form
// one flow. It needs no server.
//
// # When
//
// Use it where a context crosses a queue, a document, or a job, which is where
// contexts get lost: in the tests of the code that injects and extracts, and in a
// test that runs producer and consumer in one process.
//
// # How
//
// [New] returns a [Flow]. Each [Flow.Service] is a
// [go.opentelemetry.io/otel/trace.TracerProvider] with its own service.name, to
// be passed to the code under test. [Flow.Wait] returns a [Recording] when all
// spans have ended:
//
//	f := flowtest.New(t)
//	api, job := f.Service("api"), f.Service("etl-job")
//	runOrder(f.Context(), api, job)
//
//	fl := f.Wait(5*time.Second, "etl-job load")
//	fl.RequireConnected()
//	fl.RequirePath("api POST /orders", "api send orders", "etl-job process orders", "etl-job load")
//	fl.Span("process orders").Kind(trace.SpanKindConsumer).Remote().Attr("messaging.system", "kafka")
//	fl.Golden("testdata/order.flow")
//
// Code that calls [go.opentelemetry.io/otel.Tracer] takes no provider and records
// nothing into a service. [Flow.Global] makes a service the global provider for
// the rest of a test that is not parallel:
//
//	f := flowtest.New(t)
//	f.Global("api")
//	runOrder(f.Context())
//
// [FromSpans] checks spans that were recorded elsewhere, and [Tree] draws spans
// outside of a test.
//
// A check that fails prints the flow as a tree, and what is wrong with it as the
// command waybill does: what happened, the evidence, and what to change.
//
//	[1] api      POST /orders    SERVER   12ms
//	    api      └─ send orders  PRODUCER  2ms  kafka orders  ✗ P01 the flow is lost after this
//	[2] etl-job  process orders  CONSUMER 40ms  kafka orders  ✗ P01 a consumer starts a new trace
//	    etl-job  ├─ extract      INTERNAL  3ms
//	    etl-job  └─ load         CLIENT    9ms  mongodb orders  ERROR duplicate_key
//
//	P01 violation  "etl-job process orders" starts a new trace: no context was extracted from kafka orders@815.
//	    Why:  It has no parent and no link. "api send orders" sent to the same destination before. ...
//	    Fix:  Extract the context of the message before the span is started, and inject it where the message is sent.
//	    This is likely. See https://github.com/waybill-go/waybill/blob/main/docs/diagnosis/P01.md
//
// # Guarantees
//
// A flow is not a trace. Its spans are joined by parents and by links, so a batch
// that links to its messages forms one flow with all of them. The verdict on a
// recording is CONNECTED (one flow by parents alone), LINKED (one flow by parents
// and links), or BROKEN; it is the verdict of the command waybill.
//
// Apart from [Flow.Global], the package neither sets nor reads a global, and the
// OTEL_ variables of the environment affect neither sampling, limits, nor service
// names, so tests may be parallel. It does not sleep; Wait works inside a
// [testing/synctest] bubble. A golden file does not depend on ids, times, or the
// order of concurrent spans.
//
// # Limits
//
// A Flow sets no propagator, apart from [Flow.Global]: the code under test injects
// and extracts.
//
// A remote parent or link target that was not recorded is treated as a boundary of
// the test, and joins the spans that refer to it. A parent is known to be remote
// if the span was recorded by this SDK, or by OTLP with the flag; otherwise it is
// treated as local.
//
// A tree has at most 64 levels. Siblings that look the same share a line, above all
// that is below them.
//
// The package imports the SDK and testing, so only tests should import it. It
// emits no telemetry.
package flowtest
