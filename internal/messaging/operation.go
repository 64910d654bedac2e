// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import "go.opentelemetry.io/otel/trace"

// Operation is what a client does with messages.
type Operation uint8

// The operations that spans and metrics are recorded for.
const (
	Create  Operation = iota // Creates a message that a call sends with others.
	Send                     // Hands messages to the broker.
	Poll                     // Receives a message from the broker.
	Process                  // Handles messages.
	Commit                   // Settles messages.
	Lag                      // Looks up the lag of a group; it has no spans.
)

var operations = [...]struct {
	name, kind string
	spanKind   trace.SpanKind
}{
	Create:  {"create", "create", trace.SpanKindProducer},
	Send:    {"send", "send", trace.SpanKindProducer},
	Poll:    {"poll", "receive", trace.SpanKindClient},
	Process: {"process", "process", trace.SpanKindConsumer},
	Commit:  {"commit", "settle", trace.SpanKindClient},
	Lag:     {"lag", "", trace.SpanKindInternal},
}

// String returns the value of messaging.operation.name.
func (op Operation) String() string { return operations[op].name }

// isConsuming reports whether op is done on behalf of a consumer group.
func (op Operation) isConsuming() bool { return op != Create && op != Send }

// spanName returns the name of a span of op at destination, which may be empty.
func (op Operation) spanName(destination string) string {
	if destination == "" {
		return op.String()
	}
	return op.String() + " " + destination
}
