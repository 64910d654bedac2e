// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"

	"github.com/waybill-go/waybill/metrics/internal/series"
	"github.com/waybill-go/waybill/observe"
)

// Metrics of others. The first come from the collectors of client_golang, the last
// from kube-state-metrics.
const (
	processCPU    = "process_cpu_seconds_total"
	goroutines    = "go_goroutines"
	gcPauses      = "go_gc_duration_seconds"
	podReady      = "kube_pod_status_ready"
	containerRuns = "kube_pod_container_status_restarts_total"
)

// onProcess joins by the labels that Prometheus gives each process. A pushed one has no
// instance.
const onProcess = "on (job, instance)"

// legendProcess names a process by its pod if it has one.
const legendProcess = "{{pod}} {{instance}}"

// runtimeSections judge the processes.
func runtimeSections(c config) []section {
	q := c.promql()
	sections := []section{
		{title: "Is anything wrong?", lines: [][]*panel{{memoryNow(q), brokerErrorsNow(q), droppedNow(q), overflowNow(q)}}},
		{title: "Do the processes have what they need?", lines: [][]*panel{
			{memory(q), cpu(q)},
			{goroutinesOf(q), gc(q)},
		}},
		{title: "Do Kafka, MongoDB and the telemetry work?", lines: [][]*panel{{brokerErrors(q), lostTelemetry(q)}}},
	}
	if !c.withoutKubernetes {
		sections = append(sections, section{
			title:     "Pods (open this where kube-state-metrics is scraped)",
			collapsed: true,
			lines:     [][]*panel{{podsReady(q), podRestarts(q)}},
		})
	}
	return sections
}

// processes returns the series of the processes that run one of the selected stages,
// or none at all.
func processes(q promql, m series.Metric) string {
	stages := q.selected(series.InFlight, "")
	all := series.InFlight.In(q.namespace)
	return fmt.Sprintf("%s unless %s (%s unless %s %s)", q.selected(m, ""), onProcess, all, onProcess, stages)
}

// ours returns the part of expr that belongs to those processes: others expose
// metrics of the same names.
func ours(q promql, expr string) string {
	return fmt.Sprintf("%s and %s (%s)", expr, onProcess, processes(q, series.Memory))
}

func memoryNow(q promql) *panel {
	used := fmt.Sprintf("max((%s) / %s (%s))", processes(q, series.Memory), onProcess, q.selected(series.MemoryLimit, ""))
	return newStat("Memory of its limit", unitShare, "no limit is known", states(0.8, 0.9), description{
		shows:  "How much of its memory limit the process uses that is nearest to its own.",
		normal: "Less than 80 %. At 100 % the kernel kills the process.",
		act:    "Find the process below. If it grows without end it leaks: take a heap profile. If it grows with the load, limit queues and batches, or raise the limit.",
	}, query{used, "used"}).decimals(0)
}

func brokerErrorsNow(q promql) *panel {
	all := fmt.Sprintf("sum(%s) + (%s)",
		or(q.rate(series.KafkaErrors, byTopic), "vector(0)"), or(fmt.Sprintf("sum(%s)", q.rate(series.MongoErrors, byCollection)), "vector(0)"))
	return newStat("Errors of Kafka and MongoDB", unitErrors, "none", states(0.1, 1), description{
		shows:  "The failed operations on Kafka, and the documents of MongoDB whose handling failed, in a second.",
		normal: "None. Some at a rebalance or an election of a leader.",
		act:    "See the operation below: fetch and commit point to the broker or to the group, send points to the broker or to the size of messages.",
	}, query{all, "errors"}).zeroIsNone().decimals(2)
}

func droppedNow(q promql) *panel {
	lost := isNot(series.Reason, observe.DropNoWaybill)
	return newStat("Telemetry dropped", unitCount, "none", states(1), description{
		shows: "The most pieces of telemetry that were dropped within one interval of the shown time. Data that arrived without a waybill is left out: " +
			"that is what data does at the entry of a flow.",
		normal: "None.",
		act: "See the reasons below; they are explained in the documentation of package observe. The data itself is not affected, only what is known " +
			"of it.",
	}, query{or(q.increase(series.Dropped, nil, matches(varInstance), lost), "vector(0)"), "dropped"}).
		worst().decimals(0).zeroIsNone()
}

func overflowNow(q promql) *panel {
	return newStat("Label overflow", unitCount, "none", states(1), description{
		shows:  "The most uses of label values beyond the limit within one interval of the shown time. They are counted as _OTHER.",
		normal: "None.",
		act: "See the label below: something puts ids, or text of the data, into it. Map the values to a few names, or raise the limit with " +
			"metrics.WithLabelLimit.",
	}, query{q.increase(series.LabelOverflow, nil, matches(varInstance)), "uses"}).
		worst().decimals(0).zeroIsNone()
}

