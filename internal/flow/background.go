// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "go.opentelemetry.io/otel/trace"

// The work of a handler that starts its spans from context.Background leaves roots, each
// within the span of the handler. A timer leaves roots too, some of which are within such
// a span by chance.
const (
	minBackground      = 3   // Roots that make a finding.
	minBackgroundShare = 0.5 // The share of the handlers that have one.
)

// look is what spans of a process look like.
type look struct {
	instance
	name string
}

func (s *Span) look() look { return look{s.instance(), s.Name} }

// within is roots that are within handlers.
type within struct{ handler, root look }

// findBackground finds roots that lost the context inside of a process: P19. A root
// within a handler is lost if all that look like it are, and most handlers have one.
func (s *search) findBackground() {
	handlers, roots := make(map[look]int), make(map[within]int)
	outside := make(map[look]bool)
	for _, i := range s.g.order {
		switch look := s.g.spans[i].look(); {
		case s.handles(i):
			handlers[look]++
		case !s.isRootOfWork(i):
		default:
			if handler := s.handlerAround(i); handler != none {
				roots[within{s.g.spans[handler].look(), look}]++
			} else {
				outside[look] = true
			}
		}
	}
	for _, i := range s.g.order {
		look := s.g.spans[i].look()
		if !s.isRootOfWork(i) || outside[look] {
			continue
		}
		handler := s.handlerAround(i)
		around := s.g.spans[handler].look()
		if n := roots[within{around, look}]; n >= minBackground && float64(n) >= minBackgroundShare*float64(handlers[around]) {
			level := Warning
			if s.apart(i) {
				level = Violation
			}
			s.add(hit{id: "P19", span: i, from: handler, to: i, level: level, sure: Likely})
		}
	}
}

// isRootOfWork reports whether span i is a root of work inside of a process.
func (s *search) isRootOfWork(i int) bool {
	span := &s.g.spans[i]
	return span.Parent == ID{} && len(span.Links) == 0 && span.Kind == trace.SpanKindInternal && span.attribute(startKey) != "true"
}

// handles reports whether span i is that of a request or of a message.
func (s *search) handles(i int) bool {
	kind := s.g.spans[i].Kind
	return kind == trace.SpanKindServer || kind == trace.SpanKindConsumer
}

// handlerAround returns the one handler that was active in the same process from the
// start of span i to its end, or none if there is none or several.
func (s *search) handlerAround(i int) int {
	span, found := &s.g.spans[i], none
	for _, other := range s.active[span.instance()].before(s.g, span.Start) {
		o := &s.g.spans[other]
		if !s.handles(other) || !s.g.Apart(i, other) || !o.End.IsZero() && o.End.Before(span.End) {
			continue
		}
		if found != none && o.ID.Trace != s.g.spans[found].ID.Trace {
			return none
		}
		found = other
	}
	return found
}
