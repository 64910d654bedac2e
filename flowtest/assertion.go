// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"reflect"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/flow"
)

// SpanAssertion checks the spans of one name. Each check must hold for every
// one of them; one that does not is reported and the test goes on.
type SpanAssertion struct {
	r     *Recording
	name  string
	spans []int
}

// Span returns the checks on the spans called name, or, as "etl-job load", on
// those of one service. It stops the test if there are none.
func (r *Recording) Span(name string) *SpanAssertion {
	r.t.Helper()
	spans := r.named(name)
	if len(spans) == 0 {
		r.fatalf("Span: %q was not recorded%s", name, r.known())
	}
	return &SpanAssertion{r: r, name: name, spans: spans}
}

// check reports the first span for which problem is not empty.
func (a *SpanAssertion) check(problem func(i int, s *flow.Span) string) *SpanAssertion {
	a.r.t.Helper()
	for _, i := range a.spans {
		s := &a.r.graph.Spans()[i]
		if text := problem(i, s); text != "" {
			a.r.errorf("span %q %s", s.Label(), text)
			break
		}
	}
	return a
}

// Kind checks the kind of the span.
func (a *SpanAssertion) Kind(want trace.SpanKind) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(_ int, s *flow.Span) string { return differs("kind", s.Kind, want) })
}

// Status checks the status code of the span.
func (a *SpanAssertion) Status(want codes.Code) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(_ int, s *flow.Span) string { return differs("status", s.Status, want) })
}

// ErrorType checks the attribute error.type.
func (a *SpanAssertion) ErrorType(want string) *SpanAssertion {
	a.r.t.Helper()
	return a.Attr("error.type", want)
}

// Attr checks that the attribute key has the value want: a string, boolean,
// number, a slice of one of these, or an [attribute.Value]. Integers of any
// size are equal to the int64 that an attribute holds, as are floats to its
// float64 and named types to the type beneath.
func (a *SpanAssertion) Attr(key string, want any) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(_ int, s *flow.Span) string {
		got, ok := s.Attribute(key)
		if !ok {
			return "has no attribute " + key + "; want " + show(plain(want))
		}
		if value := got.AsInterface(); !reflect.DeepEqual(value, plain(want)) {
			return "has " + key + " " + show(value) + "; want " + show(plain(want))
		}
		return ""
	})
}

// NoAttr checks that the attribute key is not set.
func (a *SpanAssertion) NoAttr(key string) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(_ int, s *flow.Span) string {
		if got, ok := s.Attribute(key); ok {
			return "has " + key + " " + show(got.AsInterface()) + "; want none"
		}
		return ""
	})
}

// Remote checks that the parent came from another process.
func (a *SpanAssertion) Remote() *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(_ int, s *flow.Span) string {
		switch {
		case s.Parent == flow.ID{}:
			return "has no parent; want a remote one"
		case !s.Remote:
			return "has a local parent; want a remote one"
		}
		return ""
	})
}

// ChildOf checks that the parent is a span called parent, which may be given
// as service and name.
func (a *SpanAssertion) ChildOf(parent string) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(i int, s *flow.Span) string {
		at := a.r.graph.Parent(i)
		switch {
		case s.Parent == flow.ID{}:
			return "has no parent; want " + show(parent)
		case at < 0:
			return "has a parent that was not recorded; want " + show(parent)
		case !a.r.graph.Spans()[at].Is(parent):
			return "is a child of " + show(a.r.graph.Spans()[at].Label()) + "; want " + show(parent)
		}
		return ""
	})
}

// LinkedTo checks that the span links to a span called target, which may be
// given as service and name.
func (a *SpanAssertion) LinkedTo(target string) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(i int, s *flow.Span) string {
		links := a.r.graph.Links(i)
		if len(a.r.graph.Select(links, a.r.is(target))) > 0 {
			return ""
		}
		return "does not link to " + show(target) + a.linked(s, links)
	})
}

// linked says what a span links to.
func (a *SpanAssertion) linked(s *flow.Span, links []int) string {
	if len(s.Links) == 0 {
		return "; it has no links"
	}
	if len(links) == 0 {
		return "; it links to spans that were not recorded"
	}
	return "; it links to " + show(a.r.graph.Spans()[links[0]].Label())
}

// Times checks how many spans of this name there are.
func (a *SpanAssertion) Times(want int) *SpanAssertion {
	a.r.t.Helper()
	if len(a.spans) != want {
		a.r.errorf("span %q was recorded %d×; want %d×", a.name, len(a.spans), want)
	}
	return a
}

// Stub returns the span itself. It stops the test if there are several.
func (a *SpanAssertion) Stub() tracetest.SpanStub {
	a.r.t.Helper()
	if len(a.spans) != 1 {
		a.r.fatalf("span %q was recorded %d×; Stub wants it once", a.name, len(a.spans))
		return tracetest.SpanStub{}
	}
	return a.r.stubs[a.r.graph.Spans()[a.spans[0]].Source]
}
