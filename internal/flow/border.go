// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "time"

// borders says of spans whether their parents may be missing only because they had ended
// before the recording began, or were still open when it ended. It judges by how long
// the recorded parents of spans with the same name ended before them, or after them.
type borders struct {
	begin time.Time              // When the first span ended.
	end   map[instance]time.Time // When the last span of each process ended.
	joint map[spanName]joint
}

type spanName struct{ service, name string }

// joint is what is known of the spans of one name and their parents.
type joint struct {
	count         int
	before, after time.Duration // How long parents ended before the starts, and after the ends, at most.
}

// minJoints is how many parents must have been recorded.
const minJoints = 10

// The values of hit.detail for a span at a border of the recording.
const (
	atBegin = "begin"
	atEnd   = "end"
)

func newBorders(g *Graph) *borders {
	e := &borders{end: make(map[instance]time.Time), joint: make(map[spanName]joint)}
	for i := range g.spans {
		s := &g.spans[i]
		if s.End.IsZero() {
			continue
		}
		if e.begin.IsZero() || s.End.Before(e.begin) {
			e.begin = s.End
		}
		if s.End.After(e.end[s.instance()]) {
			e.end[s.instance()] = s.End
		}
		if p := g.parents[i]; p != none && !g.spans[p].End.IsZero() {
			e.add(s, &g.spans[p])
		}
	}
	return e
}

func (e *borders) add(s, parent *Span) {
	name := spanName{s.Service, s.Name}
	j := e.joint[name]
	j.count++
	j.before = max(j.before, s.Start.Sub(parent.End))
	j.after = max(j.after, parent.End.Sub(s.End))
	e.joint[name] = j
}

// hides returns the border of the recording behind which the parent of s may be, or the
// empty string.
func (e *borders) hides(s *Span) string {
	j := e.joint[spanName{s.Service, s.Name}]
	switch {
	case j.count < minJoints || s.End.IsZero():
	case !s.Remote && e.end[s.instance()].Sub(s.End) <= j.after:
		return atEnd
	case s.Remote && s.Start.Sub(e.begin) <= j.before:
		return atBegin
	}
	return ""
}

// border returns the border of the recording behind which the parent of span i may be, or the
// empty string. A recording of one flow has none.
func (s *search) border(i int) string {
	if s.oneFlow {
		return ""
	}
	if s.borders == nil {
		s.borders = newBorders(s.g)
	}
	return s.borders.hides(&s.g.spans[i])
}
