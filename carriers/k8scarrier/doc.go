// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package k8scarrier carries a trace context in Kubernetes objects, from the
// program that creates a Job or a Pod to the processes in it.
//
// It is a module of its own, so that a program that does not import it does not
// require the k8s.io modules. It requires the oldest minor version that Kubernetes
// supports.
//
// # When
//
// Use it in code that creates Jobs or Pods, such as a dispatcher, a scheduler, a
// controller, an operator or a webhook. The process in the pod uses package job, or
// carriers/envcarrier, whose Extract reads the context.
//
// # How
//
// [NewJobs] wraps the client: its Create starts a span and injects the context of
// it. To keep your client, call [InjectJob] or [InjectPodTemplate] before you
// create an object, [InjectObject] if it is of any kind or of the dynamic client,
// or [InjectEnv] for the environment of one container. [EnvSetter] and [Carrier]
// are for functions that take an accessor or an OpenTelemetry carrier. [Extract]
// and [Read] return the context that an environment holds.
//
// By default the context is written to the environment of each container. With
// [WithAnnotations] it is written to annotations of the pod that the environment
// refers to, which [InjectAnnotations] can change while a Job is suspended. With
// [WithContextFile] an init container hands its own context to the containers after it.
// [ReadAnnotations] returns the context to a controller, and to a webhook, which
// knows the object but not the span of its creator:
//
//	ctx = k8scarrier.ReadAnnotations(pod).Context(ctx)
//	err := k8scarrier.InjectObject(ctx, pod, k8scarrier.WithAnnotations(""),
//		k8scarrier.WithPropagation(propagation.WithPolicy(propagation.KeepExisting)))
//
// [StripAnnotations] lets a controller compare or hash annotations without the context.
// For objects of other kinds, [WithPodTemplatePath] and [WithContainerPath] say where
// their containers are. [WithObserver] counts what the limits leave out.
//
// # Guarantees
//
//   - A process gets each value unchanged or not at all. Text that kubelet would
//     expand is escaped, and only there.
//   - An object holds one context after an injection: another one, in any
//     container, in duplicates, in ValueFrom, in EnvFrom or in annotations, is
//     replaced.
//   - Another injection of the same context changes nothing, and the order of an
//     environment depends only on the input. The waybill of the first injection
//     stays.
//   - If a function returns an error, the object is unchanged and can be created
//     without the context.
//   - A function that modifies an object replaces environments and annotations, and
//     does not write to those that were there, which other objects may share. It
//     writes to the containers, so inject into a deep copy of an object of a cache.
//   - Extract, Read and ReadAnnotations never fail; a malformed context is treated
//     as absent.
//   - All functions are safe for concurrent use on different objects.
//
// # Limits
//
// All pods of a Job, all containers and retries, and all restarts of a container get the
// same context, unless [WithContextFile] is given. Each process starts a span of its
// own, so these are siblings. Objects that start many runs, such as a CronJob or a
// Deployment, are refused by [InjectObject]: each run is a flow of its own.
// [InjectCronJob] makes the runs of a CronJob link to who created it.
// [InjectPodTemplate] does not recognize the template of such an object. Containers that
// are added to a running pod cannot be reached. Objects are stored, and read by whoever
// may see pods, so no baggage is written unless selected.
//
// # Telemetry
//
//	span         kind       attributes
//	create job   producer   k8s.namespace.name, k8s.job.name, k8s.job.uid of the created Job;
//	                        error.type: the reason of the API server, such as "Forbidden", or
//	                        another class of the error, such as "canceled", "timeout", "conflict" or "panic";
//	                        the status of the span is not Error for "AlreadyExists" and "canceled";
//	                        waybill.context_kept, true if a context that was there was kept;
//	                        waybill.context_dropped, true if the Job was created without the context
//	apply job    producer   the same, the first time that a Job is applied
//
// The text of an error is recorded with [WithErrorDescription] only.
package k8scarrier
