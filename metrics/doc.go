// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics measures data pipelines, for Prometheus or with OpenTelemetry:
// their stages, the Kafka topics and MongoDB collections between them, and the latency
// of the data.
//
// # When
//
// Use it with packages stages, kafkacarrier and mongocarrier if Prometheus, or
// anything that reads its format, collects the metrics of your processes, or if they
// send their metrics by OpenTelemetry.
//
// # How
//
// Create the metrics once, pass them as an observer to whatever is to be
// measured, and serve the registry:
//
//	registry := prometheus.NewRegistry()
//	m, err := metrics.New(registry)
//	p, err := stages.NewPipeline("orders", stages.WithObserver(m))
//	reader := kafkacarrier.NewReader(r, kafkacarrier.WithObserver(m))
//	consumer := mongocarrier.NewConsumer("orders", mongocarrier.WithObserver(m))
//	server, err := metrics.Listen(ctx, ":8000", registry)
//
// A server of your own takes [Handler] instead of [Listen]:
//
//	mux.Handle("/metrics", metrics.Handler(registry))
//
// A process that ends before it is scraped pushes at the end of its run:
//
//	pusher, err := metrics.NewPusher("http://pushgateway:9091", "nightly", registry)
//	err = p.Run(ctx, work, stages.WithFlush(pusher.Push))
//
// A program that sends its metrics by OpenTelemetry needs no registry; see
// the section OpenTelemetry:
//
//	m, err := metrics.NewOTel(nil) // The global MeterProvider.
//
// The metrics of the Go runtime and of the process come with [WithGoCollector] and
// [WithProcessCollector].
//
// # Cost
//
// An idle stage costs 23 series: a histogram of 11 series for its successes and
// one for its failures, and a gauge. Another outcome costs 11 when it first
// occurs, and each count and time that a function reports costs one from its first
// use. A queue in front of a stage costs 3, a check 2, and each histogram of a
// stage (the waiting time in its queue, the age of its rows) 11, or 14 for the rows
// of its batches. With [WithoutClassicBuckets], where Prometheus scrapes native
// histograms, a histogram costs 3 and an idle stage 7. A topic costs a histogram
// for its queue, and two for its processing, a collection one for its queue, and the
// two latencies one each.
//
// # Guarantees
//
//   - Nothing is registered with the default registry unless it is given, and
//     nothing at all if [New] returns an error.
//   - [New] with equal options on one registry returns one set of metrics. A
//     metric of the same name that is not the same metric is an error that names
//     it.
//   - The series of a stage are looked up when the stage is created, not when it
//     runs. Its successes and failures exist at 0 from then on. All other series
//     exist from their first use, so no timestamp series starts at 1970, and what
//     a function does not count has no series. A count of 0 has one.
//   - Both results of a check exist at 0 from its first use.
//   - A queue in front of a stage is read at each scrape. The queues of one stage add
//     up. A queue that is done is forgotten, but the time that producers waited for
//     it stays in etl_blocked_seconds_total, which never decreases. When no queue is
//     open, etl_queue_rows and etl_queue_capacity_rows are 0.
//   - The run of a whole pipeline counts what its own function counts. It is not
//     the sum of its stages, which would count a row as often as it passes one.
//   - A label that users fill has at most 100 values; see [WithLabelLimit]. The
//     others share _OTHER. Up to 10,000 partitions have a lag, so its sum
//     covers all partitions.
//   - The lag of a partition is shown as long as a reader or watcher of it reports
//     it, and is removed when the last one has lost the partition.
//   - Observing a message allocates nothing.
//   - A push never erases the time of the last success of a stage.
//   - A latency longer than a year is not observed but counted as dropped
//     telemetry; see [WithMaxLatency].
//   - An observation of a histogram has an exemplar, the trace and span it belongs
//     to, if the span was sampled, at most once a second for each series. The
//     waiting time in a queue belongs to the span that put the item.
//   - All types are safe for concurrent use.
//
// # Limits
//
// Exemplars exist only in the OpenMetrics format, which [Handler] and [Listen]
// offer. In that format the bounds of buckets read le="1.0" instead of le="1",
// which are different series to Prometheus. A counter is exact up to 2^53.
//
// The resident memory is known on Linux only; elsewhere the gauge shows the memory
// that the Go runtime holds. The memory limit is the lowest of GOMEMLIMIT and, on
// Linux, the limits of the control groups of the process and of those above them;
// where there is none, there is no series. The Go runtime uses all memory up
// to GOMEMLIMIT before it works harder to free some, so a process may stay near
// that limit for long.
//
// If the target of a scrape has a label of the same name as one of these metrics,
// such as pipeline, stage or topic, Prometheus renames the label of the metric to
// exported_pipeline, unless the scrape has honor_labels: true. Rules and boards need
// the label under its own name.
//
// # Telemetry that is lost
//
// etl_telemetry_dropped_total counts what this module had to leave out, by reason:
// the Drop constants of package observe. etl_telemetry_label_overflow_total counts
// the uses of a label beyond its limit.
//
// Neither counts what the SDK for traces drops. Its batch processor drops spans
// silently when its queue is full, so a trace lacks spans, and an exemplar may
// lead to a trace that is not there. The queue has room for 2048 spans; the
// environment variables OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_MAX_EXPORT_BATCH_SIZE and
// OTEL_BSP_SCHEDULE_DELAY, in milliseconds, change its size and how fast it is
// emptied. The SDK counts what it drops if OTEL_GO_X_OBSERVABILITY=true is in the
// environment and a meter provider is set before the tracer provider is created: see
// otel.sdk.processor.span.processed with error.type="queue_full", and
// otel.sdk.processor.span.queue.size and .capacity. Without metrics, a logger of
// level V(8) given to otel.SetLogger writes total_dropped with each export.
//
// # Telemetry
//
// The label stage is empty for the run of a whole pipeline. Where data arrives
// outside a stage, pipeline and stage are empty. The destination is the topic or
// collection that the data arrived from; it is empty for the end of a stage. The
// topic of etl_kafka_processing_seconds is empty for a batch of several topics. The
// carrier is kafka or mongodb. The partition is empty where it is not known. The
// committed lag is known where offsets are committed, and from
// kafkacarrier.WatchLag. The outcome is success, failure, timeout, cancelled or
// panic; a cancellation is not an error. The result of a check is passed or
// rejected. [WithNamespace] sets the prefix.
//
//	etl_batch_rows{pipeline,stage}                                       histogram Rows that one run of a stage handled together.
//	etl_blocked_seconds_total{pipeline,stage}                            counter   Time that producers waited because the queue in front of a stage was full.
//	etl_bytes_total{pipeline,stage,direction}                            counter   Bytes that came into a stage (in) or went out of it (out).
//	etl_checks_total{pipeline,stage,check,result}                        counter   Rows that a named check of a stage passed or rejected.
//	etl_downstream_seconds_total{pipeline,stage}                         counter   Time that the sequences of a stage waited for the code that ranges over them.
//	etl_end_to_end_seconds{pipeline,stage,destination}                   histogram Time since data entered the flow, when a stage is done with it or it arrives from a destination.
//	etl_errors_total{pipeline,stage,error_type}                          counter   Runs of a stage that ended with a failure, a timeout or a panic.
//	etl_hop_seconds{pipeline,stage,carrier,destination}                  histogram Time since data was sent, when it arrives from a destination.
//	etl_in_flight{pipeline,stage}                                        gauge     Runs of a stage that have not ended.
//	etl_kafka_blocked_seconds_total{operation,topic}                     counter   Time that calls waited to write messages or for messages to read.
//	etl_kafka_bytes_total{topic,partition,direction}                     counter   Bytes of the keys and values of messages that were fetched (in) or written (out).
//	etl_kafka_committed_lag_messages{group,topic,partition}              gauge     Messages in a partition after the committed offset.
//	etl_kafka_errors_total{operation,topic,error_type}                   counter   Operations on Kafka that failed.
//	etl_kafka_lag_messages{group,topic,partition}                        gauge     Messages in a partition after the last one that was fetched.
//	etl_kafka_last_fetch_timestamp_seconds{group,topic,partition}        gauge     Unix time of the last fetch of a message from a partition.
//	etl_kafka_messages_total{topic,partition,direction}                  counter   Messages of Kafka that were fetched (in) or written (out).
//	etl_kafka_offset_gaps_total{topic}                                   counter   Gaps in the offsets of fetched messages; compaction and transactions make some too.
//	etl_kafka_processing_seconds{topic,outcome}                          histogram Time that the handling of a message or a batch of messages took, by how it ended.
//	etl_kafka_queue_seconds{topic}                                       histogram Time from the timestamp of a message to its fetch.
//	etl_kafka_queued_messages{topic}                                     gauge     Messages that a writer has accepted and that are not done.
//	etl_kafka_redelivered_total{topic}                                   counter   Messages that had been fetched before.
//	etl_last_run_timestamp_seconds{pipeline,stage}                       gauge     Unix time at which a run of a stage last ended.
//	etl_last_success_timestamp_seconds{pipeline,stage}                   gauge     Unix time at which a run of a stage last succeeded.
//	etl_memory_bytes                                                     gauge     Resident memory of this process; outside Linux, memory that the Go runtime holds.
//	etl_memory_limit_bytes                                               gauge     Memory that this process may use; absent if no limit is known.
//	etl_mongodb_documents_total{collection,outcome}                      counter   Documents that were handled, by how that ended.
//	etl_mongodb_errors_total{collection,error_type}                      counter   Documents whose handling ended with a failure, a timeout or a panic.
//	etl_mongodb_queue_seconds{collection}                                histogram Time from the write of a document to its handling.
//	etl_processing_seconds{pipeline,stage,outcome}                       histogram Time that the function of a stage took, by how it ended.
//	etl_queue_capacity_rows{pipeline,stage}                              gauge     Items that the queue in front of a stage can hold.
//	etl_queue_rows{pipeline,stage}                                       gauge     Items in the queue in front of a stage.
//	etl_queue_wait_seconds{pipeline,stage}                               histogram Time that items were in the queue in front of a stage, of a sample of them.
//	etl_retries_total{pipeline,stage}                                    counter   Attempts after the first within runs of a stage.
//	etl_row_age_seconds{pipeline,stage}                                  histogram Time since the event that a row describes, when a stage handles it.
//	etl_rows_processed_total{pipeline,stage,source}                      counter   Rows that came out of a stage well.
//	etl_rows_read_total{pipeline,stage,source}                           counter   Rows that came into a stage.
//	etl_rows_rejected_total{pipeline,stage,reason}                       counter   Rows that a stage turned away.
//	etl_telemetry_dropped_total{reason}                                  counter   Telemetry that was lost, by reason.
//	etl_telemetry_label_overflow_total{label}                            counter   Uses of a label value beyond the limit, counted as _OTHER.
//	etl_watermark_timestamp_seconds{pipeline,stage}                      gauge     Event time up to which a stage has seen all data.
//
// # OpenTelemetry
//
// [NewOTel] measures the same with the instruments of a MeterProvider. Their names are
// chosen so that an exporter, a collector or Prometheus itself translates them to the
// names above:
//
//	etl.batch.rows                   {row}       histogram     etl_batch_rows
//	etl.blocked                      s           counter       etl_blocked_seconds_total
//	etl.bytes                        By          counter       etl_bytes_total
//	etl.checks                       {row}       counter       etl_checks_total
//	etl.downstream                   s           counter       etl_downstream_seconds_total
//	etl.end_to_end                   s           histogram     etl_end_to_end_seconds
//	etl.errors                       {run}       counter       etl_errors_total
//	etl.hop                          s           histogram     etl_hop_seconds
//	etl.in_flight                    {run}       updowncounter etl_in_flight
//	etl.kafka.blocked                s           counter       etl_kafka_blocked_seconds_total
//	etl.kafka.bytes                  By          counter       etl_kafka_bytes_total
//	etl.kafka.committed_lag.messages {message}   updowncounter etl_kafka_committed_lag_messages
//	etl.kafka.errors                 {operation} counter       etl_kafka_errors_total
//	etl.kafka.lag.messages           {message}   updowncounter etl_kafka_lag_messages
//	etl.kafka.last_fetch.timestamp   s           gauge         etl_kafka_last_fetch_timestamp_seconds
//	etl.kafka.messages               {message}   counter       etl_kafka_messages_total
//	etl.kafka.offset_gaps            {gap}       counter       etl_kafka_offset_gaps_total
//	etl.kafka.processing             s           histogram     etl_kafka_processing_seconds
//	etl.kafka.queue                  s           histogram     etl_kafka_queue_seconds
//	etl.kafka.queued.messages        {message}   updowncounter etl_kafka_queued_messages
//	etl.kafka.redelivered            {message}   counter       etl_kafka_redelivered_total
//	etl.last_run.timestamp           s           gauge         etl_last_run_timestamp_seconds
//	etl.last_success.timestamp       s           gauge         etl_last_success_timestamp_seconds
//	etl.memory                       By          updowncounter etl_memory_bytes
//	etl.memory.limit                 By          updowncounter etl_memory_limit_bytes
//	etl.mongodb.documents            {document}  counter       etl_mongodb_documents_total
//	etl.mongodb.errors               {document}  counter       etl_mongodb_errors_total
//	etl.mongodb.queue                s           histogram     etl_mongodb_queue_seconds
//	etl.processing                   s           histogram     etl_processing_seconds
//	etl.queue.capacity.rows          {row}       updowncounter etl_queue_capacity_rows
//	etl.queue.rows                   {row}       updowncounter etl_queue_rows
//	etl.queue.wait                   s           histogram     etl_queue_wait_seconds
//	etl.retries                      {attempt}   counter       etl_retries_total
//	etl.row_age                      s           histogram     etl_row_age_seconds
//	etl.rows.processed               {row}       counter       etl_rows_processed_total
//	etl.rows.read                    {row}       counter       etl_rows_read_total
//	etl.rows.rejected                {row}       counter       etl_rows_rejected_total
//	etl.telemetry.dropped            {loss}      counter       etl_telemetry_dropped_total
//	etl.telemetry.label_overflow     {use}       counter       etl_telemetry_label_overflow_total
//	etl.watermark.timestamp          s           gauge         etl_watermark_timestamp_seconds
//
// The attributes are those of the spans, and those of the semantic conventions for
// messaging. An empty label has no attribute:
//
//	pipeline, stage, source         etl.pipeline, etl.stage, etl.source
//	outcome, reason, direction      etl.outcome, etl.reason, etl.direction
//	check, result, label            etl.check, etl.result, etl.label
//	error_type                      error.type
//	topic, collection, destination  messaging.destination.name
//	partition                       messaging.destination.partition.id
//	group                           messaging.consumer.group.name
//	operation                       messaging.operation.name
//	carrier                         messaging.system
//
// The boards, rules and alerts of this module query the labels on the left: use
// [WithPrometheusLabels] to have them, or rename the attributes on their way; the
// page docs/opentelemetry.md shows how.
//
// What is said above of registries, pushes and native histograms does not apply to it,
// the SDK decides about exemplars, and a histogram has no series at 0.
//
// Packages kafkacarrier and mongocarrier record the metrics of the semantic
// conventions themselves, with or without an observer. No name is used twice. Four of
// them are close to metrics of this package:
//
//	messaging.client.sent.messages      attempts to send, where etl.kafka.messages counts what was written
//	messaging.client.consumed.messages  by consumer group, where etl.kafka.messages counts by partition
//	messaging.process.duration          by group and error.type, where etl.kafka.processing observes by outcome
//	messaging.client.operation.duration of each call, where etl.kafka.blocked is the sum of its waiting
package metrics
