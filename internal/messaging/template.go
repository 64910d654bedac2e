// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// class is what spans have in common that start alike.
type class struct {
	op          Operation
	kind        trace.SpanKind
	destination string // Empty if there are several.
	partition   int    // -1 if there are several, or none.
}

// template is how the spans of a class start. It is made once, so that starting
// a span allocates nothing of its own.
type template struct {
	name    string
	options []trace.SpanStartOption
	related []propagation.StartOption // The same for propagation.Start, and Config.Start of consumers.
}

func (r *Recorder) newTemplate(c class) *template {
	attributes := append(make([]attribute.KeyValue, 0, 12), keySystem.String(r.cfg.System),
		keyOperationName.String(c.op.String()), keyOperationType.String(operations[c.op].kind))
	name, isTemplate := r.nameOf(c.destination)
	if c.destination != "" {
		attributes = append(attributes, DestinationName(c.destination))
	}
	if isTemplate {
		attributes = append(attributes, keyTemplate.String(name))
	}
	if c.partition >= 0 {
		attributes = append(attributes, PartitionID(c.partition))
	}
	if r.cfg.Group != "" && c.op.isConsuming() {
		attributes = append(attributes, keyConsumerGroup.String(r.cfg.Group))
	}
	attributes = append(attributes, r.common...)
	t := &template{
		name:    c.op.spanName(name),
		options: []trace.SpanStartOption{trace.WithSpanKind(c.kind), trace.WithAttributes(attributes...)},
	}
	t.related = []propagation.StartOption{propagation.WithSpanOptions(t.options...)}
	if c.op.isConsuming() {
		t.related = append(t.related, r.cfg.Start...)
	}
	t.related = slices.Clip(t.related)
	return t
}

func (r *Recorder) templateOf(c class) *template {
	if t, ok := r.templates.Get(c); ok {
		return t
	}
	return r.newTemplate(c)
}

// linked returns the options of a span with a link to the given one, if that is
// valid.
func (t *template) linked(to trace.SpanContext) []trace.SpanStartOption {
	if !to.IsValid() {
		return t.options
	}
	return append(slices.Clip(t.options), trace.WithLinks(trace.Link{SpanContext: to}))
}
