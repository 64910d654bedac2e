// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package jobcarrier carries a trace context in the parameters of a job, from the
// program that starts a run to the run.
//
// # When
//
// Use it where a job service is called, such as a Databricks run-now, an Airflow
// DAG run, a Spark application, an Argo workflow, or any other that takes named
// parameters or arguments. For a Job in Kubernetes use carriers/k8scarrier; for a
// process that is started directly use carriers/envcarrier.
//
// # How
//
// Call [Inject] with the parameters and the preset of the service, and send the
// result. [InjectConf] is for the conf of an Airflow DAG run, [InjectArgs] for a
// list of arguments. [Carrier] is for functions that take an OpenTelemetry
// carrier.
//
//	params, err := jobcarrier.Inject(ctx, params, jobcarrier.Databricks())
//
// A run in Go calls [Extract] or [ExtractArgs], or [Read] or [ReadArgs] to choose
// between a parent and a link with [propagation.Start]. [TakeArgs] also removes
// the flags, for a parser that refuses those it does not know. A program that is
// given arguments and ends after its work uses package job, which does all of this.
//
// In Python, python/waybill_receiver.py of this repository is the same in one file.
// Without it, a run in Python needs three lines, here in a Databricks notebook:
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
// and with arguments, as in Argo and in Python tasks, where args are left for
// argparse:
//
//	keys = ("traceparent", "tracestate", "baggage", "waybill")
//	ours = [a for a in sys.argv[1:] if a.startswith(tuple(f"--{k}=" for k in keys))]
//	args = [a for a in sys.argv[1:] if a not in ours]
//	parent = propagate.extract(dict(a[2:].split("=", 1) for a in ours))
//	with trace.get_tracer("report").start_as_current_span("report", context=parent):
//
// Inject once, before the loop that retries the call: for an idempotency token
// that it knows, a service returns the first run, which has the first context.
//
// # Guarantees
//
//   - The caller's map or list is not modified, and its own keys win. Nil
//     parameters are empty; nil arguments stay nil.
//   - A value arrives unchanged or is not written. Only characters are written
//     that no known way to a process expands or runs: letters, digits, spaces
//     and "%*+,-./:;=@_~", and those that a preset adds. In baggage the others
//     are percent-encoded; any other value with one of them is left out, and
//     reported to the observer of [WithObserver].
//   - Parameters that a service would refuse for their size are recognized before
//     they are sent.
//   - The same context gives the same parameters, except for the time in a waybill.
//   - Extract and Read never fail; a malformed context is treated as absent.
//   - All functions are safe for concurrent use.
//
// # Limits
//
// Parameters are stored, logged, and shown to whoever may see the run, so no
// baggage is written unless selected. A retry or a repair of a run has the
// parameters of the first one; use [propagation.WithMaxAge] to link an old
// context.
package jobcarrier
