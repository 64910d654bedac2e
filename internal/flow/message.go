// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import (
	"iter"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// operation is what a span does with messages.
type operation uint8

const (
	noOperation operation = iota
	sendOperation
	receiveOperation
	processOperation
	settleOperation
)

// message is what the attributes of a span say of the messages it handles.
type message struct {
	system, destination string
	operation           operation
	id                  string // messaging.message.id
	partition, offset   string
	count               int // messaging.batch.message_count; -1 if it is not set.
}

// The attributes of messages: the current names of the semantic conventions, and
// those that instrumentations of earlier versions still write.
// https://opentelemetry.io/docs/specs/semconv/messaging/
var messageSetters = map[attribute.Key]func(m *message, v attribute.Value){
	"messaging.system":                      func(m *message, v attribute.Value) { m.system = v.String() },
	"messaging.destination.name":            func(m *message, v attribute.Value) { m.destination = v.String() },
	"messaging.source.name":                 func(m *message, v attribute.Value) { m.destination = v.String() },
	"messaging.destination":                 func(m *message, v attribute.Value) { m.destination = v.String() },
	"messaging.operation.type":              func(m *message, v attribute.Value) { m.operation = operationOf(v.String()) },
	"messaging.operation":                   func(m *message, v attribute.Value) { m.operation = operationOf(v.String()) },
	"messaging.message.id":                  func(m *message, v attribute.Value) { m.id = v.String() },
	"messaging.message_id":                  func(m *message, v attribute.Value) { m.id = v.String() },
	"messaging.destination.partition.id":    func(m *message, v attribute.Value) { m.partition = v.String() },
	"messaging.kafka.destination.partition": func(m *message, v attribute.Value) { m.partition = v.String() },
	"messaging.kafka.source.partition":      func(m *message, v attribute.Value) { m.partition = v.String() },
	"messaging.kafka.partition":             func(m *message, v attribute.Value) { m.partition = v.String() },
	"messaging.kafka.offset":                func(m *message, v attribute.Value) { m.offset = v.String() },
	"messaging.kafka.message.offset":        func(m *message, v attribute.Value) { m.offset = v.String() },
	"messaging.batch.message_count":         func(m *message, v attribute.Value) { m.count = countOf(v) },
}

func operationOf(name string) operation {
	switch name {
	case "send", "publish", "create":
		return sendOperation
	case "receive", "poll":
		return receiveOperation
	case "process", "deliver":
		return processOperation
	case "settle", "commit":
		return settleOperation
	default:
		return noOperation
	}
}

// countOf returns a count that an instrumentation has written as a number or as text.
func countOf(v attribute.Value) int {
	if v.Type() == attribute.INT64 {
		return int(v.AsInt64())
	}
	if n, err := strconv.Atoi(v.String()); err == nil {
		return n
	}
	return -1
}

// messageOf returns what s says of messages. It reports false if s handles none.
func messageOf(s *Span) (message, bool) {
	m, found := message{count: -1}, false
	for _, kv := range s.Attributes {
		if set := messageSetters[kv.Key]; set != nil {
			set(&m, kv.Value)
			found = true
		}
	}
	if !found {
		return m, false
	}
	if m.operation == noOperation {
		m.operation = operationOfKind(s.Kind)
	}
	return m, true
}

// fetches reports whether s asks for messages, or settles them, and sends none.
func (s *Span) fetches() bool {
	if s.Kind != trace.SpanKindClient {
		return false
	}
	m, ok := messageOf(s)
	return ok && (m.operation == receiveOperation || m.operation == settleOperation)
}

// settles reports whether s commits or acknowledges messages.
func (s *Span) settles() bool {
	m, ok := messageOf(s)
	return ok && m.operation == settleOperation
}

func operationOfKind(kind trace.SpanKind) operation {
	switch kind {
	case trace.SpanKindProducer:
		return sendOperation
	case trace.SpanKindConsumer:
		return processOperation
	default:
		return noOperation
	}
}

// identity is what the spans of one message have in common: its place on a topic, or
// its id.
type identity struct{ system, destination, partition, id string }

// identities yields the keys by which the spans of one message find each other. A
// producer that knows the id but not the offset shares one of two keys with a
// consumer that knows both.
func (m *message) identities(yield func(identity) bool) {
	if m.destination == "" || m.count > 1 {
		return
	}
	if m.partition != "" && m.offset != "" && !yield(identity{m.system, m.destination, m.partition, m.offset}) {
		return
	}
	if m.id != "" {
		yield(identity{system: m.system, destination: m.destination, id: m.id})
	}
}

// Exchange is what a span does with messages.
type Exchange struct {
	Sends, Receives bool
	// Messages are texts that the spans of one message have in common.
	Messages []string
}

// Exchange returns what s does with messages.
func (s *Span) Exchange() Exchange {
	m, ok := messageOf(s)
	if !ok {
		return Exchange{Sends: s.Kind == trace.SpanKindProducer, Receives: s.Kind == trace.SpanKindConsumer}
	}
	e := Exchange{
		Sends:    m.operation == sendOperation,
		Receives: m.count != 0 && (m.operation == processOperation || m.operation == receiveOperation && s.Kind == trace.SpanKindConsumer),
	}
	for id := range m.identities {
		e.Messages = append(e.Messages, strings.Join([]string{id.system, id.destination, id.partition, id.id}, "\x00"))
	}
	return e
}

// differs reports whether m and other are known to be different messages.
func (m *message) differs(other *message) bool {
	own, ok := first(m.identities)
	theirs, known := first(other.identities)
	return ok && known && own != theirs
}

// first returns the first value of values, and whether there is one.
func first[T any](values iter.Seq[T]) (T, bool) {
	for v := range values {
		return v, true
	}
	var zero T
	return zero, false
}

// String names the message for a person, such as "orders[2]@815".
func (m *message) String() string {
	name := m.destination
	if m.system != "" {
		name = m.system + " " + name
	}
	switch {
	case m.offset != "" && m.partition == "":
		return name + "@" + m.offset
	case m.offset != "":
		return name + "[" + m.partition + "]@" + m.offset
	case m.id != "":
		return name + " message " + m.id
	default:
		return name
	}
}
