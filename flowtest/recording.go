// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/propagation"
)

// Recording holds the spans of a flow. Its methods check them.
//
// A check that fails prints the flow as a tree, and where it broke. Methods whose
// names begin with Require stop the test, so like [testing.TB.FailNow] they must be
// called from the goroutine of the test. A Recording does not change, but must not
// be used concurrently.
type Recording struct {
	t       testing.TB
	stubs   []tracetest.SpanStub
	graph   *flow.Graph
	started map[flow.ID][]uintptr      // The calls that led to the start of a span; may be nil.
	entries []propagation.JournalEntry // What was injected and extracted.
	notes   []string                   // What a failure also prints.
	printed bool                       // Reports whether the flow has been printed.
}

// FromSpans returns a recording of spans that were recorded elsewhere, such as by
// an exporter of the SDK or by another process. It keeps a copy of the slice.
func FromSpans(t testing.TB, spans ...tracetest.SpanStub) *Recording {
	t.Helper()
	return &Recording{t: t, stubs: slices.Clone(spans), graph: flow.New(convert(spans))}
}

// Tree returns spans as [Recording.Tree] draws them, for use outside of a test.
func Tree(spans ...tracetest.SpanStub) string {
	g := flow.New(convert(spans))
	return g.Diagnose(flow.Expectation{OneFlow: true}).Tree(g, 0)
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
			Scope:      s.InstrumentationScope.Name,
			Name:       s.Name,
			Kind:       s.SpanKind,
			Start:      s.StartTime,
			End:        s.EndTime,
			Status:     s.Status.Code,
			Message:    s.Status.Description,
			Attributes: s.Attributes,

			ParentUnsampled: s.Parent.IsValid() && !s.Parent.IsSampled() && s.SpanContext.IsSampled(),
		}
		spans[i].SetProcess(processOf(s.Resource))
		for _, link := range s.Links {
			spans[i].Links = append(spans[i].Links, flow.IDOf(link.SpanContext))
		}
	}
	return spans
}

func processOf(r *resource.Resource) flow.Process {
	return flow.ProcessOf(func(key string) string {
		value, _ := r.Set().Value(attribute.Key(key))
		return value.String()
	})
}

// Spans returns the recorded spans.
func (r *Recording) Spans() tracetest.SpanStubs { return slices.Clone(r.stubs) }

// Tree returns the flow as text with one line for each span. Siblings that look
// the same share a line, with their number, above all that is below them.
//
// A span is drawn below its parent, after ├─ or └─. A root that links to another
// span is drawn below that span, after ├⇢ or └⇢. A root that does not, but has a
// span below it that links to another one, is drawn below that one after ├┄ or └┄,
// and the line of the span that links ends with ⇢ and the name of the target.
func (r *Recording) Tree() string { return r.oneFlow().Tree(r.graph, 0) }

// oneFlow returns what is wrong with the flow, of which all spans are meant to be part.
func (r *Recording) oneFlow() *flow.Diagnosis {
	return r.diagnose(flow.Expectation{OneFlow: true}, flow.Warning)
}

// diagnose returns what is wrong with the recording, from a level on.
func (r *Recording) diagnose(expect flow.Expectation, least flow.Level) *flow.Diagnosis {
	expect.Journal = r.entries
	d := r.graph.Diagnose(expect)
	d.Findings = slices.DeleteFunc(d.Findings, func(f flow.Finding) bool { return f.Level < least })
	return d
}

// RequireConnected stops the test unless all spans form one flow: they are joined
// by parents and links, and the command waybill finds no violation in them, such as a
// span that was lost. A recording without spans is not connected.
//
// A remote parent that was not recorded is treated as a caller outside of the test.
// A local parent that was not recorded is a lost span.
func (r *Recording) RequireConnected() {
	r.t.Helper()
	if d := r.oneFlow(); d.Verdict() != flow.Connected && d.Verdict() != flow.Linked {
		r.fatal(d, "RequireConnected: "+d.Summary(r.graph))
	}
}

// RequireOneTrace stops the test unless parents alone join all spans to one flow,
// so that a backend shows it as one trace.
func (r *Recording) RequireOneTrace() {
	r.t.Helper()
	if d := r.oneFlow(); d.Verdict() != flow.Connected {
		r.fatal(d, "RequireOneTrace: "+d.Summary(r.graph)+"; want one trace")
	}
}

// RequirePath stops the test unless the flow passes through steps in this order. A
// step is the service and name of a span, as in "api POST /orders", or its name
// alone. Each step is downstream of the step before, by parents and links, with any
// number of spans in between.
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
			r.fatal(r.oneFlow(), "RequirePath: "+r.lost(steps, n))
			return
		}
		next = r.graph.Downstream(at)
	}
}

// lost describes why the path does not reach step n.
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

// is returns a function that reports whether span i is called name.
func (r *Recording) is(name string) func(i int) bool {
	return func(i int) bool { return r.graph.Spans()[i].Is(name) }
}

// known lists the recorded spans.
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
