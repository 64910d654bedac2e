// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowtest checks in a test that the spans of several services form one flow.
// It needs no server.
//
//	func TestOrder(t *testing.T) {
//		f := flowtest.New(t)
//		ctx, span := f.Service("api").Tracer("orders").Start(f.Context(), "POST /orders")
//
//		// A worker in any language. Its own OpenTelemetry sends its spans to the test.
//		worker := exec.CommandContext(ctx, "python3", "worker.py")
//		worker.Env = append(os.Environ(), f.Env(ctx, "worker")...)
//		if out, err := worker.CombinedOutput(); err != nil {
//			t.Fatalf("%v\n%s", err, out)
//		}
//		span.End()
//
//		fl := f.Wait(30*time.Second, "worker load orders")
//		fl.RequireConnected()
//		fl.RequireNoFindings()
//		fl.RequirePath("api POST /orders", "worker load orders")
//		fl.Golden("testdata/order.flow")
//	}
//
// # When
//
// Use it where a context crosses a queue, a document, or a job, which is where
// contexts get lost: in the tests of the code that injects and extracts, and in a
// test that runs producer and consumer, in one process or in several.
//
// # How
//
// [New] returns a [Flow]. Each [Flow.Service] is a
// [go.opentelemetry.io/otel/trace.TracerProvider] with its own service.name, to
// be passed to the code under test. Pass on [Flow.Context], so that a failure can name
// the lines that inject and extract. [Flow.Wait] returns a [Recording] when all
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
//
// [Flow.Env] returns the environment variables for another process, such as one in
// another language. Its spans join the recording; name the last ones in Wait.
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
// command waybill does: what happened, the evidence, what to change, and the lines of
// code:
//
//	[1] api      send orders     PRODUCER 11ms  kafka orders  ✗ P06 the flow is lost after this
//	[2] etl-job  process orders  CONSUMER 40ms  kafka orders  ✗ P06 injected without a span
//
//	P06 violation  "etl-job process orders" does not continue a flow, because its message was injected without a span.
//	    Why:  kafkacarrier.Inject at orders/producer.go:41 was called with a context that has no span, and wrote no trace context.
//	    Fix:  Pass the ctx that Start returned with the span to the call, and not context.Background() or the ctx of before.
//	    This is certain.
//	    orders/producer.go:38 started "api send orders".
//	    orders/consumer.go:17 started "etl-job process orders".
//
// With go test -artifacts, it also leaves the spans in a file, which "waybill report"
// shows as a page.
//
// # Guarantees
//
// A flow is not a trace. Its spans are joined by parents and by links, so a batch
// that links to its messages forms one flow with all of them. The verdict on a
// recording is CONNECTED (one flow by parents alone), LINKED (one flow by parents
// and links), or BROKEN. It is the verdict of the command waybill, except that a test
// which requires one flow is told that two are BROKEN.
//
// Apart from [Flow.Global], the package neither sets nor reads a global, and the
// OTEL_ variables of the environment affect neither sampling, limits, nor service
// names, so tests may be parallel. It does not sleep; Wait works inside a
// [testing/synctest] bubble. A golden file does not depend on ids, times, or the
// order of concurrent spans.
//
// A port is opened only by [Flow.Env], on the loopback interface. What other processes
// send never fails the test by itself; if a check fails, it prints what could not be
// received, and why.
//
// # Limits
//
// A Flow sets no propagator, apart from [Flow.Global]: the code under test injects
// and extracts.
//
// A remote parent or link target that was not recorded is treated as a boundary of
// the test, and joins the spans that refer to it. A parent is known to be remote
// if the span was recorded by this SDK, or by OTLP with the flag. Otherwise it is
// treated as local in [FromSpans], and as remote in a span of another process unless it
// is one of the same process.
//
// Of other processes, spans that end are received, and spans that are open are not
// known. An export may have 20 MiB, and a flow 250,000 spans of other processes; what is
// beyond that is left out and counted.
//
// A tree has at most 64 levels. Siblings that look the same share a line, above all
// that is below them. The lines of injections and extractions are known for those of
// this module.
//
// The package imports the SDK and testing, so only tests should import it. It
// emits no telemetry.
package flowtest
