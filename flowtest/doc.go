// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowtest checks in a unit test that what several services do to one
// piece of data is one flow, with no server running.
//
// # When
//
// Use it where a context crosses a queue, a document, or a job, to keep it
// from getting lost there: in the tests of the code that injects and extracts,
// and in a test that runs producer and consumer in one process.
//
// # How
//
// [New] gives a [Flow]. Each [Flow.Service] of it is a
// [go.opentelemetry.io/otel/trace.TracerProvider] to hand to the code under
// test, under its own service.name. [Flow.Wait] returns a [Recording] once all
// spans have ended:
//
//	f := flowtest.New(t)
//	api, job := f.Service("api"), f.Service("etl-job")
//	runOrder(f.Context(), api, job)
//
//	fl := f.Wait(5 * time.Second, "etl-job load")
//	fl.RequireConnected()
//	fl.RequirePath("api POST /orders", "api send orders", "etl-job process orders", "etl-job load")
//	fl.Span("process orders").Kind(trace.SpanKindConsumer).Remote().Attr("messaging.system", "kafka")
//	fl.Golden("testdata/order.flow")
//
// [FromSpans] checks spans that were recorded elsewhere in the same way, and
// [Tree] draws them outside of a test.
//
// Any check that fails prints the flow as a tree, says which span does not
// belong to it and why, and between which two spans it probably broke:
//
//	[1] api      POST /orders    SERVER   12ms
//	    api      └─ send orders  PRODUCER  2ms  kafka orders  ✗ the flow is lost after this
//	[2] etl-job  process orders  CONSUMER 40ms  kafka orders  ✗ starts a new trace
//	    etl-job  ├─ extract      INTERNAL  3ms
//	    etl-job  └─ load         CLIENT    9ms  mongodb orders  ERROR duplicate_key
//
// # Guarantees
//
// The unit is the flow, which parents and links hold together, and not the
// trace: a batch that links to the messages it holds is one flow with all of
// them. The verdict on it is CONNECTED (by parents alone), LINKED (by links
// too), or BROKEN.
//
// Nothing global is touched or read, and the OTEL_ variables of the
// environment change neither sampling, limits, nor service names, so tests may
// run in parallel. There are no sleeps; Wait works inside a [testing/synctest]
// bubble. A golden file depends neither on ids, times, or the order of
// concurrent spans.
//
// # Limits
//
// Propagation is left to the code under test: a Flow sets no propagator.
//
// A remote parent or a link target that was not recorded is taken for a
// boundary of the test, and holds together the spans that refer to it. Whether
// a parent is remote is known of spans of this SDK, and of OTLP spans that set
// the flag; of others it is taken for local.
//
// Only 64 levels of a flow are drawn. More than four kinds of subtrees below
// spans that are alike are drawn as one, with their numbers added up. Where a
// flow broke is a guess from channels, kinds and times.
//
// The package is the only one of this module, beside carriertest, that imports
// the SDK and testing. It emits no telemetry of its own.
package flowtest
