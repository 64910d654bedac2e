// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package propagation puts a trace context on any carrier and takes it off
// again.
//
// # When
//
// Use it for a carrier that no package below carriers covers: a header type of
// your own, a row, a frame of a protocol. Ten lines of [Setter] and [Getter]
// are a carrier; carriers/carriertest proves them. For Kafka, MongoDB,
// processes, Kubernetes and job parameters use the ready packages, which are
// built on this one.
//
// # How
//
// [Inject] writes the context of a ctx to a carrier, [Extract] returns a ctx
// that continues it, and [Read] returns it as a [Remote], a value that becomes
// a parent or a link. [Start] opens the span that handles one or many remotes
// and decides between parent and link. [InjectTextMap], [ExtractTextMap] and
// [ReadTextMap] do the same for a carrier that already is an OpenTelemetry
// [TextMapCarrier].
//
// What travels is decided by the propagator: [WithPropagator], else the global
// one at the time of the call. When the global one was never set, so that it
// has no fields, [Default] is used: W3C Trace Context, W3C Baggage and the
// [Waybill], the time the data set out. Nothing is lost in silence.
//
// # Guarantees
//
//   - Inject never leaves half a context: it clears every field of the
//     propagator on the carrier, then sets. A carrier that is injected twice
//     keeps no old tracestate and no old baggage.
//   - Without a valid span in ctx nothing is written; [WithPolicy] says whether
//     what is there stays or goes.
//   - Extract and Read never fail, log or panic on what a carrier holds. A
//     malformed context leaves ctx as it is, and [Remote.Err] says why.
//   - A value is written whole or not at all, whatever [WithMaxBytes] says.
//   - All functions are safe for concurrent use on different carriers. A nil
//     ctx is taken as [context.Background], a nil option as its default, and a
//     nil carrier or accessor as one that holds nothing.
//
// # Limits
//
// [Read] keeps the span context, the baggage and the waybill. A propagator that
// puts other values in a ctx needs [Extract].
// A traceparent, tracestate, baggage or waybill is handled without allocation
// beyond what must be kept when the propagator is made of [TraceContext],
// [Baggage] and [WaybillPropagator] only; any other one is called through one
// adapter.
package propagation
