// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package propagation writes a trace context to any carrier and reads it again.
//
// # When
//
// Use it for a carrier that no package below carriers covers: a header type of
// your own, a row, a frame of a protocol. A [Setter] and a [Getter] take ten
// lines; package carriers/carriertest tests them. For Kafka, MongoDB, processes,
// Kubernetes and job parameters use the packages below carriers, which are built
// on this one.
//
// # How
//
// [Inject] writes the context of a ctx to a carrier, [Extract] returns a ctx
// that continues it, and [Read] returns it as a [Remote], a value that becomes
// a parent or a link. [Start] opens the span that handles one or many remotes
// and decides between parent and link. [InjectTextMap], [ExtractTextMap] and
// [ReadTextMap] do the same for a carrier that already is an OpenTelemetry
// [TextMapCarrier]. [Encode] returns what Inject writes, as [Fields], for a
// carrier that has better means than to be set key by key.
//
// The propagator determines the formats. [WithPropagator] selects exactly one;
// without it, the global propagator at the time of the call is used. The
// [Waybill], which records when the data entered the flow, is written with the
// global propagator even if that has no waybill of its own, and then once. If the
// global propagator was never set, so that it has no fields, [Default] is used:
// W3C Trace Context, W3C Baggage and the waybill.
//
// # Where a context is lost
//
// A [Journal] notes each injection, each extraction and each [Start]: the line of code,
// the carrier, its keys, and how it ended. Package flowtest uses one in tests. In a
// program, set the environment variable WAYBILL_JOURNAL:
//
//	WAYBILL_JOURNAL=spans              # the spans have the attribute waybill.extract
//	WAYBILL_JOURNAL=/tmp/journal.jsonl # and each entry is appended to this file, as a line of JSON
//
// The variable is read once. The file must be a regular one. Several processes may append
// to it: a line begins with the process id, and then has the members of [JournalEntry].
// It gets at most 100,000 lines of a process, of which the last has the member "full". An entry holds ids, names of keys, and
// places in the code, and no value of a carrier.
//
// The attribute waybill.extract is one of the spans that Start opens for remotes that
// were read from carriers, and so of the spans of messages, documents and batches. It is
// "ok", "absent", "malformed" with the key and the reason, or "foreign" with the name of
// the format, such as "foreign B3"; if there are several remotes, that of the worst. A
// span is not marked as "unused" when it starts, because nobody knows then whether a
// context that was extracted is still to be used. Package flowtest finds those when the
// flow is complete.
//
// # Guarantees
//
//   - Inject never writes half a context: it removes every field of the
//     propagator from the carrier, then sets its own. A carrier that is injected
//     twice keeps no old tracestate and no old baggage.
//   - If ctx has no valid span, Inject writes no trace context. It writes the
//     waybill and the allowed baggage of ctx if the carrier holds no trace
//     context, or by [Replace]. It starts no new waybill: where data enters a
//     flow without a span, call [ContextWithWaybill].
//   - Remote keeps everything the propagator extracted, and [Remote.Context] puts
//     it over the caller's context, of which it keeps the rest.
//   - Extract and Read never fail, log or panic, whatever a carrier holds. After a
//     malformed trace context nothing else is read, and [Remote.Err] returns the
//     reason.
//   - A value is written whole or not at all, by the order of [Fields.Shrink].
//   - A propagator or tracer that panics, or returns nil, writes, reads or records
//     nothing in that call, and does not affect others.
//   - All functions are safe for concurrent use on different carriers. A nil
//     ctx is treated as [context.Background], a nil option as its default, and a
//     nil carrier or accessor as an empty one.
//
// # Limits
//
// If a carrier holds trace contexts in several formats, the last propagator that
// finds one wins, as with OpenTelemetry, unless the carrier has an order: see
// [Indexer].
//
// Of a carrier that other programs filled, propagators of others are offered at
// most 256 keys, those of known formats first, and values of at most 64 KiB. A
// tracestate of more than 512 bytes is read but not written. White space around
// a traceparent or waybill makes it malformed: only HTTP allows it, and there
// net/http has removed it.
//
// Fields of the formats of this package are handled without allocation beyond
// what must be kept. Any other propagator is called through an adapter.
package propagation
