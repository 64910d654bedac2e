// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package series names the metrics of waybill and their labels, once. Package
// metrics registers them, and the rules and the boards query them, so that a
// metric that is renamed here is renamed everywhere, or does not compile.
package series

// Kind is the type of a metric.
type Kind uint8

// The kinds of metrics.
const (
	Counter Kind = iota
	Gauge
	Histogram
)

// Metric describes a metric.
type Metric struct {
	// Name is the name without the namespace. Its suffix holds the unit.
	Name   string
	Help   string
	Kind   Kind
	Labels []string // In the order of the values; must not be modified.
}

// In returns the name of the metric in a namespace.
func (m Metric) In(namespace string) string { return namespace + "_" + m.Name }

// The names of the labels.
const (
	Pipeline    = "pipeline"
	Stage       = "stage"
	Source      = "source"
	Outcome     = "outcome"
	Reason      = "reason"
	Direction   = "direction"
	ErrorType   = "error_type"
	Label       = "label"
	Carrier     = "carrier"
	Check       = "check"
	Result      = "result"
	Group       = "group"
	Topic       = "topic"
	Partition   = "partition"
	Operation   = "operation"
	Collection  = "collection"
	Destination = "destination"
)

// Labels are all of them. They may not be constant labels.
var Labels = [...]string{
	Pipeline, Stage, Source, Outcome, Reason, Direction, ErrorType, Label, Carrier, Check, Result,
	Group, Topic, Partition, Operation, Collection, Destination, "le", "quantile",
}

// The values of the labels direction and result.
const (
	In  = "in"
	Out = "out"

	Passed   = "passed"
	Rejected = "rejected"
)

// stageLabels are the labels that identify a stage, and others.
func stageLabels(others ...string) []string {
	return append([]string{Pipeline, Stage}, others...)
}

// The metrics of stages.
var (
	Processing = Metric{
		"processing_seconds",
		"Time that the function of a stage took, by how it ended.",
		Histogram, stageLabels(Outcome),
	}
	EndToEnd = Metric{
		"end_to_end_seconds",
		"Time since data entered the flow, when a stage is done with it or it arrives from a destination.",
		Histogram, stageLabels(Destination),
	}
	Hop = Metric{
		"hop_seconds",
		"Time since data was sent, when it arrives from a destination.",
		Histogram, stageLabels(Carrier, Destination),
	}
	RowAge = Metric{
		"row_age_seconds",
		"Time since the event that a row describes, when a stage handles it.",
		Histogram, stageLabels(),
	}
	BatchRows = Metric{
		"batch_rows",
		"Rows that one run of a stage handled together.",
		Histogram, stageLabels(),
	}
	QueueWait = Metric{
		"queue_wait_seconds",
		"Time that items were in the queue in front of a stage, of a sample of them.",
		Histogram, stageLabels(),
	}
	RowsRead = Metric{
		"rows_read_total",
		"Rows that came into a stage.",
		Counter, stageLabels(Source),
	}
	RowsProcessed = Metric{
		"rows_processed_total",
		"Rows that came out of a stage well.",
		Counter, stageLabels(Source),
	}
	RowsRejected = Metric{
		"rows_rejected_total",
		"Rows that a stage turned away.",
		Counter, stageLabels(Reason),
	}
	Checks = Metric{
		"checks_total",
		"Rows that a named check of a stage passed or rejected.",
		Counter, stageLabels(Check, Result),
	}
	Bytes = Metric{
		"bytes_total",
		"Bytes that came into a stage (in) or went out of it (out).",
		Counter, stageLabels(Direction),
	}
	Errors = Metric{
		"errors_total",
		"Runs of a stage that ended with a failure, a timeout or a panic.",
		Counter, stageLabels(ErrorType),
	}
	Retries = Metric{
		"retries_total",
		"Attempts after the first within runs of a stage.",
		Counter, stageLabels(),
	}
	Blocked = Metric{
		"blocked_seconds_total",
		"Time that producers waited because the queue in front of a stage was full.",
		Counter, stageLabels(),
	}
	Downstream = Metric{
		"downstream_seconds_total",
		"Time that the sequences of a stage waited for the code that ranges over them.",
		Counter, stageLabels(),
	}
	InFlight = Metric{
		"in_flight",
		"Runs of a stage that have not ended.",
		Gauge, stageLabels(),
	}
	QueueRows = Metric{
		"queue_rows",
		"Items in the queue in front of a stage.",
		Gauge, stageLabels(),
	}
	QueueCapacity = Metric{
		"queue_capacity_rows",
		"Items that the queue in front of a stage can hold.",
		Gauge, stageLabels(),
	}
	LastRun = Metric{
		"last_run_timestamp_seconds",
		"Unix time at which a run of a stage last ended.",
		Gauge, stageLabels(),
	}
	LastSuccess = Metric{
		"last_success_timestamp_seconds",
		"Unix time at which a run of a stage last succeeded.",
		Gauge, stageLabels(),
	}
	Watermark = Metric{
		"watermark_timestamp_seconds",
		"Event time up to which a stage has seen all data.",
		Gauge, stageLabels(),
	}
)

