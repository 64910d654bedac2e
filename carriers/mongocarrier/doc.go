// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package mongocarrier carries a trace context in the documents of MongoDB, so
// that a flow goes on in the one who polls a collection or reads a change
// stream. It works with both drivers and imports neither.
//
// # When
//
// Use it where one service writes a document and another works on it: a
// collection that is used as a queue, an outbox, a change stream, a copy into
// another store. What instruments the driver makes spans of its commands; these
// end at the server, and nobody who reads the document learns of them.
//
// # How
//
// The suffix of a function names the shape of the document:
//
//	D    bson.D, or any slice of struct{Key string; Value any}
//	M    bson.M, or any map[string]any
//	Raw  bson.Raw, or any []byte that is BSON; nothing is decoded
//
// InjectD, InjectM and InjectRaw put the context in, ExtractD, ExtractM and
// ExtractRaw take it into a ctx, ReadD, ReadM and ReadRaw return it to be looked
// at or handed to [Process], and StripD, StripM and StripRaw return the document
// without it. The user's own struct has a field of type [TraceContext]. In a
// document the context is
//
//	{_id: 1, …, _otel: {traceparent: "00-…-01", tracestate: "…", waybill: "00-…-0001"}}
//
// in the field that [WithField] names, _otel by default, and in the form that
// [WithForm] sets. However a decoder hands the field back, as D, M, a map, bytes,
// a raw value, a struct or text, it is read.
//
// A collection as a queue: the producer injects, and the poller claims a
// document and handles it in a span that goes on with the producer's trace. The
// claim sets fields of its own and so leaves the context alone:
//
//	doc := mongocarrier.InjectD(ctx, bson.D{{"state", "new"}, {"order", 42}})
//	_, err := jobs.InsertOne(ctx, doc)
//
//	claimed, err := jobs.FindOneAndUpdate(ctx, isNew, isTaken).Raw()
//	err = mongocarrier.Process(ctx, mongocarrier.ReadRaw(claimed), func(ctx context.Context) error {
//		return handle(ctx, claimed)
//	}, mongocarrier.WithCollection("jobs"), mongocarrier.WithAttempt(attempts))
//
// An update writes a context where [SetFields] says, or with a pipeline
// [PipelineStage]: that of the one who made the document, that of the last one
// who wrote, or both.
//
// A change stream: [ReadChangeEvent] returns the context of an event and its
// [Origin], which says whether the change wrote that context or found it there.
// [WithOrigin] makes a link of what is older than the change. Who writes back
// skips events of which [IsOnlyContext] is true. [ChangeEvents] and [Documents]
// hand out a stream or a cursor together with the ctx of each document.
//
// An outbox: the relay calls what forwards the document in Process, so that its
// own span is between the two, and injects from the ctx it is given into the
// next carrier. What the document holds stays. For the outbox connector of
// Debezium the form is [Properties].
//
// Documents that are written together share what [Capture] returned, with
// [WithCaptured]; and so does what a driver may run twice, such as the callback
// of a transaction or a bulk write, which then writes the same again. A collection
// whose schema allows no other fields takes those of [JSONSchemaProperties].
//
// [Comment] and [CommentDocument] are for the logs and the profiler of the
// server. They reach nobody who reads documents.
//
// # Telemetry
//
// [Process] and [ProcessBatch] record one span; the rest of the package records
// nothing. With C the collection of [WithCollection]:
//
//	process C  CONSUMER  a document, with a link to its context, which is the parent
//	                     too unless ctx has a span or the context is an old one; or
//	                     a batch, with a link to each context
//
// Without a collection the name is process. The attributes are
//
//	messaging.system                         mongodb
//	messaging.operation.name                 process
//	messaging.operation.type                 process
//	messaging.destination.name               the collection, if there is one
//	messaging.batch.message_count            of a batch: all documents, with a context or not
//	messaging.mongodb.document.age_seconds   since the oldest document was sent, if known
//	messaging.mongodb.document.attempt       of [WithAttempt]
//	messaging.mongodb.document.origin        of [WithOrigin]: written, creation, pre_image
//	error.type                               see below
//	waybill.link_count                       how many contexts a span of several handles
//
// The error.type and the outcome are those of package observe. The text of an
// error is not recorded. Canceled work is not an error of the span.
//
// There are no metrics but those of an [Observer]: the time a document was in
// the queue, the time since its data set out, and documents by outcome, which is
// success, failure, timeout, cancelled or panic. It is told of what was dropped
// for one of these reasons:
//
//	malformed_context  a document held a context that is none
//	clock_skew         a time was in the future, and counted as now
//
// What keeps a context out of a document is reported to OpenTelemetry's error
// handler, each kind once a process: a document that would exceed 16 MiB, a path
// through a value that is no document, two fields of an update that overlap.
//
// # Guarantees
//
//   - The fields of the user keep their values, their order and, in Raw, their
//     bytes. The context is the last element, or stays where it stood.
//   - A context is replaced whole: nothing of an earlier one is left beside it,
//     and no second field of its name.
//   - An inject without a valid span changes nothing, unless
//     [WithPolicy] says so.
//   - Extraction never fails and never logs. What is malformed counts as absent,
//     and a span that is in ctx already stays.
//   - Nothing read from Raw is kept, so a cursor may go on.
//   - Bytes that are not BSON come back as they were, with [ErrMalformed].
//   - No baggage is written or read, except what [WithBaggage] names: documents
//     and their backups outlive what may be in it.
//   - Process returns what its function returned, and lets a panic go on with its
//     own value. Observers, samplers and span processors may panic; an error of the
//     driver comes back as it is, and nothing is written a second time.
//   - Functions are safe for concurrent use on different documents. Those that
//     write may write to the document they are given, as append does; with
//     [WithCopy] they do not, and one document may be shared.
//
// # Limits
//
// A traceparent adds 85 bytes to a document, a waybill 51, a tracestate 17 and
// its length. A tracestate of more than 512 bytes is left out, and of baggage
// what goes beyond 1024. The size of a document is known of Raw only: a D or an
// M that is too big with its context is refused by the driver or the server.
//
// Keep the field out of filters of upserts, unique indexes, shard keys, elements
// for $addToSet and the metaField of a time series: it is another value each
// time. Compare documents by [Digest] or after StripD, StripM or StripRaw.
//
// A replacement is a new document, without a context unless one is injected. An
// update in a context is a change, of which a change stream tells, even if it
// changes nothing else.
//
// An event of an update holds no context if neither the update wrote one nor the
// stream asks for the full document; one of a delete needs the document before
// the change, which MongoDB 6.0 and later keep if the collection says so.
//
// Whoever can write to a collection can write a context. Between parties that do
// not trust each other, say [propagation.WithUntrusted] in [WithStartOptions].
// Documents may be older than any trace is kept: [propagation.WithMaxAge].
//
// [LenientField] is lenient with driver v2 only. The context does not travel in
// the documents that the driver and the server exchange about a command, and so
// it is no concern of a mongos, a replica or an index.
package mongocarrier
