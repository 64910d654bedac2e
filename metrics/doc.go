// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package metrics measures data pipelines for Prometheus: their stages, the
// Kafka topics and MongoDB collections between them, and how long data is on
// its way.
//
// # When
//
// Use it with packages stages, kafkacarrier and mongocarrier where Prometheus,
// or anything that reads its format, collects the metrics of your processes.
//
// # How
//
// Make the metrics once, give them as their observer to whatever is to be
// measured, and serve the registry:
//
//	registry := prometheus.NewRegistry()
//	m, err := metrics.New(registry)
//	p, err := stages.NewPipeline("orders", stages.WithObserver(m))
//	reader, err := kafkacarrier.NewReader(r, kafkacarrier.WithObserver(m))
//	err = mongocarrier.Process(ctx, remote, fn, mongocarrier.WithObserver(m))
//	server, err := metrics.Listen(ctx, ":8000", registry)
//
// A process that ends before it is scraped pushes instead, at the end of its
// run:
//
//	pusher, err := metrics.NewPusher("http://pushgateway:9091", "nightly", registry)
//	err = p.Run(ctx, work, stages.WithFlush(pusher.Push))
//
// # Guarantees
//
//   - Nothing is registered with the default registry unless it is given, and
//     nothing at all when [New] returns an error.
//   - [New] with equal options on one registry returns one set of metrics. A
//     metric of the same name that is not the same one is an error that names it.
//   - The series of a stage are looked up when the stage is built, not when it
//     runs, and exist at zero from then on. Series for a reason or an error type
//     exist from its first use, and timestamps from the first event, so that none
//     looks like 1970.
//   - A label that users fill has at most 100 values, see [WithLabelLimit]. The
//     rest share _other_.
//   - The lag of a partition goes when the partition does: no old one looks like
//     a new one.
//   - What is measured for each message allocates nothing.
//   - A push never erases the time of the last success: while any stage that has
//     started has not succeeded, the push leaves it out.
//   - A duration has an exemplar, the trace and span it belongs to, if the span
//     was sampled, at most once a second for each series.
//   - All types are safe for concurrent use.
//
// # Limits
//
// Exemplars are only in the OpenMetrics format, which [Listen] offers and a
// handler of your own must enable. In that format the bounds of buckets read
// le="1.0" instead of le="1", which are different series to Prometheus. The
// resident memory is that of Linux; elsewhere it is the memory the Go runtime
// holds. A counter is exact up to 2^53.
//
// # Telemetry
//
// The stage label is empty for the whole run of a pipeline. Where a carrier
// brings data while no stage runs, pipeline and stage are empty. The carrier is
// kafka or mongodb, and the partition is empty where it is not known. The
// committed lag is known where offsets are committed, and from
// kafkacarrier.WatchLag. The outcome is
// success, failure, timeout, cancelled or panic. The prefix is that of
// [WithNamespace].
//
//	etl_bytes_total{pipeline,stage,direction}                            counter   Bytes that came into a stage (in) or went out of it (out).
//	etl_end_to_end_seconds{pipeline,stage}                               histogram Time since data set out, when a stage is done with it or a carrier brings it.
//	etl_errors_total{pipeline,stage,error_type}                          counter   Runs of a stage that ended with a failure, a timeout or a panic.
//	etl_hop_seconds{pipeline,stage,carrier}                              histogram Time since data was sent, when a carrier brings it.
//	etl_in_flight{pipeline,stage}                                        gauge     Runs of a stage that have not ended.
//	etl_kafka_blocked_seconds_total{operation,topic}                     counter   Time that calls waited to write messages or for messages to read.
//	etl_kafka_bytes_total{topic,partition,direction}                     counter   Bytes of the keys and values of messages that were fetched (in) or written (out).
//	etl_kafka_committed_lag_messages{group,topic,partition}              gauge     Messages in a partition after the committed offset.
//	etl_kafka_errors_total{operation,topic,error_type}                   counter   Operations on Kafka that failed.
//	etl_kafka_lag_messages{group,topic,partition}                        gauge     Messages in a partition after the one fetched last.
//	etl_kafka_last_fetch_timestamp_seconds{group,topic,partition}        gauge     Unix time at which a message was last fetched from a partition.
//	etl_kafka_messages_total{topic,partition,direction}                  counter   Messages of Kafka that were fetched (in) or written (out).
//	etl_kafka_offset_gaps_total{topic}                                   counter   Gaps in the offsets of fetched messages; compaction and transactions make some too.
//	etl_kafka_queue_seconds{topic}                                       histogram Time from the timestamp of a message to its fetch.
//	etl_kafka_queued_messages{topic}                                     gauge     Messages that a writer was given and is not done with.
//	etl_kafka_redelivered_total{topic}                                   counter   Messages that had been fetched before.
//	etl_last_run_timestamp_seconds{pipeline,stage}                       gauge     Unix time at which a run of a stage last ended.
//	etl_last_success_timestamp_seconds{pipeline,stage}                   gauge     Unix time at which a run of a stage last succeeded.
//	etl_memory_bytes                                                     gauge     Memory of this process that is resident; outside of Linux, memory the Go runtime holds.
//	etl_mongodb_documents_total{collection,outcome}                      counter   Documents that were handled, by how that ended.
//	etl_mongodb_errors_total{collection,error_type}                      counter   Documents whose handling ended with a failure, a timeout or a panic.
//	etl_mongodb_queue_seconds{collection}                                histogram Time from the write of a document to its handling.
//	etl_processing_seconds{pipeline,stage,outcome}                       histogram Time the function of a stage took, by how it ended.
//	etl_retries_total{pipeline,stage}                                    counter   Attempts after the first within runs of a stage.
//	etl_rows_processed_total{pipeline,stage,source}                      counter   Rows that came out of a stage well.
//	etl_rows_read_total{pipeline,stage,source}                           counter   Rows that came into a stage.
//	etl_rows_rejected_total{pipeline,stage,reason}                       counter   Rows that a stage turned away.
//	etl_telemetry_dropped_total{reason}                                  counter   Telemetry that was lost, by reason.
//	etl_telemetry_label_overflow_total{label}                            counter   Uses of a label value beyond the limit, counted as _other_.
//	etl_watermark_timestamp_seconds{pipeline,stage}                      gauge     Event time up to which a stage has seen all data.
//
// The reasons of dropped telemetry are listed in package stages. What the SDK
// for traces drops is not among them: its batch processor drops spans in
// silence when its queue, of 2048 by default, is full.
package metrics
