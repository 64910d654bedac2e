// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package jobcarrier carries a trace context in the parameters of a job, from
// the program that triggers a run to the run.
//
// # When
//
// Use it where a job service is called: a Databricks run-now, an Airflow DAG
// run, a Spark application, an Argo workflow, or any other that takes named
// parameters or arguments. For a Job made in Kubernetes use carriers/k8scarrier,
// for a process that is started directly carriers/envcarrier.
//
// # How
//
// Give [Inject] the parameters and the preset of the service, and send what it
// returns. [InjectConf] does it for the conf of an Airflow DAG run, and
// [InjectArgs] for a list of arguments. [Carrier] is for functions that want
// OpenTelemetry's interface.
//
//	params, err := jobcarrier.Inject(ctx, params, jobcarrier.Databricks())
//
// A run in Go takes it off with [Extract] or [ExtractArgs], or with [Read] or
// [ReadArgs] to decide between parent and link with [propagation.Start]. A run
// in Python needs three lines, here in a Databricks notebook:
//
//	from opentelemetry import propagate, trace
//	parent = propagate.extract(dbutils.widgets.getAll())
//	with trace.get_tracer("report").start_as_current_span("report", context=parent):
//
// in an Airflow task:
//
//	from opentelemetry import propagate, trace
//	parent = propagate.extract(dag_run.conf or {})
//	with trace.get_tracer("report").start_as_current_span("report", context=parent):
//
// in the driver of a Spark application:
//
//	keys = ("traceparent", "tracestate", "baggage")
//	parent = propagate.extract({k: spark.conf.get("spark.waybill." + k, "") for k in keys})
//	with trace.get_tracer("report").start_as_current_span("report", context=parent):
//
// and with arguments, which Argo and Python tasks have:
//
//	flags = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a)
//	parent = propagate.extract(flags)
//	with trace.get_tracer("report").start_as_current_span("report", context=parent):
//
// Inject once, before the loop that retries the call: a service that knows an
// idempotency token returns the first run, which has the first context.
//
// # Guarantees
//
//   - The caller's map or list is not changed, and its own keys win. nil
//     parameters are none; nil arguments stay nil.
//   - A value arrives as it was or is not written. What no known way to a process
//     expands or runs is safe: letters, digits, spaces and "%*+,-./:;=@_~". All
//     else is percent-encoded in baggage, and another value with it is left out,
//     also without a preset.
//   - Parameters that a service would refuse for their size are found out before
//     they are sent.
//   - Extract and Read never fail. All functions are safe for concurrent use.
//
// # Limits
//
// Parameters are stored, shown to whoever may see the run, and logged, so they
// carry no baggage unless asked, key by key. A retry or a repair of a run has
// the parameters of the first one: make a link of a context that is old, with
// [propagation.WithMaxAge].
package jobcarrier
