// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// queues collects the queues in front of stages. It reads them at each scrape.
type queues struct {
	rows, capacity, blocked *prometheus.Desc

	panicked func() // Called when a queue has panicked.

	mu     sync.Mutex
	stages map[stageName]*stageQueues
}

func newQueues(c config) *queues {
	return &queues{
		rows:     c.desc(series.QueueRows),
		capacity: c.desc(series.QueueCapacity),
		blocked:  c.desc(series.Blocked),
		panicked: func() {},
		stages:   map[stageName]*stageQueues{},
	}
}

// of returns the queues in front of a stage.
func (q *queues) of(name stageName) *stageQueues {
	q.mu.Lock()
	defer q.mu.Unlock()
	s, ok := q.stages[name]
	if !ok {
		s = &stageQueues{panicked: q.panicked}
		q.stages[name] = s
	}
	return s
}

// Describe implements [prometheus.Collector].
func (q *queues) Describe(descs chan<- *prometheus.Desc) {
	descs <- q.rows
	descs <- q.capacity
	descs <- q.blocked
}

// Collect implements [prometheus.Collector].
func (q *queues) Collect(metrics chan<- prometheus.Metric) {
	q.mu.Lock()
	stages := maps.Clone(q.stages)
	q.mu.Unlock()
	for name, stage := range stages {
		sum, ok := stage.stats()
		if !ok {
			continue
		}
		metrics <- prometheus.MustNewConstMetric(q.rows, prometheus.GaugeValue, float64(sum.Rows), name.pipeline, name.stage)
		metrics <- prometheus.MustNewConstMetric(q.capacity, prometheus.GaugeValue, float64(sum.Capacity), name.pipeline, name.stage)
		metrics <- prometheus.MustNewConstMetric(q.blocked, prometheus.CounterValue, sum.Blocked.Seconds(), name.pipeline, name.stage)
	}
}

// minPruned is how many queues a stage has at least when those that are done are
// looked for: a program that nobody scrapes must not keep the queues of all runs.
const minPruned = 16

// stageQueues are the queues in front of one stage that are not done.
type stageQueues struct {
	panicked func()

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

// stats returns the sums over all queues, and whether there has been a queue. It
// forgets the queues that are done, but for their blocked time. No lock is held
// while it reads them.
func (s *stageQueues) stats() (sum observe.QueueStats, has bool) {
	s.mu.Lock()
	queues := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	read := make([]observe.QueueStats, len(queues))
	for i, q := range queues {
		read[i] = s.read(q)
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

// read returns the state of q, or nothing if it panics.
func (s *stageQueues) read(q *openQueue) (stats observe.QueueStats) {
	defer func() {
		if recover() != nil {
			s.panicked()
		}
	}()
	return q.Stats()
}
