// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package operations_test

import (
	"github.com/waybill-go/waybill/internal/e2e/pipeline"
	"github.com/waybill-go/waybill/metrics/rules"
)

// The pipeline that has no fault, and the one that has one all the time.
const (
	calm   = "calm"
	broken = "broken"
)

// trial is a fault of a pipeline, and the alerts that it raises.
type trial struct {
	pipeline string
	isJob    bool        // Reports whether the pipeline is a job and not a worker.
	cause    string      // For the page of the documentation.
	inject   func(*site) // Makes it happen.
	remove   func(*site) // Takes it away.
	alarms   []alarm     // That must fire, and resolve.
	also     []string    // Names of alerts that may fire too.
}

// alarm is an alert of a trial.
type alarm struct {
	alert  string
	labels map[string]string // That tell it from those of other trials.
	panel  string            // That shows it, after its board.
}

// trials hold each alert at least once.
var trials = []trial{
	{
		pipeline: "failing", cause: "half of the runs of a stage fail",
		inject: set("failing", pipeline.Fail, 0.5), remove: set("failing", pipeline.Fail, 0),
		alarms: []alarm{
			{rules.AlertErrorRatio, labels("pipeline", "failing", "stage", "load", "severity", "critical"), "Waybill / Stages / Failing stages"},
			{rules.AlertErrorSurge, labels("pipeline", "failing", "stage", "load"), "Waybill / Stages / Errors by type"},
		},
	},
	{
		pipeline: "hanging", cause: "a stage does not return",
		inject: set("hanging", pipeline.Hang, 1), remove: set("hanging", pipeline.Hang, 0),
		alarms: []alarm{{rules.AlertStageStuck, labels("pipeline", "hanging", "stage", "load"), "Waybill / Stages / Stages without progress"}},
		also:   []string{rules.AlertBacklog, rules.AlertLatency},
	},
	{
		pipeline: "slow", cause: "a stage takes more than a second for each batch",
		inject: set("slow", pipeline.Slow, 1.2), remove: set("slow", pipeline.Slow, 0),
		alarms: []alarm{
			{rules.AlertLatency, labels("pipeline", "slow", "severity", "critical"), "Waybill / Flow / End-to-end latency"},
			{rules.AlertObjectiveBurn, labels("pipeline", "slow", "severity", "critical"), "Waybill / Flow / End-to-end latency"},
		},
	},
	{
		pipeline: "stopped", cause: "the consumer is stopped",
		inject: func(s *site) { s.workers["stopped"].Stop() }, remove: func(s *site) { s.workers["stopped"].Start() },
		alarms: []alarm{{rules.AlertBacklog, labels("group", "stopped", "severity", "critical"), "Waybill / Flow / Lag: time to read the backlog"}},
		also:   []string{rules.AlertLatency},
	},
	{
		pipeline: "behind", cause: "the consumer is slower than the producer",
		inject: func(s *site) {
			s.workers["behind"].Set("behind", pipeline.Slow, 2)
			s.source.Set("behind", pipeline.Rush, 80)
		},
		remove: func(s *site) {
			s.workers["behind"].Set("behind", pipeline.Slow, 0)
			s.source.Set("behind", pipeline.Rush, 0)
		},
		alarms: []alarm{{rules.AlertBacklog, labels("group", "behind", "severity", "warning"), "Waybill / Flow / Lag: time to read the backlog"}},
		also:   []string{rules.AlertLatency},
	},
	{
		pipeline: "poisoned", cause: "half of the rows are invalid",
		inject: func(s *site) { s.source.Set("poisoned", pipeline.Poison, 0.5) },
		remove: func(s *site) { s.source.Set("poisoned", pipeline.Poison, 0) },
		alarms: []alarm{{rules.AlertRejectRatio, labels("pipeline", "poisoned", "stage", "validate"), "Waybill / Data quality / Valid share"}},
	},
	{
		pipeline: "deleted", cause: "messages are deleted before the consumer has read them",
		inject: func(s *site) {
			s.workers["deleted"].Set("deleted", pipeline.Hang, 1)
			s.source.Set("deleted", pipeline.Rush, 200)
			s.prometheus[0].await(s.t, `sum(max by (partition) (etl_kafka_committed_lag_messages{topic="deleted"})) > 500`)
			s.kafka.DeleteRecords("deleted")
			s.source.Set("deleted", pipeline.Rush, 0)
			s.workers["deleted"].Set("deleted", pipeline.Hang, 0)
		},
		remove: func(*site) {},
		alarms: []alarm{{rules.AlertDataLoss, labels("topic", "deleted", "signal", "gaps"), "Waybill / Flow / Lost: gaps in the offsets"}},
		also:   []string{rules.AlertBacklog, rules.AlertLatency, rules.AlertStageStuck},
	},
	{
		pipeline: "expired", cause: "messages are deleted while no consumer runs",
		inject: func(s *site) {
			s.workers["expired"].Stop()
			s.source.Set("expired", pipeline.Rush, 200)
			s.prometheus[0].await(s.t, `sum(max by (partition) (etl_kafka_committed_lag_messages{topic="expired"})) > 500`)
			s.kafka.DeleteRecords("expired")
			s.source.Set("expired", pipeline.Rush, 0)
			s.workers["expired"].Start()
		},
		remove: func(*site) {},
		alarms: []alarm{{rules.AlertDataLoss, labels("topic", "expired", "signal", "missing"), "Waybill / Data quality / Messages sent and fetched"}},
		also:   []string{rules.AlertBacklog, rules.AlertLatency},
	},
	{
		pipeline: "killed", cause: "the process is killed with SIGKILL",
		inject: func(s *site) { s.workers["killed"].Kill() }, remove: func(s *site) { s.workers["killed"].Start() },
		alarms: []alarm{{rules.AlertNotFresh, labels("pipeline", "killed", "stage", "load"), "Waybill / Flow / Fresh: time since the last success"}},
		also:   []string{rules.AlertBacklog, rules.AlertLatency},
	},
	{
		pipeline: "frozen", cause: "the event times of the rows stand still",
		inject: func(s *site) { s.source.Set("frozen", pipeline.Freeze, 1) },
		remove: func(s *site) { s.source.Set("frozen", pipeline.Freeze, 0) },
		alarms: []alarm{{rules.AlertWatermarkStuck, labels("pipeline", "frozen", "stage", "load"), "Waybill / Data quality / Watermark delay of each stage"}},
	},
	{
		pipeline: "hoarding", cause: "the memory of a process is near its limit",
		inject: set("hoarding", pipeline.Hoard, 0.95*pipeline.MemoryLimit), remove: set("hoarding", pipeline.Hoard, 0),
		alarms: []alarm{{rules.AlertMemory, nil, "Waybill / Runtime / Memory against its limit"}},
	},
	{
		pipeline: "exploding", cause: "each rejected row has a reason of its own",
		inject: set("exploding", pipeline.Explode, 1), remove: set("exploding", pipeline.Explode, 0),
		alarms: []alarm{{rules.AlertTelemetryLost, labels("label", "reason"), "Waybill / Runtime / Label overflow"}},
		also:   []string{rules.AlertRejectRatio},
	},
	{
		pipeline: "ahead", cause: "the event times of the rows are in the future",
		inject: func(s *site) { s.source.Set("ahead", pipeline.Ahead, 3600) },
		remove: func(s *site) { s.source.Set("ahead", pipeline.Ahead, 0) },
		alarms: []alarm{{rules.AlertTelemetryLost, labels("reason", "watermark"), "Waybill / Runtime / Telemetry dropped"}},
		also:   []string{rules.AlertWatermarkStuck},
	},
	{
		pipeline: "nightly", isJob: true, cause: "a job is not started any more",
		inject: func(s *site) { s.jobs["nightly"].set(true, false) }, remove: func(s *site) { s.jobs["nightly"].set(false, false) },
		alarms: []alarm{{rules.AlertNotFresh, labels("pipeline", "nightly", "stage", "report"), "Waybill / Flow / Fresh: time since the last success"}},
	},
	{
		pipeline: "hourly", isJob: true, cause: "a job fails each time",
		inject: func(s *site) { s.jobs["hourly"].set(false, true) }, remove: func(s *site) { s.jobs["hourly"].set(false, false) },
		alarms: []alarm{{rules.AlertNotFresh, labels("pipeline", "hourly", "stage", "report"), "Waybill / Flow / Fresh: time since the last success"}},
		// Each run pushes the counts of a new process. Only native histograms tell them
		// apart, if they differ, so that the failures add up.
		also: []string{rules.AlertErrorRatio},
	},
}

// set returns a function that injects a fault into the worker of a pipeline.
func set(name string, fault pipeline.Fault, value float64) func(*site) {
	return func(s *site) { s.workers[name].Set(name, fault, value) }
}

func labels(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}
