// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package semconv is the one place that pins the version of the OpenTelemetry
// semantic conventions this module writes.
package semconv

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// SchemaURL identifies the version of the conventions; every instrumentation
// scope carries it.
const SchemaURL = semconv.SchemaURL

// ErrorTypeKey names the class of error an operation ended with.
const ErrorTypeKey = semconv.ErrorTypeKey

// The attributes of a resource that say whose telemetry it is.
const (
	ServiceNameKey           = semconv.ServiceNameKey
	DeploymentEnvironmentKey = semconv.DeploymentEnvironmentNameKey
)

// The attributes of a resource that say in which Job of Kubernetes, and in which pod, a
// process runs.
const (
	K8SNamespaceNameKey = semconv.K8SNamespaceNameKey
	K8SJobNameKey       = semconv.K8SJobNameKey
	K8SJobUIDKey        = semconv.K8SJobUIDKey
	K8SPodNameKey       = semconv.K8SPodNameKey
	K8SPodUIDKey        = semconv.K8SPodUIDKey
)

// K8SPodLabel returns the attribute for a label of the pod.
func K8SPodLabel(key, value string) attribute.KeyValue { return semconv.K8SPodLabel(key, value) }

// ProcessExitCode returns the attribute for the exit code of a process.
func ProcessExitCode(code int) attribute.KeyValue { return semconv.ProcessExitCode(code) }

// The event that records an exception, and its attributes.
const (
	ExceptionEvent         = semconv.ExceptionEventName
	ExceptionTypeKey       = semconv.ExceptionTypeKey
	ExceptionMessageKey    = semconv.ExceptionMessageKey
	ExceptionStacktraceKey = semconv.ExceptionStacktraceKey
)

// ErrorTypeOther is the value of [ErrorTypeKey] when no other one fits.
const ErrorTypeOther = "_OTHER"
