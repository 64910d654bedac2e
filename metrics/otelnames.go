// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/semconv"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// otelName is the name of a metric in OpenTelemetry. Its translation for Prometheus,
// which writes underscores and appends the unit, is the name of the metric there.
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
type otelName struct {
	metric series.Metric
	name   string // After the namespace.
	unit   string
}

// The units of the metrics: what is counted is in braces.
const (
	unitSeconds = "s"
	unitBytes   = "By"
)

// otelNames are the names of all metrics.
var otelNames = [...]otelName{
	{series.Processing, "processing", unitSeconds},
	{series.EndToEnd, "end_to_end", unitSeconds},
	{series.Hop, "hop", unitSeconds},
	{series.RowAge, "row_age", unitSeconds},
	{series.BatchRows, "batch.rows", "{row}"},
	{series.QueueWait, "queue.wait", unitSeconds},
	{series.RowsRead, "rows.read", "{row}"},
	{series.RowsProcessed, "rows.processed", "{row}"},
	{series.RowsRejected, "rows.rejected", "{row}"},
	{series.Checks, "checks", "{row}"},
	{series.Bytes, "bytes", unitBytes},
	{series.Errors, "errors", "{run}"},
	{series.Retries, "retries", "{attempt}"},
	{series.Blocked, "blocked", unitSeconds},
	{series.Downstream, "downstream", unitSeconds},
	{series.InFlight, "in_flight", "{run}"},
	{series.QueueRows, "queue.rows", "{row}"},
	{series.QueueCapacity, "queue.capacity.rows", "{row}"},
	{series.LastRun, "last_run.timestamp", unitSeconds},
	{series.LastSuccess, "last_success.timestamp", unitSeconds},
	{series.Watermark, "watermark.timestamp", unitSeconds},
	{series.KafkaMessages, "kafka.messages", "{message}"},
	{series.KafkaBytes, "kafka.bytes", unitBytes},
	{series.KafkaQueue, "kafka.queue", unitSeconds},
	{series.KafkaProcessing, "kafka.processing", unitSeconds},
	{series.KafkaRedelivered, "kafka.redelivered", "{message}"},
	{series.KafkaOffsetGaps, "kafka.offset_gaps", "{gap}"},
	{series.KafkaErrors, "kafka.errors", "{operation}"},
	{series.KafkaQueued, "kafka.queued.messages", "{message}"},
	{series.KafkaBlocked, "kafka.blocked", unitSeconds},
	{series.KafkaLag, "kafka.lag.messages", "{message}"},
	{series.KafkaCommittedLag, "kafka.committed_lag.messages", "{message}"},
	{series.KafkaLastFetch, "kafka.last_fetch.timestamp", unitSeconds},
	{series.MongoDocuments, "mongodb.documents", "{document}"},
	{series.MongoErrors, "mongodb.errors", "{document}"},
	{series.MongoQueue, "mongodb.queue", unitSeconds},
	{series.Memory, "memory", unitBytes},
	{series.MemoryLimit, "memory.limit", unitBytes},
	{series.LabelOverflow, "telemetry.label_overflow", "{use}"},
	{series.Dropped, "telemetry.dropped", "{loss}"},
}

// in returns the name of the instrument in a namespace.
func (n otelName) in(namespace string) string { return namespace + "." + n.name }

// isWhole reports whether the values are whole numbers, as all are but times. The
// sum of such a gauge over several series has a meaning, unlike that of two points in
// time, so it is an up-down counter.
func (n otelName) isWhole() bool { return n.unit != unitSeconds }

// otelKeys are the attributes that stand for the labels: those of the spans of
// stages, and those that the semantic conventions have for messaging.
var otelKeys = map[string]attribute.Key{
	series.Pipeline:    "etl.pipeline",
	series.Stage:       "etl.stage",
	series.Source:      "etl.source",
	series.Outcome:     "etl.outcome",
	series.Reason:      "etl.reason",
	series.Direction:   "etl.direction",
	series.ErrorType:   semconv.ErrorTypeKey,
	series.Label:       "etl.label",
	series.Carrier:     "messaging.system",
	series.Check:       "etl.check",
	series.Result:      "etl.result",
	series.Group:       "messaging.consumer.group.name",
	series.Topic:       "messaging.destination.name",
	series.Partition:   "messaging.destination.partition.id",
	series.Operation:   "messaging.operation.name",
	series.Collection:  "messaging.destination.name",
	series.Destination: "messaging.destination.name",
}

// otelAttributes returns the attributes for the values of the labels of m. An empty
// value has none.
func (c config) otelAttributes(m series.Metric, values []string) attribute.Set {
	attributes := make([]attribute.KeyValue, 0, len(values))
	for i, value := range values {
		if value == "" {
			continue
		}
		key := otelKeys[m.Labels[i]]
		if c.prometheusLabels {
			key = attribute.Key(m.Labels[i])
		}
		attributes = append(attributes, key.String(value))
	}
	return attribute.NewSet(attributes...)
}
