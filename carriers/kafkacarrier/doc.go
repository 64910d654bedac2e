// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package kafkacarrier carries a trace context over Kafka, for
// [github.com/segmentio/kafka-go], and records what is sent and received.
//
// # When
//
// Use it where a trace ends at a kafka.Writer and another starts behind a
// kafka.Reader, and where no one can say how late the messages are, which ones
// came twice, or which did not arrive. For a client other than kafka-go, write a
// setter and a getter for its headers with package propagation, and borrow the
// rules below.
//
// # How
//
// [NewWriter] and [NewReader] wrap what there is and have the same methods.
// [Reader.Process] calls the code that handles a message in a span that
// continues the context of the message, and [Reader.ProcessBatch] does so for
// many. [Forward] makes the message for a retry topic or one for dead letters.
// Without the wrappers there are [Inject], [Extract] and [Read] for the headers,
// and [Process] and [ProcessBatch] for messages of a plain kafka.Reader.
//
// [WithObserver] tells an observer, such as that of package metrics, of lag,
// latency and what went wrong. [WatchLag] does for a group that has stopped.
// [NewTransport] measures the requests below a Writer.
//
// # Migrating from plain kafka-go
//
// Wrap the writer before its first use, and the reader anywhere:
//
//	w, err := kafkacarrier.NewWriter(&kafka.Writer{Addr: addr, Topic: "orders"})
//	r, err := kafkacarrier.NewReader(kafka.NewReader(config))
//
// Everything else stays: the arguments, the results, the errors with their
// types, the Completion of the writer and the WriterData of the messages, and
// the order. Then call what handles a message through Process:
//
//	msg, err := r.FetchMessage(ctx)
//	err = r.Process(ctx, msg, func(ctx context.Context) error { return handle(ctx, msg) })
//	err = r.CommitMessages(ctx, msg)
//
// Code that names *kafka.Writer or *kafka.Reader in a signature can take
// [MessageWriter] or [MessageReader], which both have the methods of, and fakes
// too.
//
// # What changes on the wire
//
// A message gets the headers of the propagator, once and in lower case, after
// the headers it had, whose order and bytes do not change. With
// propagation.Default these are traceparent (68 bytes with its lengths), waybill
// (46) and, if there is one, tracestate; baggage only with [WithBaggage], because
// a topic keeps what is written to it. Headers of any tracing format that were
// there before go: those named traceparent, tracestate, baggage, waybill, b3,
// uber-trace-id and x-amzn-trace-id, and those that start with x-b3-, uberctx-,
// ot-tracer-, ot-baggage- and x-datadog-. A message that would be longer than
// BatchBytes goes without baggage, then without tracestate, without waybill, and
// at last as it was. Nothing else on the wire changes.
//
// # How others are read
//
// The newest header counts, empty ones do not, and one that differs in case
// counts if there is no exact one. So, as recorded from each of them, this
// package continues
//
//	OpenTelemetry for Java, Spring   which write one context
//	OpenTelemetry for Python         which appends: the last is its own
//	OpenTelemetry for Node (kafkajs) which writes in place
//	otelsarama, otel-kafka-konsumer  which write one context
//	dd-trace for Python and Go       which write traceparent beside their own headers
//	kotel (franz-go)                 which writes in place; not what it forwards with
//	                                 two contexts, where it leaves the older one last
//	B3, Jaeger, X-Ray                with the propagator for it in WithPropagator, in
//	                                 upper and lower case; composed with Trace Context
//	                                 it comes last, because they leave an older
//	                                 traceparent beside their own headers
//
// Nobody else clears a tracestate or baggage of an earlier hop, so these may
// belong to one. Messages with two contexts that differ are counted as
// duplicate_context.
//
// # Telemetry
//
// Spans, with T the topic, or what [WithTopicTemplate] says for it:
//
//	create T   PRODUCER  a message of a call with several; not with WithoutCreateSpans
//	send T     PRODUCER  a call with one message, or with WithoutCreateSpans
//	send T     CLIENT    a call with several, linked to the create spans, or one whose
//	                     message keeps its context
//	poll T     CLIENT    a fetch that brought a message or failed; with WithPollSpans
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
//	server.address, server.port         of requests of a [Transport], metrics only
//	error.type                          see below
//	waybill.link_count                  how many contexts a span of several handles
//	waybill.queued                      true for a commit that kafka-go makes later
//	waybill.redelivered                 true for a message that was fetched before
//
// OpenTelemetry metrics, with the attributes messaging.system,
// messaging.operation.name, messaging.operation.type, the destination, the
// consumer group where there is one, error.type, and with
// [WithPartitionMetrics] the partition. The durations are histograms with the
// bounds that the conventions ask for, from 5 ms to 10 s. After 1000 series the
// topics of new ones are counted as _other: see [WithTopicTemplate].
//
//	messaging.client.operation.duration   s          send, poll, commit, and the requests of Transport
//	messaging.process.duration            s          process
//	messaging.client.sent.messages        {message}  sent or tried; waybill.late is true
//	                                                 for those whose caller had given up
//	messaging.client.consumed.messages    {message}  each delivery once
//
// An error.type is the name that Kafka has for the error, such as
// NOT_LEADER_FOR_PARTITION, or one of context_canceled, deadline_exceeded,
// closed, eof, network_timeout, network, panic and _OTHER. Only with
// [WithErrorDescription] is the text of an error recorded.
//
// [Observer] is called with more. The reasons for which it is told of something
// dropped are malformed_context, duplicate_context, too_large and clock_skew.
//
// # Guarantees
//
//   - What the caller hands in is not changed: messages, their headers and
//     their WriterData. What kafka-go returns is returned, with the messages of
//     the caller in a MessageTooLargeError, so that it can write the rest again.
//   - A slice of headers that a message arrived with is never written to.
//   - The outcome of a message is that of the broker: its partition and offset
//     come from the acknowledgement, each message ends once, and after Close no
//     span is open.
//   - Telemetry does not fail the work: observers, tracers, samplers,
//     propagators and functions in options may panic, and the context of a
//     message never makes it too large. A panic of a handler, of the Completion
//     or of the Balancer goes on up with its own value.
//   - Extraction never fails and never logs, whatever a message holds.
//   - Nothing here starts a goroutine or calls Stats, which would reset it.
//   - Global providers and the global propagator are read when they are needed,
//     so they may be set after wrapping.
//
// # Limits
//
// kafka-go does not say everything:
//
//   - Its writer has one result for a batch of a partition, no matter what the
//     broker said of single records, and none of an attempt that was repeated.
//     [Transport] counts requests, and so attempts.
//   - It produces without the context of the call, so requests have no spans.
//   - Without acknowledgements (RequireNone, the default of the struct) neither
//     partition nor offset is known.
//   - How many messages a reader has fetched ahead, how long a batch waited, and
//     how often a group was rebalanced is in Stats only, which resets what it
//     reports and so belongs to the program. Backpressure shows in what can be
//     seen without it: to a [BackpressureObserver] how many messages a Writer is
//     not done with, and the time that calls were blocked; and the duration of
//     send, the time in queue, and the lag.
//   - It does not say when a partition is assigned or revoked. A partition is
//     forgotten when others bring messages and it does not, for
//     [WithPartitionExpiry], with [Reader.Forget], and with Close. If it went to
//     another Reader with the same observer, its lag is unknown from then until
//     that one fetches its next message.
//   - A message that was fetched ahead may be delivered after a rebalance, to
//     two members of a group. A redelivery is seen by the Reader that had it.
//   - An empty header value and an empty message value are read as nil, so an
//     empty value looks like a tombstone, and Forward writes null for it.
//   - ReadMessage loses a message whose commit failed, and all that is known of
//     it but the error.
//
// Lag is counted in offsets, without asking a broker, when a message is fetched
// or committed: a consumer that is stuck shows an old number, which is what
// [WatchLag] is for. Compaction and the markers of transactions take offsets
// too, so such a topic has gaps, and a lag that may stay above 0. Gaps are
// reported 64 messages later, because concurrent fetches come out of order. Time
// in queue starts at the time of the message, which kafka-go sets when it sends
// a batch; [WithTimestamps] sets it at WriteMessages.
//
// Process and ProcessBatch, the functions, count a delivery; for messages of a
// [Reader], which has counted them, use its methods. If the context a message is
// handled in is not sampled, the messages of a call that share it share one
// create span, which no one records.
package kafkacarrier