func memory(q promql) *panel {
	return newSeries("Memory against its limit", unitBytes, description{
		shows:  "The resident memory of each process, and the limit of its container (dashed) where one is known.",
		normal: "A saw tooth below the limit.",
		act:    "A line that only rises is a leak. A cliff to zero below the limit is a restart: see the pods below.",
	},
		query{processes(q, series.Memory), legendProcess},
		query{processes(q, series.MemoryLimit), "limit of " + legendProcess}).
		dashed("B")
}

func cpu(q promql) *panel {
	return newSeries("CPU", unitCount, description{
		shows:  "The cores that each process uses.",
		normal: "Below the limit of the container, and in proportion to the rows.",
		act:    "At the limit, the process is throttled and all its stages are slow. High CPU without rows is a loop that waits actively, or garbage collection.",
	}, query{ours(q, fmt.Sprintf("rate(%s%s)", processCPU, rateInterval)), legendProcess}).decimals(2)
}

func goroutinesOf(q promql) *panel {
	return newSeries("Goroutines", unitCount, description{
		shows:  "The goroutines of each process.",
		normal: "Flat, or following the runs in flight.",
		act:    "A line that only rises is a leak of goroutines: take a goroutine profile and look for the line that most of them wait at.",
	}, query{ours(q, goroutines), legendProcess})
}

func gc(q promql) *panel {
	return newSeries("Garbage collection: pauses", unitShare, description{
		shows:  "The share of time in which each process is paused for garbage collection.",
		normal: "Far below 1 %.",
		act:    "If it grows with the memory, the process is near its limit (GOMEMLIMIT). If it grows alone, a stage allocates more for each row than before.",
	}, query{ours(q, fmt.Sprintf("rate(%s_sum%s)", gcPauses, rateInterval)), legendProcess}).decimals(3)
}

func brokerErrors(q promql) *panel {
	return newSeries("Errors by operation", unitErrors, description{
		shows:  "The failed operations on Kafka by operation, topic and type, and the failed documents of MongoDB by collection and type, in a second.",
		normal: "None. Some at a rebalance or an election of a leader.",
		act:    "The type is the name of the error. Errors of one topic point to its leader or its rights, errors of all topics point to the network.",
	},
		query{q.rate(series.KafkaErrors, by{series.Operation, series.Topic, series.ErrorType}), "{{operation}} {{topic}}: {{error_type}}"},
		query{q.rate(series.MongoErrors, by{series.Collection, series.ErrorType}), "{{collection}}: {{error_type}}"}).
		stacked()
}

func lostTelemetry(q promql) *panel {
	return newSeries("Telemetry dropped, and labels beyond their limit", unitErrors, description{
		shows:  "The telemetry that is dropped, by reason, and the uses of label values beyond the limit, by label, in a second.",
		normal: "None, and no_waybill at the entries of a flow.",
		act:    "See the two panels in the first row. Spans that the exporter of the SDK drops are not among them.",
	},
		query{q.rate(series.Dropped, by{series.Reason}, matches(varInstance)), "dropped: {{reason}}"},
		query{q.rate(series.LabelOverflow, by{series.Label}, matches(varInstance)), "beyond the limit: {{label}}"})
}

// ourPods returns the pods that our processes run in, or ran in during the shown
// time, so that a pod that is down is shown.
func ourPods(q promql) string {
	return fmt.Sprintf("on (namespace, pod) group_left () (0 * max by (namespace, pod) (max_over_time(%s%s)) + 1)",
		q.selected(series.Memory, "", isNot("pod", "")), shownRange)
}

func podsReady(q promql) *panel {
	return newSeries("Pods ready", unitCount, description{
		shows:  "Whether each pod that runs one of the processes is ready: 1 if it is, and 0 if not.",
		normal: "1. The pod of a finished job is not ready.",
		act:    "Describe the pod. Its events say whether it waits for a node, an image or its probes.",
	}, query{fmt.Sprintf(`max by (namespace, pod) (%s{condition="true"}) * %s`, podReady, ourPods(q)), "{{namespace}}/{{pod}}"}).
		none("kube-state-metrics is not scraped")
}

func podRestarts(q promql) *panel {
	return newSeries("Restarts of containers", unitCount, description{
		shows:  "The restarts of the containers of each pod within the interval.",
		normal: "None.",
		act:    "Look at the last state of the container. OOMKilled means memory: see above. An exit code means that the program ended: see its last log lines.",
	}, query{fmt.Sprintf("sum by (namespace, pod) (increase(%s%s)) * %s", containerRuns, rateInterval, ourPods(q)), "{{namespace}}/{{pod}}"}).
		none("kube-state-metrics is not scraped")
}
