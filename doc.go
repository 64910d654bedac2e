// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package waybill is the door to this module; the packages below it do the work.
//
// A trace ends wherever data leaves HTTP: at a Kafka topic, a MongoDB
// collection used as a queue, a Kubernetes Job made by code, a run started with
// parameters. One flow becomes many traces, and the steps in between are dark.
// A waybill travels with the data: it carries the trace context, and the time
// the data set out, so that one flow is one trace from the first producer to
// the last job, and every step of it is measured.
//
// # Where to go
//
//	I have                                     use package
//	a Kafka topic (kafka-go)                   carriers/kafkacarrier
//	a MongoDB collection, a change stream      carriers/mongocarrier
//	a child process, a container               carriers/envcarrier
//	a Kubernetes Job or Pod made by code       carriers/k8scarrier (a module of its own)
//	Databricks, Airflow, Spark, Argo           carriers/jobcarrier
//	a map, a list, a header type, one string   carriers
//	a carrier nobody foresaw                   propagation: a Setter and a Getter, ten lines
//	                                           carriers/carriertest: proves them
//	steps of a pipeline                        stages
//	Prometheus                                 metrics
//	a test that must say "this is one flow"    flowtest
//
// # Promises
//
// Telemetry never changes the result, the error or the order of your work.
// Reading a context never fails and never logs. Nothing panics on input.
// Library packages use the OpenTelemetry API only; the SDK stays yours. Names
// of spans, attributes and metrics are part of the API.
package waybill
