// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flow joins spans into flows, says where a flow broke, and draws it.
//
// A flow is what its spans' parents and links hold together, however many
// traces that is. The package works on plain structs, so that spans recorded
// in this process and spans received over OTLP are treated alike.
package flow

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// ID identifies a span. The zero ID identifies none.
type ID struct {
	Trace trace.TraceID
	Span  trace.SpanID
}

// IDOf returns the ID of sc, or the zero ID if sc is not valid.
func IDOf(sc trace.SpanContext) ID {
	if !sc.IsValid() {
		return ID{}
	}
	return ID{Trace: sc.TraceID(), Span: sc.SpanID()}
}

// Span is one recorded span.
type Span struct {
	ID     ID
	Parent ID   // Zero for the root of a trace.
	Remote bool // Reports whether the parent was in another process.
	// RemoteUnknown reports that the recording does not say where the parent was.
	RemoteUnknown bool
	// ParentUnsampled reports that the parent was not sampled, though the span was.
	ParentUnsampled bool
	Language        Language // Of its process.
	Links           []ID

	Service    string
	Instance   string // Tells the processes of a service apart; may be empty.
	Job        string // The Kubernetes Job that its process runs in; may be empty.
	Scope      string // The instrumentation scope; may be empty.
	Name       string
	Kind       trace.SpanKind
	Start      time.Time
	End        time.Time // Zero while the span is open.
	Status     codes.Code
	Message    string // Describes an error status.
	Attributes []attribute.KeyValue

	Source int // The caller's own number for the span.
}

// Label returns the service and the name of the span for a person: once if they are the
// same.
func (s *Span) Label() string {
	if s.Service == s.Name {
		return s.Name
	}
	return s.qualified()
}

// qualified returns the service and the name of the span, as a path names it.
func (s *Span) qualified() string {
	if s.Service == "" {
		return s.Name
	}
	return s.Service + " " + s.Name
}

// Is reports whether name is the span's name, or its service and its name.
func (s *Span) Is(name string) bool {
	return name == s.Name || name == s.qualified()
}

// Attribute returns the value of the attribute key and whether it is set.
func (s *Span) Attribute(key string) (attribute.Value, bool) {
	for _, kv := range s.Attributes {
		if string(kv.Key) == key {
			return kv.Value, true
		}
	}
	return attribute.Value{}, false
}

// attribute returns the text of the first of keys that is set, or "".
func (s *Span) attribute(keys ...string) string {
	for _, key := range keys {
		if v, ok := s.Attribute(key); ok {
			return v.String()
		}
	}
	return ""
}

func join(system, name string) string {
	if system == "" || name == "" {
		return system + name
	}
	return system + " " + name
}
