// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package messaging records what clients of messaging systems do with messages:
// create, send, poll, process and commit. It does not depend on a client library. A carrier
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
//	forwarded.go    what a handler forwards
//	request.go      requests of a client to its servers
//	backpressure.go what waits in a client, and how long calls are blocked
//	poll.go         calls that deliver messages
//	delivery.go     latency of a message and what is wrong with its context
//	arrival.go      the context in which a message arrives outside of spans
//	destination.go  the state of a topic or collection
//	partitions.go   lag, gaps and redeliveries of the partitions of a reader
//	polls.go        which calls are over, and how long a reader has polled
//	offsets.go      a set of offsets
//	watch.go        the lag of a group that someone looks up
//
// # Guarantees
//
// Telemetry never changes the result, the error or the order of the work. All
// calls of foreign code are in foreign.go, where a panic is stopped and reported
// as lost telemetry. What is kept is bounded.
package messaging
