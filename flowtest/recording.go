// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/flow"
)

// printedLines is how many lines of a flow a failure prints.
const printedLines = 200

// Recording is what was recorded of a flow, and the checks on it.
//
// Any failed check prints the flow as a tree and says where it broke. The
// methods whose names start with Require stop the test. A Recording does not
// change, but as the test's own methods may not, its checks must not be called
// from another goroutine.
type Recording struct {
	t       testing.TB
	stubs   []tracetest.SpanStub
	graph   *flow.Graph
	printed bool // Reports whether the flow has been printed.
}

// FromSpans returns a recording of spans that were recorded elsewhere, by an
// exporter of the SDK or by other processes. It keeps a copy of the slice.
func FromSpans(t testing.TB, spans ...tracetest.SpanStub) *Recording {
	t.Helper()
	return &Recording{t: t, stubs: slices.Clone(spans), graph: flow.New(convert(spans))}
}

// Tree draws spans as [Recording.Tree] does, outside of a test.
func Tree(spans ...tracetest.SpanStub) string {
	return flow.New(convert(spans)).Tree(0)
}

func convert(stubs []tracetest.SpanStub) []flow.Span {
	spans := make([]flow.Span, len(stubs))
	for i := range stubs {
		s := &stubs[i]
		spans[i] = flow.Span{
			Source:     i,
			ID:         flow.IDOf(s.SpanContext),
			Parent:     flow.IDOf(s.Parent),
			Remote:     s.Parent.IsRemote(),
			Service:    service(s.Resource),
			Name:       s.Name,
			Kind:       s.SpanKind,
			Start:      s.StartTime,
			End:        s.EndTime,
			Status:     s.Status.Code,
			Message:    s.Status.Description,
			Attributes: s.Attributes,
		}
		for _, link := range s.Links {
			spans[i].Links = append(spans[i].Links, flow.IDOf(link.SpanContext))
		}
	}
	return spans
}

// service returns the service.name of r, or "" if it has none.
func service(r *resource.Resource) string {
	name, _ := r.Set().Value("service.name")
	return name.AsString()
}

// Spans returns the recorded spans.
func (r *Recording) Spans() tracetest.SpanStubs { return slices.Clone(r.stubs) }

// Tree draws the flow: a line a span, with equal siblings folded to one.
func (r *Recording) Tree() string { return r.graph.Tree(0) }

// RequireConnected stops the test unless all spans form one flow: parents and
// links hold them together, and no span was lost. No spans are not a flow.
//
// A remote parent that was not recorded is taken for a caller outside of the
// test; a local one is a span that was lost.
func (r *Recording) RequireConnected() {
	r.t.Helper()
	if r.graph.Verdict() == flow.Broken {
		r.fatalf("RequireConnected: %s", r.graph.Summary())
	}
}

// RequireOneTrace stops the test unless all spans form one flow by their
// parents alone, so that a backend shows it as one trace.
func (r *Recording) RequireOneTrace() {
	r.t.Helper()
	if r.graph.Verdict() != flow.Connected {
		r.fatalf("RequireOneTrace: %s; want one trace", r.graph.Summary())
	}
}

// RequirePath stops the test unless the flow passed through steps in this
// order. A step is the service and the name of a span, "api POST /orders", or
// its name alone. Each step is downstream of the one before, by parents and
// links, with any number of spans in between.
func (r *Recording) RequirePath(steps ...string) {
	r.t.Helper()
	if len(steps) == 0 {
		r.fatalf("RequirePath: no steps")
		return
	}
	next := r.graph.All()
	for n, step := range steps {
		at := r.graph.Select(next, r.is(step))
		if len(at) == 0 {
			r.fatalf("RequirePath: %s", r.lost(steps, n))
			return
		}
		next = r.graph.Downstream(at)
	}
}

// lost says how the path ended before step n.
func (r *Recording) lost(steps []string, n int) string {
	at := r.named(steps[n])
	if len(at) == 0 {
		return fmt.Sprintf("step %d, %q, was not recorded%s", n+1, steps[n], r.known())
	}
	return fmt.Sprintf("step %d, %q, is not downstream of step %d, %q; it came by %s",
		n+1, steps[n], n, steps[n-1], r.graph.Path(at[0]))
}

// named returns the spans called name.
func (r *Recording) named(name string) []int {
	return r.graph.Select(r.graph.All(), r.is(name))
}

// is reports which spans are called name.
func (r *Recording) is(name string) func(i int) bool {
	return func(i int) bool { return r.graph.Spans()[i].Is(name) }
}

// known lists the spans there are.
func (r *Recording) known() string {
	spans := r.graph.Spans()
	if len(spans) == 0 {
		return ", nor was anything else"
	}
	labels := make([]string, 0, len(spans))
	for i := range spans {
		labels = append(labels, spans[i].Label())
	}
	slices.Sort(labels)
	return "; recorded: " + strings.Join(slices.Compact(labels), ", ")
}

// errorf fails the test, and prints the flow unless it has been printed.
func (r *Recording) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("flowtest: %s", r.illustrated(fmt.Sprintf(format, args...)))
}

// fatalf fails the test as errorf does, and stops it.
func (r *Recording) fatalf(format string, args ...any) {
	r.t.Helper()
	r.t.Fatalf("flowtest: %s", r.illustrated(fmt.Sprintf(format, args...)))
}

// illustrated returns text with, the first time, the flow and where it broke.
func (r *Recording) illustrated(text string) string {
	parts := []string{text}
	if !r.printed && len(r.stubs) > 0 {
		r.printed = true
		parts = append(parts, r.graph.Tree(printedLines))
		if explanation := r.graph.Explain(); explanation != "" {
			parts = append(parts, explanation)
		}
	}
	for n := range parts {
		parts[n] = strings.TrimSuffix(parts[n], "\n")
	}
	return strings.Join(parts, "\n\n")
}
