// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// minPruned is how many queues a stage has at least when those that are done are
// looked for: a program that nobody scrapes must not keep the queues of all runs.
const minPruned = 16

// stageQueues are the queues in front of one stage that are not done.
type stageQueues struct {
	panicked func() // Called when a queue has panicked.

	mu     sync.Mutex
	open   map[*openQueue]struct{} // Nil before the first queue.
	pruned int                     // How many were open when they were last read.
	gone   time.Duration           // The blocked time of the queues that are done.
}

// openQueue is a queue that is not done.
type openQueue struct {
	observe.StageQueue

	blocked time.Duration // The longest that was read, so that the sum never decreases.
}

// add adds a queue.
func (s *stageQueues) add(q observe.StageQueue) {
	if isNil(q) {
		return
	}
	s.mu.Lock()
	if s.open == nil {
		s.open = map[*openQueue]struct{}{}
	}
	s.open[&openQueue{StageQueue: q}] = struct{}{}
	isDue := len(s.open) >= max(2*s.pruned, minPruned)
	s.mu.Unlock()
	if isDue {
		s.stats()
	}
}

// read puts the series of the queues in front of a stage, if it has had one.
func (s *stageQueues) read(put put, of stageName) {
	sum, ok := s.stats()
	if !ok {
		return
	}
	put(series.QueueRows, float64(sum.Rows), of.pipeline, of.stage)
	put(series.QueueCapacity, float64(sum.Capacity), of.pipeline, of.stage)
	put(series.Blocked, sum.Blocked.Seconds(), of.pipeline, of.stage)
}

// stats returns the sums over all queues, and whether there has been a queue. It
// forgets the queues that are done, but for their blocked time. No lock is held
// while it reads them.
func (s *stageQueues) stats() (sum observe.QueueStats, has bool) {
	s.mu.Lock()
	queues := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	read := make([]observe.QueueStats, len(queues))
	for i, q := range queues {
		read[i] = s.statsOf(q)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range queues {
		if _, isOpen := s.open[q]; !isOpen {
			continue // Another scrape has found that it is done.
		}
		q.blocked = max(q.blocked, read[i].Blocked)
		if read[i].Done {
			s.gone += q.blocked
			delete(s.open, q)
			continue
		}
		sum.Rows += max(read[i].Rows, 0)
		sum.Capacity += max(read[i].Capacity, 0)
	}
	sum.Blocked = s.gone
	for q := range s.open {
		sum.Blocked += q.blocked
	}
	s.pruned = len(s.open)
	return sum, s.open != nil
}

// statsOf returns the state of q, or nothing if it panics.
func (s *stageQueues) statsOf(q *openQueue) (stats observe.QueueStats) {
	defer func() {
		if recover() != nil {
			s.panicked()
		}
	}()
	return q.Stats()
}
