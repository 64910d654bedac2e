// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package dashboards has four boards for Grafana that show the metrics of package
// metrics, and a generator that makes them for other names.
//
// # When
//
// Use it if Prometheus scrapes the metrics of your pipelines and you look at them
// with Grafana.
//
// # How
//
// Import the files of this folder into Grafana, or write them where Grafana finds
// them:
//
//	err := dashboards.Write("/var/lib/grafana/dashboards/waybill")
//
// Metrics with another namespace, or further labels, have boards of their own:
//
//	err := dashboards.Write(dir, dashboards.WithNamespace("flow"), dashboards.WithLabels("cluster"))
//
// # The boards
//
//   - flow.json (uid waybill-flow), the home: does data arrive, whole and in time,
//     and where does it spend its time?
//   - stages.json (waybill-stages): which stage fails, waits or is slow?
//   - quality.json (waybill-quality): is the data valid, complete and fresh?
//   - runtime.json (waybill-runtime): do the processes have what they need, and is
//     their telemetry complete?
//
// The first row of each answers whether anything is wrong. The description of each
// panel says what it shows, what is normal, and what to do if it is not. The
// boards link to each other and hand their variables on: datasource, pipeline,
// stage, topic, group, instance and traces. The alerts of package rules link to
// them in the same way.
//
// # Guarantees
//
//   - The boards name the metrics by the values that package metrics registers, so
//     neither can change alone.
//   - Equal options give equal bytes.
//   - A board has at most 12 panels.
//   - Each expression works with classic and with native histograms, and prefers
//     the native ones if Prometheus has both.
//   - No expression depends on the labels job or instance, except to show processes
//     one by one. The processes of a stage are taken together, and a restart does
//     not look like progress that is lost.
//   - The ages of the last run and the last success count on after a process has
//     ended, as long as the board shows a time at which it was alive.
//   - All functions are safe for concurrent use.
//
// # Limits
//
// The JSON is of the classic schema, version 42, which Grafana 12 and 13 read and
// older releases from 11 on should. The classic schema cannot hide a panel without
// data: the panels about pods, which need kube-state-metrics, are in a row that is
// closed, and [WithoutKubernetes] leaves them out.
//
// The link from an exemplar to its trace is a setting of the datasource and not of a
// board; see docs/boards.md. The links from the series of a board to traces are
// searches in Tempo.
//
// Counters that are pushed once a run have no rate. Of a pushed pipeline, the boards
// show the ages, the state of the last run and the gauges.
//
// What messages each group of consumers fetches is known for its topic only, so the
// time to read a backlog is that of all groups of the topic together.
package dashboards
