// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kafkacarrier carries a trace context over Kafka, for
// [github.com/segmentio/kafka-go], and records what is sent and received.
//
// # When
//
// Use it where a trace ends at a kafka.Writer and another one starts behind a
// kafka.Reader, and where nobody can tell how late messages are, which were
// delivered twice, or which are missing. For a client other than kafka-go, write
// a setter and a getter for its headers with package propagation, and follow the
// rules below.
//
// # How
//
// [NewWriter] and [NewReader] return wrappers with the methods of a kafka.Writer
// and a kafka.Reader. [Reader.Process] calls the code that handles a message in
// a span that continues the context of the message, and [Reader.ProcessBatch]
// does so for several messages. [Forward] returns the message for a retry topic
// or for dead letters. Without the wrappers, [Inject], [Extract] and [Read] work
// on the headers of a message, and a [Consumer], or the functions [Process] and
// [ProcessBatch], on messages of a plain kafka.Reader.
//
// [WithObserver] sets an observer, such as the one of package metrics, which is
// notified of lag, latency and failures. [WatchLag] notifies it of the lag of a
// group that has stopped. [NewTransport] measures the requests below a Writer,
// with OpenTelemetry metrics only.
//
// # Migrating from plain kafka-go
//
// Wrap the writer before its first use, and the reader anywhere:
//
//	w := kafkacarrier.NewWriter(&kafka.Writer{Addr: addr, Topic: "orders"})
//	r := kafkacarrier.NewReader(kafka.NewReader(config))
//
// The arguments, the results, the errors with their types, the Completion of the
// writer, the WriterData of the messages and the order remain as they are. Then
// call the code that handles a message through Process:
//
//	for {
//		msg, err := r.FetchMessage(ctx)
//		if err != nil {
//			return err // ctx.Err() after a clean stop.
//		}
//		err = r.Process(ctx, msg, func(ctx context.Context) error { return handle(ctx, msg) })
//		if err != nil {
//			return err // Or write Forward(ctx, msg, "orders.dead") and go on.
//		}
//		if err := r.CommitMessages(ctx, msg); err != nil {
//			return err
//		}
//	}
//
// The ctx of the loop should hold no span: a span that lasts for days would be
// the parent of every message.
//
// A handler that is not called through Process continues no trace. Code that
// names *kafka.Writer or *kafka.Reader in a signature can accept [MessageWriter]
// or [MessageReader], which both implement, as fakes can.
//
// # What changes on the wire
//
// A message gets the headers of the propagator, once and as the propagator
// spells them, after the headers it had, whose order and bytes do not change.
// With propagation.Default these are traceparent (68 bytes with its lengths),
// waybill (46) and, if there is one, tracestate; baggage only if it is selected,
// because a topic retains what is written to it. Headers for which
// propagation.IsContextKey reports true are removed before, in any case and
// format. If a message would become larger than BatchBytes, as kafka-go counts
// it or as a record batch with this one message, the context is written without
// baggage, then without tracestate, then without waybill, and then not at all. A
// BatchBytes of less than 4 KiB limits only what kafka-go counts. Nothing else
// changes on the wire.
//
// A context that a message carries is replaced by the context of its send span. With
// propagation.KeepExisting it is kept, as the semantic conventions recommend for
// a context that the user has created: see docs/adr/0006-creation-contexts.md.
//
// # How others are read
//
// The newest header is read, empty headers are ignored, and a header that
// differs in case is read if there is no exact one. If several formats are
// present, the newest of them is read. So, as recorded from each of them, this
// package continues
//
//	OpenTelemetry for Java, Spring   which write one context
//	OpenTelemetry for Python         which appends: the last one is its own
//	OpenTelemetry for Node (kafkajs) which writes in place
//	otelsarama, otel-kafka-konsumer  which write one context
//	dd-trace for Python and Go       which write traceparent beside their own headers
//	kotel (franz-go)                 which writes in place; not what it forwards with
//	                                 two contexts, where it leaves the older one last
//	B3, Jaeger, X-Ray                with the propagator for it in [WithPropagation], in
//	                                 upper and lower case
//
// Programs in Java read B3 and X-Ray in one spelling only: see
// [WithBothSpellings]. Nobody else removes a tracestate or baggage of an earlier
// hop, so these may belong to one. The values of several tracestate headers are
// combined. Messages with two contexts that differ are counted as
// duplicate_context.
//
// The header dd-pathway-ctx-base64 of Datadog records the path of the data
// rather than a context, and is kept.
//
// # Telemetry
//
// Spans, where T is the topic, or its name by [WithTopicTemplate]:
//
//	create T   PRODUCER  a message of a call with several; not with WithoutCreateSpans
//	send T     PRODUCER  a call with one message, or with WithoutCreateSpans
//	send T     CLIENT    a call with several, linked to the create spans, or one whose
//	                     message keeps its context
//	poll T     CLIENT    a fetch that delivered a message or failed; with WithPollSpans
//	process T  CONSUMER  a message, or a batch with a link to each context
//	commit T   CLIENT    a commit; not with WithoutCommitSpans
//
// A span for several topics is named without one. The attributes are
//
//	messaging.system                    kafka
//	messaging.operation.name            create, send, poll, process, commit
//	messaging.operation.type            create, send, receive, process, settle
//	messaging.destination.name          the topic, if there is one
//	messaging.destination.template      with WithTopicTemplate
//	messaging.destination.partition.id  a text, if there is one
//	messaging.consumer.group.name       of poll, process and commit
//	messaging.client.id                 of the Dialer or the Transport, if it has one
//	messaging.batch.message_count       of several messages
//	messaging.kafka.offset              of one message, on its span or its link
//	messaging.kafka.message.tombstone   true for a key without a value
//	messaging.kafka.message.key         with WithMessageKey
//	messaging.header.KEY                with WithHeaders, such as messaging.header.app
//	server.address, server.port         if the Writer or Reader has exactly one address
//	error.type                          see below
//	waybill.link_count                  how many contexts a span of several handles
//	waybill.links_dropped               how many of these have no link, if there are more than 128
//	waybill.extract                     how the context was read, if a journal asks: see package propagation
//	waybill.queued                      true for a commit that kafka-go makes later
//	waybill.redelivered                 true for a message that was fetched before
//
// The span of a message that was forwarded by its handler is linked to the span
// that created the message upstream.
//
// OpenTelemetry metrics have the attributes messaging.system,
// messaging.operation.name, messaging.operation.type, the destination, the
// consumer group and the server where there is one, error.type, and with
// [WithPartitionMetrics] the partition. The durations are histograms with the
// bounds that the conventions ask for, from 5 ms to 10 s. After 1000 series of a
// client, further ones have the topic _OTHER: see [WithTopicTemplate].
//
//	messaging.client.operation.duration   s          send, poll, commit
//	messaging.process.duration            s          process
//	messaging.client.sent.messages        {message}  sent or tried; waybill.late is true
//	                                                 for those whose caller had given up
//	messaging.client.consumed.messages    {message}  each delivery once
//	waybill.client.request.duration       s          requests of a Transport, with
//	                                                 messaging.system, the name of the
//	                                                 request, the server and error.type
//
// An error.type is the result of observe.ErrorType: for an error of a broker the name
// that the protocol gives to it, such as NOT_LEADER_OR_FOLLOWER. An error that
// the end of ctx explains is timeout or canceled; the latter does not set the
// status of the span. Only with [WithErrorDescription] is the text of an error
// recorded.
//
// The observer is notified of lost telemetry with the reasons malformed_context,
// duplicate_context, too_large, clock_skew, stale_waybill and no_waybill of
// package observe, and of code of others that panicked.
//
// # Guarantees
//
//   - Nothing of the caller's is modified: messages, their headers and their
//     WriterData. What kafka-go returns is returned, with the caller's messages in
//     a MessageTooLargeError, so that the others can be written again.
//   - A slice of headers that a message arrived with is never written to.
//   - The outcome of a message is the answer of the broker: its partition and offset
//     come from the acknowledgement, each message ends once, and after Close no
//     span is open.
//   - Telemetry does not fail the work: observers, tracers, samplers,
//     instruments, propagators and functions in options may panic, and the context
//     of a message never makes it too large. A panic of a handler, of the
//     Completion or of the Balancer continues with its own value.
//   - Lag, redeliveries and gaps are right however many goroutines share a Reader:
//     a message that was delivered once is never a redelivery, and one that another
//     goroutine is about to return is never missing.
//   - Extraction never fails and never logs, whatever a message holds.
//   - Nothing here starts a goroutine that outlives a call, or calls Stats, which
//     would reset it. A timer, which Close stops, expires lost partitions.
//   - Global providers and the global propagator are read when they are needed,
//     so they may be set after wrapping.
//
// # Limits
//
// kafka-go does not tell everything:
//
//   - Its writer has one result for a batch of a partition, no matter what the
//     broker said of single records, and none of an attempt that was repeated.
//     [Transport] counts requests, and so attempts.
//   - It produces without the context of the call, so requests have no spans.
//   - Without acknowledgements (RequireNone, the default of the struct) neither
//     partition nor offset is known.
//   - How many messages a reader has fetched ahead, how long a batch waited, and
//     how often a group was rebalanced is in Stats only, which resets what it
//     reports and so belongs to the program. An observe.BackpressureObserver sees
//     how many messages a Writer is not done with, and how long calls were blocked.
//   - It does not report when a partition is assigned or revoked. A partition is
//     forgotten when others deliver messages and it does not, for
//     [WithPartitionExpiry]; when it is known to hold more messages and the Reader
//     polls for that time and gets none; with [Reader.Forget]; and with Close.
//   - A partition that another member of the group has read in between returns
//     with a gap. A gap is counted once, with its size, unless nothing came from
//     the partition for the HeartbeatInterval before it, in which it may have been
//     with another member.
//   - A message that was fetched ahead may be delivered after a rebalance, to
//     two members of a group. A redelivery is seen by the Reader that had it.
//   - An empty header value and an empty message value are read as nil, so an
//     empty value looks like a tombstone, and Forward writes null for it.
//   - ReadMessage loses a message whose commit failed, and all that is known of
//     it but the error.
//
// Lag is the number of offsets after the highest one that was delivered or
// committed, without asking a broker: while messages are redelivered it does not
// grow, and a consumer that is stuck shows an old number. [WatchLag] asks the
// brokers. Compaction and the markers of transactions use offsets too, so such a
// topic has gaps, and a lag that may stay above 0. Time in queue starts at the
// time of the message, which kafka-go sets when it sends a batch;
// [WithTimestamps] sets it at WriteMessages.
//
// A Consumer counts a delivery for each message; for messages of a [Reader],
// which has counted them, use the methods of the Reader. If the context that a
// message is handled in is not sampled, the messages of a call to one topic share
// one create span, which is not recorded.
package kafkacarrier
