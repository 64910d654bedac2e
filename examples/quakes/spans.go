// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/page"
)

// recorded is what the spans of a run form, and what is wrong with it.
//
// This module is part of the repository, so it may draw the flow with the packages
// that the command and flowtest use. A program of another module runs the command:
// "waybill report spans.jsonl" makes the same page.
type recorded struct {
	graph     *flow.Graph
	diagnosis *flow.Diagnosis
}

// flowOf joins the received spans.
func flowOf(received []ptrace.Traces) recorded {
	var spans []flow.Span
	for _, traces := range received {
		for _, resource := range traces.ResourceSpans().All() {
			process := flow.ProcessOf(func(key string) string {
				if value, ok := resource.Resource().Attributes().Get(key); ok {
					return value.AsString()
				}
				return ""
			})
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					s := spanOf(span)
					s.Scope = scope.Scope().Name()
					s.SetProcess(process)
					spans = append(spans, s)
				}
			}
		}
	}
	graph := flow.New(spans)
	return recorded{graph, graph.Diagnose(flow.Expectation{})}
}

// remoteFlag is set in the flags of a span whose parent is in another process.
// https://opentelemetry.io/docs/specs/otel/protocol/ (span flags)
const remoteFlag = 0x200

func spanOf(span ptrace.Span) flow.Span {
	s := flow.Span{
		ID:      idOf(span.TraceID(), span.SpanID()),
		Remote:  span.Flags()&remoteFlag != 0,
		Name:    span.Name(),
		Kind:    trace.SpanKind(span.Kind()),
		Start:   span.StartTimestamp().AsTime(),
		End:     span.EndTimestamp().AsTime(),
		Message: span.Status().Message(),
	}
	if !span.ParentSpanID().IsEmpty() {
		s.Parent = idOf(span.TraceID(), span.ParentSpanID())
	}
	if span.Status().Code() == ptrace.StatusCodeError {
		s.Status = codes.Error
	}
	for _, link := range span.Links().All() {
		s.Links = append(s.Links, idOf(link.TraceID(), link.SpanID()))
	}
	for key, value := range span.Attributes().All() {
		s.Attributes = append(s.Attributes, attribute.String(key, value.AsString()))
	}
	return s
}

// summary says in one line what the spans form.
func (r recorded) summary() string { return r.diagnosis.Summary(r.graph) }

// findings returns what is wrong, without what may be as it should be.
func (r recorded) findings() []flow.Finding {
	return slices.DeleteFunc(slices.Clone(r.diagnosis.Findings), func(f flow.Finding) bool { return f.Level == flow.Info })
}

// writePage writes the flow as one HTML page.
func (r recorded) writePage(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(page.Write(f, page.Report{Title: "quakes", Graph: r.graph, Diagnosis: r.diagnosis}), f.Close())
}

func idOf(traceID pcommon.TraceID, spanID pcommon.SpanID) flow.ID {
	return flow.ID{Trace: trace.TraceID(traceID), Span: trace.SpanID(spanID)}
}

// traceOf is one trace of a flow.
type traceOf struct {
	id    trace.TraceID
	spans int
	first string // The service and the name of its first span.
}

// tracesOf returns the traces of a flow, in order of their start.
func tracesOf(graph *flow.Graph) []traceOf {
	var traces []traceOf
	number := map[trace.TraceID]int{}
	spans := graph.Spans()
	for _, i := range graph.All() {
		id := spans[i].ID.Trace
		n, ok := number[id]
		if !ok {
			n = len(traces)
			number[id] = n
			traces = append(traces, traceOf{id: id, first: spans[i].Label()})
		}
		traces[n].spans++
	}
	return traces
}
