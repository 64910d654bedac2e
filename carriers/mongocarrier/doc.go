// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package mongocarrier carries a trace context in the documents of MongoDB, so
// that a flow continues in the program that polls a collection or reads a change
// stream. It works with both drivers and imports neither.
//
// # When
//
// Use it where one service writes a document and another works on it: a
// collection that is used as a queue, an outbox, a change stream, a copy into
// another store. Instrumentation of the driver makes spans of its commands; these
// end at the server, and do not reach readers of the document.
//
// # How
//
// The suffix of a function names the shape of the document:
//
//	D    bson.D, or any slice of struct{Key string; Value any}
//	M    bson.M, or any map[string]any
//	Raw  bson.Raw, or any []byte that is BSON; nothing is decoded
//
// [InjectD], [InjectM] and [InjectRaw] return a copy of the document with the
// context; [ExtractD], [ExtractM] and [ExtractRaw] return a ctx with the context
// of the document; [ReadD], [ReadM] and [ReadRaw] return it for [Process]; and
// [StripD], [StripM] and [StripRaw] return the document without it. A struct has
// a [Field] for it:
//
//	order := Order{ID: "42", Trace: mongocarrier.Capture(ctx)}      // before it is inserted
//	err := consumer.Process(ctx, order.Trace.Remote(), handle)      // after it is decoded
//
// In a document the context is
//
//	{_id: 1, …, _otel: {traceparent: "00-…-01", tracestate: "…", waybill: "00-…-0001"}}
//
// in the field that [WithField] names, _otel by default, and in the form that
// [WithForm] sets. The field is read in every shape that a decoder or another
// program gives it: D, M, a map, bytes, a raw value, a struct, a list of pairs,
// or text, which may be JSON.
//
// A collection as a queue: the producer injects, and the poller claims a document
// and handles it in a span that continues the producer's trace. The claim sets
// fields of its own and leaves the context alone:
//
//	doc := mongocarrier.InjectD(ctx, bson.D{{Key: "state", Value: "new"}, {Key: "order", Value: 42}})
//	_, err := jobs.InsertOne(ctx, doc)
//
//	consumer := mongocarrier.NewConsumer("jobs") // once
//	claimed, err := jobs.FindOneAndUpdate(ctx, isNew, isTaken).Raw()
//	err = consumer.Process(ctx, mongocarrier.ReadRaw(claimed), func(ctx context.Context) error {
//		return handle(ctx, claimed)
//	}, mongocarrier.WithAttempt(attempts))
//
// An update writes a context where [SetFields] says, or in a pipeline
// [PipelineStage]: the context of the creation, of the last writer, or both.
//
// A change stream: [ReadChangeEvent] returns the context of an event and its
// [ContextSource], which reports whether the change wrote that context. With
// [WithContextSource], a context older than the change is linked. A program that
// writes back skips events for which [IsOnlyContext] is true. [ChangeEvents] and
// [Documents] iterate over a stream or a cursor with the ctx of each document.
//
// An outbox: the relay calls the function that forwards the document in
// [Consumer.Process], so that its own span is between the two, and injects from
// the ctx it is given into the next carrier. The document keeps its context. For
// the outbox connector of Debezium the form is [FormProperties].
//
// Documents that are written together share what [Capture] has returned, with
// [WithCaptured]; so does what a driver may run twice, such as the callback of a
// transaction or a bulk write, which then writes the same again. A collection
// whose schema allows no other fields takes those of [JSONSchemaProperties].
//
// [Comment] and [CommentDocument] are for the logs and the profiler of the
// server. They do not reach readers of documents.
//
// # Telemetry
//
// A [Consumer] records one span for a call; the rest of the package records
// nothing. With C the name of the collection:
//
//	process C  CONSUMER  a document, with a link to its context, which is the parent
//	                     too unless ctx has a span or the context is an old one; or
//	                     a batch, with a link to each context
//
// If the collection has no name, the span is called process. The attributes are
//
//	messaging.system                 mongodb
//	messaging.operation.name         process
//	messaging.operation.type         process
//	messaging.destination.name       the collection, if it has a name
//	messaging.batch.message_count    of a batch: all documents, with a context or not
//	waybill.document.age_seconds     since the oldest document was sent, if known
//	waybill.document.attempt         of [WithAttempt]
//	waybill.document.context_source  of [WithContextSource]: written, creation, pre_image
//	waybill.link_count               how many contexts a span of several handles
//	waybill.links_dropped            how many of these have no link, if there are more than 128
//	waybill.extract                  how the context was read, if a journal asks: see package propagation
//	error.type                       as package observe says
//
// The text of an error is not recorded; to see it as the description of the span,
// use WithErrorDescription(nil). Canceled work is not an error of the span.
//
// With a MeterProvider, a Consumer records messaging.process.duration and
// messaging.client.consumed.messages, with the same attributes as far as they are
// bounded. An observer, see [WithObserver], is notified of the time that a
// document was in the queue, the time since its data entered the flow, the
// documents by outcome, and what was lost.
//
// A document that cannot have a context is reported to OpenTelemetry's error
// handler, once a process for each reason: it would exceed 16 MiB, the path leads
// through a value that is not a document, or two fields of an update overlap.
//
// # Guarantees
//
//   - A document that is injected into is not modified, unless [WithInPlace] is
//     given. The fields of the user keep their values, their order and, in Raw,
//     their bytes. The context is the last element, or stays where it stood.
//   - A context is replaced whole: no part of an earlier one is left beside it.
//   - If ctx has no valid span, a context in the document stays, unless
//     [propagation.WithPolicy] says otherwise. A waybill and allowed baggage are
//     written without a span to a document that has no context.
//   - Extraction never fails and never logs; a malformed context is treated as
//     absent, and a span that is already in ctx stays. It takes time proportional
//     to the size of the document.
//   - Nothing read from Raw is kept, so that a cursor may move on.
//   - Bytes that are not BSON are returned as they are, with [ErrMalformed].
//   - No baggage is written or read but what [propagation.WithBaggage] names,
//     because documents and their backups outlive it.
//   - Process returns what its function has returned, and a panic continues with
//     its own value. Observers, tracers and meters may panic.
//   - Functions are safe for concurrent use, on the same document too if
//     [WithInPlace] is not given.
//
// # Limits
//
// A traceparent adds 85 bytes to a document, a waybill 51, a tracestate 17 and
// its length. A tracestate of more than 512 bytes is left out, and of a baggage
// the members beyond 1024 bytes. The size of a document is known of Raw only: a D
// or an M that is too large with its context is refused by the driver or the
// server. A text longer than 64 KiB and a value longer than 16 KiB are not read
// as a context.
//
// Keep the field out of filters of upserts, unique indexes, shard keys, elements
// for $addToSet and the metaField of a time series, because its value differs
// each time. Compare documents by [Digest] or after StripD, StripM or StripRaw.
//
// A replacement is a new document, without a context unless one is injected. An
// update with a context is a change that a change stream reports, even if it
// changes nothing else.
//
// An event of an update has no context if neither the update wrote one nor the
// stream asks for the full document; one of a delete needs the document before
// the change, which MongoDB 6.0 and later keep if the collection says so.
//
// Whoever can write to a collection can write a context. Between parties that do
// not trust each other, give [propagation.WithUntrusted] to [WithStartOptions].
// Documents may be older than any trace is kept: see [propagation.WithMaxAge].
//
// [LenientField] is lenient with driver v2 only. The context is not in the
// commands that the driver and the server exchange.
package mongocarrier
