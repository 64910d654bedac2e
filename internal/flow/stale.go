// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "slices"

// maxHopLength is how many spans of one hop are looked at.
const maxHopLength = 16

// findStale finds a receiver that goes on from an earlier hop than the one that sent its
// message: P11. The sender is known by the identity of the message.
func (s *search) findStale(i int) {
	m := s.message(i)
	if m == nil || !s.receives(i) || s.found[i] {
		return
	}
	origins := s.origins(i)
	if len(origins) == 0 {
		return
	}
	sender := none
	for key := range m.identities {
		for _, p := range s.producers[key] {
			if slices.Contains(origins, p) {
				return
			}
			if s.follows(p, origins) {
				sender = p
			}
		}
	}
	if sender != none {
		s.add(hit{id: "P11", span: i, from: sender, to: i, level: Violation, sure: Certain})
	}
}

// origins returns the recorded spans of other processes that span i, or the span that
// received its message for it, goes on from.
func (s *search) origins(i int) []int {
	var origins []int
	for range maxHopLength {
		origins = append(origins, s.g.links[i]...)
		parent := s.g.parents[i]
		if parent == none {
			break
		}
		if s.g.spans[i].Remote {
			return append(origins, parent)
		}
		i = parent
	}
	return origins
}

// follows reports whether span p was sent while a message of one of origins was handled.
func (s *search) follows(p int, origins []int) bool {
	received := false
	for range maxHopLength {
		if received && slices.Contains(origins, p) {
			return true
		}
		received = received || s.receives(p)
		if p = s.g.parents[p]; p == none {
			return false
		}
	}
	return false
}

// staleReceiver guesses which span received the message m that span i sent, if it goes on
// from an earlier hop: a later one, that continues a span whose message was being handled
// when i was sent. It returns none if there is none.
func (s *search) staleReceiver(i int, m *message) int {
	handled, sent := false, s.g.spans[i].Start
	for range maxHopLength {
		if i = s.g.parents[i]; i == none {
			break
		}
		if !handled {
			handled = s.receives(i)
			continue
		}
		children := s.g.children[i]
		if c := s.g.first(children[:min(len(children), lookBack)], func(c int) bool {
			received := s.message(c)
			return received != nil && s.receives(c) && received.destination == m.destination && s.g.spans[c].Remote && !s.g.spans[c].Start.Before(sent)
		}); c != none {
			return c
		}
	}
	return none
}
