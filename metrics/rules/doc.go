// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package rules makes the alerts of data pipelines, as a rules file of Prometheus,
// from thresholds and objectives in Go.
//
// # When
//
// Use it if the file of package alerts does not fit: a pipeline runs once a day, a
// topic is compacted, the metrics have another namespace, or the data has an
// objective.
//
// # How
//
// Declare what is special, and write the file:
//
//	groups, err := rules.Default(
//		rules.Freshness("invoices", 24*time.Hour),
//		rules.Objective("orders", time.Minute, 0.99),
//		rules.Backlog("orders.raw", 5*time.Minute),
//	)
//	_, err = groups.WriteTo(os.Stdout)
//
// # The alerts
//
//   - EtlErrorRatio: many runs of a stage fail.
//   - EtlErrorSurge: a stage has far more errors than the day before.
//   - EtlNotFresh: a stage has not succeeded for twice its interval, or a declared
//     pipeline is gone.
//   - EtlStageStuck: in some process, a stage runs and makes no progress.
//   - EtlBacklog: more and more messages wait for a consumer, or it does not read.
//   - EtlLatency: half of the data is late, or the slowest hundredth very late.
//   - EtlRejectRatio: a stage rejects many rows.
//   - EtlDataLoss: offsets of Kafka have gaps, or messages are missing.
//   - EtlWatermarkStuck: rows come in, and the event time does not move.
//   - EtlMemory: a process is about to reach its memory limit.
//   - EtlTelemetryLost: telemetry is dropped, or a label has too many values.
//   - EtlObjectiveBurn: an [Objective] is about to be missed.
//
// Each alert has the label severity and links to a runbook and to a board. Where
// it can notice several things, the label signal tells which.
//
// # Guarantees
//
//   - The same options give the same bytes.
//   - A name or value of an option is quoted wherever it is written, so none can
//     change an expression or a template.
//   - An option that makes no sense is an error that names it.
//   - An expression works with classic and with native histograms, and with
//     processes that have either.
//   - Both sides of an expression are aggregated by the same labels, so that two
//     instances of a stage, as there are during a deployment, do not break it.
//   - A series that appears with its first event counts from that event.
//
// # Limits
//
// Processes of one stage are taken together unless [WithGrouping] names labels
// that separate them, such as the namespace. The metrics of a Pushgateway have one
// value for each run, so rates and shares over a window do not see them: a pushed
// pipeline has EtlNotFresh.
//
// A process that handles old data again has data of any age. Give all its metrics
// the label replay, for example with metrics.WithConstLabels, or with
// metrics.WithGrouping if it pushes: EtlNotFresh, EtlWatermarkStuck, EtlLatency and
// EtlObjectiveBurn ignore series in which it is not empty.
//
// EtlErrorRatio counts runs. A stage that is run again for each attempt of a retry
// has one failed run for each; use stages.Attempt inside the stage, which has one
// run for all attempts.
//
// EtlBacklog sees a consumer that is gone if something else reports its lag, as
// kafkacarrier.WatchLag does. What a group reads is known for its topic only, so
// the groups of one topic are taken to read alike.
package rules
