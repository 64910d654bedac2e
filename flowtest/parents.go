// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/flowtest/internal/otlp"
	"github.com/waybill-go/waybill/internal/flow"
)

// parents knows which parents of received spans are yet to come: a process exports a
// parent after its children, because it ends later.
type parents struct {
	spans   map[flow.ID]bool       // Those that were started in this process or received.
	roots   map[trace.TraceID]bool // The traces of which the first span is one of them.
	missing map[flow.ID]orphan     // The parents that are not.
}

// orphan is a span of which the parent is missing.
type orphan struct {
	label   string
	isLocal bool // Reports whether the parent was in the same process.
}

func newParents() parents {
	return parents{spans: make(map[flow.ID]bool), roots: make(map[trace.TraceID]bool), missing: make(map[flow.ID]orphan)}
}

// found notes a span.
func (p *parents) found(id, parent flow.ID) {
	p.spans[id] = true
	delete(p.missing, id)
	if parent == (flow.ID{}) {
		p.roots[id.Trace] = true
	}
}

// received notes a span of another process.
func (p *parents) received(s *otlp.Span) {
	parent := flow.IDOf(s.Parent)
	p.found(flow.IDOf(s.SpanContext), parent)
	if parent != (flow.ID{}) && !p.spans[parent] {
		p.missing[parent] = orphan{label: spanOf(&s.SpanStub).Label(), isLocal: !s.Parent.IsRemote() && !s.RemoteUnknown}
	}
}

// orphans returns the spans of which the parent belongs to the flow: it was in the same
// process, or the trace began in this flow. Others are called from outside.
func (p *parents) orphans() []string {
	var labels []string
	for parent, o := range p.missing {
		if o.isLocal || p.roots[parent.Trace] {
			labels = append(labels, o.label)
		}
	}
	slices.Sort(labels)
	return labels
}
