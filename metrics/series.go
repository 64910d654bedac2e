// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the metrics, without their namespace.
const (
	processingSeconds    = "processing_seconds"
	rowsRead             = "rows_read_total"
	rowsProcessed        = "rows_processed_total"
	rowsRejected         = "rows_rejected_total"
	bytesTotal           = "bytes_total"
	errorsTotal          = "errors_total"
	retriesTotal         = "retries_total"
	inFlight             = "in_flight"
	lastRunTimestamp     = "last_run_timestamp_seconds"
	lastSuccessTimestamp = "last_success_timestamp_seconds"
	watermarkTimestamp   = "watermark_timestamp_seconds"
	memoryBytes          = "memory_bytes"
	labelOverflow        = "telemetry_label_overflow_total"
	telemetryDropped     = "telemetry_dropped_total"
	endToEndSeconds      = "end_to_end_seconds"
	hopSeconds           = "hop_seconds"
)

// The names of the labels.
const (
	labelPipeline  = "pipeline"
	labelStage     = "stage"
	labelSource    = "source"
	labelOutcome   = "outcome"
	labelReason    = "reason"
	labelDirection = "direction"
	labelErrorType = "error_type"
	labelLabel     = "label"
	labelCarrier   = "carrier"

	labelGroup     = "group"
	labelTopic     = "topic"
	labelPartition = "partition"
	labelOperation = "operation"

	labelCollection = "collection"

	labelDestination = "destination"
)

// ownLabels may not be constant labels.
var ownLabels = [...]string{
	labelPipeline, labelStage, labelSource, labelOutcome, labelReason, labelDirection, labelErrorType, labelLabel,
	labelCarrier, labelGroup, labelTopic, labelPartition, labelOperation, labelCollection, labelDestination, "le", "quantile",
}

const (
	// The native histogram has buckets at most a tenth wider than the one
	// before, and when it has too many it is reset, or made coarser if the last
	// reset was less than an hour ago.
	nativeBucketFactor = 1.1
	nativeMaxBuckets   = 160
	nativeMinReset     = time.Hour
)

// series are all metrics of one [Metrics].
type series struct {
	processing, endToEnd, hop *prometheus.HistogramVec

	rowsRead, rowsProcessed, rowsRejected, bytes, errors, retries *prometheus.CounterVec

	inFlight, lastRun, lastSuccess, watermark *prometheus.GaugeVec

	kafka   kafkaSeries
	mongodb mongoSeries

	labelOverflow, dropped *prometheus.CounterVec

	all []prometheus.Collector
}

func newSeries(c config) *series {
	s := &series{}
	s.processing = s.histogram(c, processingSeconds, "Time that the function of a stage took, by how it ended.", stageLabels(labelOutcome))
	s.endToEnd = s.histogram(c, endToEndSeconds, "Time since data entered the flow, when a stage is done with it or it arrives from a destination.", stageLabels(labelDestination))
	s.hop = s.histogram(c, hopSeconds, "Time since data was sent, when it arrives from a destination.", stageLabels(labelCarrier, labelDestination))
	s.rowsRead = s.counter(c, rowsRead, "Rows that came into a stage.", stageLabels(labelSource))
	s.rowsProcessed = s.counter(c, rowsProcessed, "Rows that came out of a stage well.", stageLabels(labelSource))
	s.rowsRejected = s.counter(c, rowsRejected, "Rows that a stage turned away.", stageLabels(labelReason))
	s.bytes = s.counter(c, bytesTotal, "Bytes that came into a stage (in) or went out of it (out).", stageLabels(labelDirection))
	s.errors = s.counter(c, errorsTotal, "Runs of a stage that ended with a failure, a timeout or a panic.", stageLabels(labelErrorType))
	s.retries = s.counter(c, retriesTotal, "Attempts after the first within runs of a stage.", stageLabels())
	s.inFlight = s.gauge(c, inFlight, "Runs of a stage that have not ended.", stageLabels())
	s.lastRun = s.gauge(c, lastRunTimestamp, "Unix time at which a run of a stage last ended.", stageLabels())
	s.lastSuccess = s.gauge(c, lastSuccessTimestamp, "Unix time at which a run of a stage last succeeded.", stageLabels())
	s.watermark = s.gauge(c, watermarkTimestamp, "Event time up to which a stage has seen all data.", stageLabels())
	s.kafka = newKafkaSeries(s, c)
	s.mongodb = newMongoSeries(s, c)
	s.labelOverflow = s.counter(c, labelOverflow, "Uses of a label value beyond the limit, counted as _OTHER.", []string{labelLabel})
	s.dropped = s.counter(c, telemetryDropped, "Telemetry that was lost, by reason.", []string{labelReason})
	keep(s, newMemory(c))
	return s
}

// stageLabels are the labels that identify a stage, and others.
func stageLabels(others ...string) []string {
	return append([]string{labelPipeline, labelStage}, others...)
}

func (s *series) counter(c config, name, help string, labels []string) *prometheus.CounterVec {
	return keep(s, prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.name(name), Help: help, ConstLabels: c.constLabels}, labels))
}

func (s *series) gauge(c config, name, help string, labels []string) *prometheus.GaugeVec {
	return keep(s, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: c.name(name), Help: help, ConstLabels: c.constLabels}, labels))
}

func (s *series) histogram(c config, name, help string, labels []string) *prometheus.HistogramVec {
	return keep(s, prometheus.NewHistogramVec(c.histogram(name, help), labels))
}

func keep[C prometheus.Collector](s *series, collector C) C {
	s.all = append(s.all, collector)
	return collector
}

func (c config) histogram(name, help string) prometheus.HistogramOpts {
	opts := prometheus.HistogramOpts{Name: c.name(name), Help: help, ConstLabels: c.constLabels, Buckets: c.buckets}
	if !c.withoutNative {
		opts.NativeHistogramBucketFactor = nativeBucketFactor
		opts.NativeHistogramMaxBucketNumber = nativeMaxBuckets
		opts.NativeHistogramMinResetDuration = nativeMinReset
	}
	return opts
}
