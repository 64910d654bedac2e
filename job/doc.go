// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package job is the main function of a job: a process that is started with a trace
// context, does its work and exits.
//
// # When
//
// Use it in a program that a Kubernetes Job, a CronJob, a workflow engine, a scheduler
// or another program runs, once for each run. For a program that you cannot change, use
// the command waybill exec, which follows the same rules. A service that runs for days
// needs neither.
//
// # How
//
// Name the pipeline, and hand the work to [Main]:
//
//	var nightly = stages.Must(stages.NewPipeline("nightly-report"))
//
//	func main() {
//		// Set up OpenTelemetry as in any program; without it, the context is passed on.
//		job.Main(nightly, run)
//	}
//
//	func run(ctx context.Context) error {
//		...
//	}
//
// [Run] is Main without signals and without an exit, for a program that has a main
// function of its own and for tests. [Read] only finds the context. [ExitCode] is the
// code that Main exits with.
//
// The context is looked for in this order:
//
//	environment    TRACEPARENT, TRACESTATE, WAYBILL, in either case; see carriers/envcarrier
//	arguments      --traceparent=VALUE and so on; see carriers/jobcarrier
//	annotations    of the pod, in a file that the downward API mounts; see [WithAnnotations]
//
// A run of a CronJob is a flow of its own, with a link to who created the CronJob, if
// k8scarrier.InjectCronJob has prepared it.
//
// Arguments are read, not taken off: a program with a strict parser calls
// jobcarrier.TakeArgs before it. Say in which Job a process runs with the resource:
//
//	info, _ := envcarrier.KubernetesJob()
//	resource.New(ctx, resource.WithFromEnv(), resource.WithAttributes(info.Attributes()...))
//
// # Guarantees
//
//   - The work gets the same arguments, environment, standard streams and directory, and
//     its error or its panic decides how the process ends.
//   - Each run has a span of its own: the pods of a Job, and their retries, are siblings.
//   - A malformed context starts a new trace, and is reported once to the error handler of
//     OpenTelemetry. No context at all is no error.
//   - Without an SDK, what the work starts or sends still continues the flow.
//   - The providers that are global in OpenTelemetry, and the tracer provider of the
//     pipeline, are flushed before the process ends, within the time of
//     stages.WithFlushTimeout, also if one of them hangs.
//   - All functions are safe for concurrent use, except that a process has one Main at
//     a time.
//
// # Limits
//
// What ends a process without a word, such as os.Exit, SIGKILL, a lack of memory, or a
// panic in another goroutine than the work's, ends it before its span is sent. Providers
// of metrics and logs that are not global are not flushed: hand their ForceFlush to
// stages.WithFlush. The span of a job whose work sets up OpenTelemetry, or shuts it down,
// is lost: do both in main. The age of a context is known only if it has a waybill.
//
// # Telemetry
//
// The service.name is that of the resource of the SDK, which OTEL_SERVICE_NAME sets; the
// name of the pipeline is the name of the span.
//
// The span of the run is that of [stages.Pipeline.Run], with its attributes and metrics,
// and has
//
//	process.exit.code    int     the code that Main exits with; 2 for a panic or Goexit
//	waybill.extract      string  ok, absent or malformed: how the search for the context ended
//	etl.attempt          int     of the Kubernetes Job, from 1, if it is known
//	waybill.job.signal   string  the signal that told the job to end, such as SIGTERM
package job
