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

// SpanAssertion checks all spans of one name. A check fails the test at the first
// span for which it does not hold, and does not stop it.
type SpanAssertion struct {
	r     *Recording
	name  string
	spans []int
}

// Span returns checks of the spans called name, which may include the service, as
// in "etl-job load". It stops the test if there are none.
func (r *Recording) Span(name string) *SpanAssertion {
	r.t.Helper()
	spans := r.named(name)
	if len(spans) == 0 {
		r.fatalf("Span: %q was not recorded%s", name, r.known())
	}
	return &SpanAssertion{r: r, name: name, spans: spans}
}

// check fails the test at the first span for which problem returns a text.
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

// Attr checks that the attribute key has the value want, which is a string, a
// boolean, a number, a slice of one of these, or an [attribute.Value]. Integers,
// floats and named types are converted to the type that an attribute stores.
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

// NoAttr checks that the span has no attribute key.
func (a *SpanAssertion) NoAttr(key string) *SpanAssertion {
	a.r.t.Helper()
	return a.check(func(_ int, s *flow.Span) string {
		if got, ok := s.Attribute(key); ok {
			return "has " + key + " " + show(got.AsInterface()) + "; want none"
		}
		return ""
	})
}

// Remote checks that the parent of the span is in another process.
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

// ChildOf checks that the parent of the span is called parent, which may include
// the service.
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

// LinkedTo checks that the span links to a span called target, which may include
// the service.
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

// linked describes what a span links to.
func (a *SpanAssertion) linked(s *flow.Span, links []int) string {
	if len(s.Links) == 0 {
		return "; it has no links"
	}
	if len(links) == 0 {
		return "; it links to spans that were not recorded"
	}
	return "; it links to " + show(a.r.graph.Spans()[links[0]].Label())
}

// Times checks that there are want spans of this name.
func (a *SpanAssertion) Times(want int) *SpanAssertion {
	a.r.t.Helper()
	if len(a.spans) != want {
		a.r.errorf("span %q was recorded %d×; want %d×", a.name, len(a.spans), want)
	}
	return a
}

// Stub returns the recorded span. It stops the test if there is more than one.
func (a *SpanAssertion) Stub() tracetest.SpanStub {
	a.r.t.Helper()
	if len(a.spans) != 1 {
		a.r.fatalf("span %q was recorded %d×; Stub wants it once", a.name, len(a.spans))
		return tracetest.SpanStub{}
	}
	return a.r.stubs[a.r.graph.Spans()[a.spans[0]].Source]
}
