// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package messaging records what clients of messaging systems do with messages:
// create, send, poll, process and commit. It knows no client library. A carrier
// describes its messages to a [Recorder], which records spans, OpenTelemetry
// metrics and the events of package observe by the semantic conventions for
// messaging.
// https://opentelemetry.io/docs/specs/semconv/messaging/
//
// # Where things are
//
//	operation.go    the operations, their names and types
//	attribute.go    the keys of attributes
//	recorder.go     Config and Recorder
//	foreign.go      every call of a tracer, span, instrument, observer or user's function
//	template.go     how the spans of an operation start
//	instrument.go   the instruments and their series
//	work.go         spans that handle messages: poll, process, commit
//	sending.go      spans that create and send messages
//	delivery.go     latency of a message and what is wrong with its context
//	destination.go  what is known of a topic or collection
//	partitions.go   lag, gaps and redeliveries of the partitions of a reader
//	offsets.go      a set of offsets
//
// # Guarantees
//
// Telemetry never changes the result, the error or the order of the work. All
// calls of foreign code are in foreign.go, where a panic is stopped and reported
// as lost telemetry. What is kept is bounded.
package messaging
