// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package envcarrier carries a trace context in the environment of a process,
// from the one that starts it to the one that is started.
//
// # When
//
// Use it where a program starts another: a command, a script, a worker, and in
// programs that are started so, in CI, by cron or in a Kubernetes Job. For the
// environment in a Kubernetes object use carriers/k8scarrier, for job parameters
// carriers/jobcarrier.
//
// # How
//
// The parent calls [Command] before it starts an [os/exec.Cmd], [Inject] for
// any other list of NAME=value, or [InjectMap] for an environment that is a map.
// The child calls [Extract] once, at its start, or [Read] to decide between
// parent and link with [propagation.Start]. A child that is a Kubernetes Job
// learns from [KubernetesJob] which one it is.
//
//	TRACEPARENT   the span of the parent process
//	TRACESTATE    what tracing vendors added to it
//	WAYBILL       when the data set out
//	BAGGAGE       only the members that WithBaggage names
//
// The names are those of OpenTelemetry's environment carriers, so a child in
// another language, or a shell script, finds them too. See [Normalize].
//
// # Guarantees
//
//   - The environment of this process is only read.
//   - Every field of the propagator is removed before it is set: a child never
//     gets the tracestate or the baggage of one span with the traceparent of
//     another, and never the context its parent was started with.
//   - A variable that is written is there once. Values are written whole or not
//     at all, and never so long or of such bytes that the process could not be
//     started.
//   - The list or map that is given is not written to, and the one that is
//     returned belongs to the caller. nil is an empty environment.
//   - Extract and Read never fail. All functions are safe for concurrent use.
//
// # Limits
//
// An environment can be read by whoever may look at the process, and every
// process that this one starts inherits it unless it is given another. So it
// carries no baggage unless asked, key by key, and a parent that cannot be
// trusted is one for [propagation.WithUntrusted].
// Names that differ only in case or punctuation are one variable: see
// [Normalize]. Baggage under keys of its own, as Jaeger and OpenTracing write
// it, is not found again.
package envcarrier
