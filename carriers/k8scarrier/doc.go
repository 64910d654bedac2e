// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package k8scarrier carries a trace context in Kubernetes objects, from the
// program that creates a Job or a Pod to the processes in it.
//
// It is a module of its own, so that the k8s.io modules reach only those who
// import it. It requires the oldest minor version that Kubernetes supports.
//
// # When
//
// Use it in code that creates Jobs or Pods: a dispatcher, a scheduler, a
// controller, an operator, a webhook. In the process that runs in them use
// carriers/envcarrier, whose Extract finds the context.
//
// # How
//
// [NewJobs] wraps the client: its Create starts a span and injects. To keep your
// client, call [InjectJob] or [InjectPodTemplate] before you create, or
// [InjectEnv] for the environment of one container. [EnvSetter] is the carrier
// for functions that want a setter, [Carrier] for those that want OpenTelemetry's
// interface. [Read] returns the context that an environment holds.
//
// By default the context goes into the environment of each container. With
// [WithAnnotations] it goes into annotations of the pod that the environment
// refers to, which [InjectAnnotations] can still change while a Job is
// suspended. [ReadAnnotations] returns it to a controller. To a webhook, which
// knows the object but not the span of its creator, it is the context to inject:
//
//	ctx = k8scarrier.ReadAnnotations(pod).Context(ctx)
//	err := k8scarrier.InjectObject(ctx, pod, k8scarrier.WithAnnotations(""), k8scarrier.WithPolicy(propagation.KeepExisting))
//
// # Guarantees
//
//   - A process gets each value as it was, or not at all: what kubelet would
//     expand is escaped, and only there, and what no process can be started with
//     is left out.
//   - An object holds one context: fields of another, in duplicates, in
//     ValueFrom or in EnvFrom, do not reach the process.
//   - The same ctx injected again changes nothing, and the order of an
//     environment depends on nothing but its input. The waybill that is there
//     stays when all else is the same, so it says when the context was first put
//     on the object.
//   - Without a valid span in ctx an object stays as it is.
//   - All functions are safe for concurrent use on different objects.
//
// # Limits
//
// All pods of a Job, all retries and all restarts of a container get the same
// context; each process starts a span of its own, so they are siblings. Objects
// that start many runs, such as a CronJob or a Deployment, are refused by
// [InjectObject]: start a new trace in each run. The template in them is not
// recognised by InjectPodTemplate.
// Containers that are added to a running pod are out of reach. Objects are
// stored, and read by whoever may look at pods, so they carry no baggage unless
// asked, key by key.
//
// # Telemetry
//
//	span         kind       attributes
//	create job   producer   k8s.namespace.name, k8s.job.name, k8s.job.uid of the created Job;
//	                        error.type: the reason of the API server, "cancelled", "timeout",
//	                        "conflict", "panic" or "_OTHER";
//	                        waybill.context_kept, true if WithPolicy kept a context that was there;
//	                        waybill.context_dropped, true if the annotations had no room for it
package k8scarrier
