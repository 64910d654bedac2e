// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// marks are the findings that a tree shows: those that are more than info.
type marks struct {
	at    map[int]hit // The worst one about a span,
	after map[int]hit // and the first one that says that the flow broke after it.
}

func newMarks() marks { return marks{at: make(map[int]hit), after: make(map[int]hit)} }

// add notes h.
func (m marks) add(h hit) {
	if known, ok := m.at[h.span]; !ok || known.level < h.level {
		m.at[h.span] = h
	}
}

// addBreak notes that h says where the flow broke.
func (m marks) addBreak(h hit) {
	if _, known := m.after[h.from]; !known {
		m.after[h.from] = h
	}
}

// of returns what a tree says of span i, or "" if nothing is wrong with it.
func (m marks) of(i int) string {
	if h, ok := m.at[i]; ok {
		return "✗ " + h.id + " " + h.title()
	}
	if h, ok := m.after[i]; ok {
		return "✗ " + h.id + " the flow is lost after this"
	}
	return ""
}

func (h *hit) title() string {
	if h.detail == apartDetail || h.detail == jobDetail {
		return "apart from the flow"
	}
	return Title(h.id)
}
