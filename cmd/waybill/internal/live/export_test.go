// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

// Quieten examines all flows as if they had been quiet for long enough.
func (s *Store) Quieten(expect flow.Expectation) {
	s.mu.Lock()
	for e := s.recent.Front(); e != nil; e = e.Next() {
		if f, ok := e.Value.(*Flow); ok {
			f.updated = f.updated.Add(-s.limits.Quiet)
		}
	}
	s.mu.Unlock()
	for _, number := range s.quiet(time.Now()) {
		s.Examine(number, expect)
	}
}

// MaxWatching is how many pages may be open.
const MaxWatching = maxWatching

// Entries returns how many entries the indexes have.
func (s *Store) Entries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.flows) + len(s.traces) + len(s.sent) + len(s.received) + s.recent.Len()
}