// The metrics of Kafka.
var (
	KafkaMessages = Metric{
		"kafka_messages_total",
		"Messages of Kafka that were fetched (in) or written (out).",
		Counter,
		[]string{Topic, Partition, Direction},
	}
	KafkaBytes = Metric{
		"kafka_bytes_total",
		"Bytes of the keys and values of messages that were fetched (in) or written (out).",
		Counter,
		[]string{Topic, Partition, Direction},
	}
	KafkaQueue = Metric{
		"kafka_queue_seconds",
		"Time from the timestamp of a message to its fetch.",
		Histogram,
		[]string{Topic},
	}
	KafkaProcessing = Metric{
		"kafka_processing_seconds",
		"Time that the handling of a message or a batch of messages took, by how it ended.",
		Histogram,
		[]string{Topic, Outcome},
	}
	KafkaRedelivered = Metric{
		"kafka_redelivered_total",
		"Messages that had been fetched before.",
		Counter,
		[]string{Topic},
	}
	KafkaOffsetGaps = Metric{
		"kafka_offset_gaps_total",
		"Gaps in the offsets of fetched messages; compaction and transactions make some too.",
		Counter,
		[]string{Topic},
	}
	KafkaErrors = Metric{
		"kafka_errors_total",
		"Operations on Kafka that failed.",
		Counter,
		[]string{Operation, Topic, ErrorType},
	}
	KafkaQueued = Metric{
		"kafka_queued_messages",
		"Messages that a writer has accepted and that are not done.",
		Gauge,
		[]string{Topic},
	}
	KafkaBlocked = Metric{
		"kafka_blocked_seconds_total",
		"Time that calls waited to write messages or for messages to read.",
		Counter,
		[]string{Operation, Topic},
	}
	KafkaLag = Metric{
		"kafka_lag_messages",
		"Messages in a partition after the last one that was fetched.",
		Gauge,
		[]string{Group, Topic, Partition},
	}
	KafkaCommittedLag = Metric{
		"kafka_committed_lag_messages",
		"Messages in a partition after the committed offset.",
		Gauge,
		[]string{Group, Topic, Partition},
	}
	KafkaLastFetch = Metric{
		"kafka_last_fetch_timestamp_seconds",
		"Unix time of the last fetch of a message from a partition.",
		Gauge,
		[]string{Group, Topic, Partition},
	}
)

// The metrics of MongoDB.
var (
	MongoDocuments = Metric{
		"mongodb_documents_total",
		"Documents that were handled, by how that ended.",
		Counter,
		[]string{Collection, Outcome},
	}
	MongoErrors = Metric{
		"mongodb_errors_total",
		"Documents whose handling ended with a failure, a timeout or a panic.",
		Counter,
		[]string{Collection, ErrorType},
	}
	MongoQueue = Metric{
		"mongodb_queue_seconds",
		"Time from the write of a document to its handling.",
		Histogram,
		[]string{Collection},
	}
)

// The metrics of this process and of the telemetry itself.
var (
	Memory = Metric{
		"memory_bytes",
		"Resident memory of this process; outside Linux, memory that the Go runtime holds.",
		Gauge, nil,
	}
	MemoryLimit = Metric{
		"memory_limit_bytes",
		"Memory that this process may use; absent if no limit is known.",
		Gauge, nil,
	}
	LabelOverflow = Metric{
		"telemetry_label_overflow_total",
		"Uses of a label value beyond the limit, counted as _OTHER.",
		Counter,
		[]string{Label},
	}
	Dropped = Metric{
		"telemetry_dropped_total",
		"Telemetry that was lost, by reason.",
		Counter,
		[]string{Reason},
	}
)

// All returns every metric.
func All() []Metric {
	return []Metric{
		Processing, EndToEnd, Hop, RowAge, BatchRows, QueueWait,
		RowsRead, RowsProcessed, RowsRejected, Checks, Bytes, Errors, Retries, Blocked, Downstream,
		InFlight, QueueRows, QueueCapacity, LastRun, LastSuccess, Watermark,
		KafkaMessages, KafkaBytes, KafkaQueue, KafkaProcessing, KafkaRedelivered, KafkaOffsetGaps, KafkaErrors,
		KafkaQueued, KafkaBlocked, KafkaLag, KafkaCommittedLag, KafkaLastFetch,
		MongoDocuments, MongoErrors, MongoQueue,
		Memory, MemoryLimit, LabelOverflow, Dropped,
	}
}

// DefaultBuckets are the upper bounds, in seconds, of the classic buckets of
// durations. They are few, because each of them is a series for each outcome of
// each stage: one a decade up to ten seconds, then a minute, ten minutes, and an
// hour. A native histogram shows the rest.
var DefaultBuckets = [...]float64{0.001, 0.01, 0.1, 1, 10, 60, 600, 3600}
