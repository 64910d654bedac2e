// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package envcarrier carries a trace context in the environment of a process,
// from the process that starts it.
//
// # When
//
// Use it in a program that starts another, such as a command, a script or a
// worker, and in a program that is started in this way, for example by CI, by
// cron or in a Kubernetes Job. For the environment in a Kubernetes object use
// carriers/k8scarrier; for the parameters of a job use carriers/jobcarrier.
//
// # How
//
// The parent calls [Command] before it starts an [os/exec.Cmd], [Inject] for any
// other list of NAME=value, or [InjectMap] for an environment that is a map. The
// child calls [Extract] once, at its start, or [Read] to choose between a parent
// and a link with [propagation.Start]. For a child that is a job, package job does
// this. [KubernetesJob] returns the Kubernetes Job that a child runs in. [WriteFile] is
// for an init container, whose pod starts the next process. [Carrier] and [Map] are for
// functions that take an OpenTelemetry carrier.
//
//	TRACEPARENT   the span of the parent process
//	TRACESTATE    what tracing systems added to it
//	WAYBILL       when the data entered the flow and when it was sent
//	BAGGAGE       the members that propagation.WithBaggage selects
//
// The names are the ones that OpenTelemetry's environment carriers use, so a child in
// another language, or a shell script, finds them too. See [Normalize].
//
// # Guarantees
//
//   - The environment of this process is not modified, nor is a list or a map
//     that is an argument. A result belongs to the caller. A nil environment is
//     empty.
//   - A child never gets the tracestate or the baggage of one span with the
//     traceparent of another, and by default never the context that its parent
//     was started with.
//   - A variable is written once. A value is written whole or not at all, and not
//     at all if no process can be started with it.
//   - Extract and Read never fail; a malformed context is treated as absent.
//   - All functions are safe for concurrent use.
//
// # Limits
//
// Whoever may look at a process may read its environment, and every process that
// it starts inherits it by default. So no baggage is written unless selected. Use
// [propagation.WithUntrusted] for a parent that is not trusted.
//
// Keys that differ only in case or punctuation have one name. The keys that
// Jaeger and OpenTracing give to members of their baggage are not read.
package envcarrier
