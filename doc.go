// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package waybill documents this module; its functionality is in the
// subpackages.
//
// A trace ends wherever data leaves HTTP: at a Kafka topic, a MongoDB
// collection used as a queue, a Kubernetes Job created by code, a run started
// with parameters. One flow becomes many traces, and the steps in between are
// dark. This module carries the trace context, and the time the data entered
// the flow, along with the data, and records the steps.
//
// # Where to go
//
//	I have                                     use package
//	a Kafka topic (kafka-go)                   carriers/kafkacarrier
//	a MongoDB collection, a change stream      carriers/mongocarrier
//	a child process, a container               carriers/envcarrier
//	a Kubernetes Job or Pod created by code    carriers/k8scarrier (a module of its own)
//	Databricks, Airflow, Spark, Argo           carriers/jobcarrier
//	a map, a list, a header type, one string   carriers
//	a carrier nobody foresaw                   propagation: a Setter and a Getter, ten lines
//	                                           carriers/carriertest: proves them
//	steps of a pipeline                        stages
//	Prometheus, OpenTelemetry metrics          metrics
//	Grafana, Alertmanager                      metrics/dashboards, metrics/alerts, metrics/rules
//	traces that are sampled                    flowsampler
//	an observer of my own, errors to classify  observe
//	a test that must say "this is one flow"    flowtest
//
// The file docs/architecture.md shows the packages, the way of one context
// through them, and a glossary.
//
// # Guarantees
//
// Telemetry never changes the result, the error or the order of your work.
// Reading a context never fails and never logs. Nothing panics on input.
// The packages use the OpenTelemetry API only, except for flowsampler and the test
// helpers flowtest and carriers/carriertest; the SDK stays yours. The names of spans,
// attributes and metrics are part of the API.
package waybill
