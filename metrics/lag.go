// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/waybill-go/waybill/internal/safe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// lagGauge is one of the gauges of a partition.
type lagGauge int

const (
	gaugeLag lagGauge = iota
	gaugeCommitted
	gaugeLastFetch
	lagGauges
)

// lagMetrics are the metrics of the gauges.
var lagMetrics = [lagGauges]series.Metric{
	gaugeLag:       series.KafkaLag,
	gaugeCommitted: series.KafkaCommittedLag,
	gaugeLastFetch: series.KafkaLastFetch,
}

// maxReaders is how many readers of one partition are kept apart: the reader
// that has reported nothing for the longest time is forgotten first.
const maxReaders = 16

// maxLags is how many partitions of all groups and topics have a lag. It is far
// above the label limit, because partitions are created by the owner of a broker
// and not by the data, and because an alert on the sum of the lags must not miss a
// part of it.
const maxLags = 10_000

// lags holds the reports of readers and watchers about the partitions they read,
// until they revoke a partition: an old lag looks like a new one. A partition beyond
// the limit has no lag, because the lags of several partitions have no common value.
type lags struct {
	backend backend
	// Incremented for reports beyond the limits.
	topicOverflow, partitionOverflow counter

	mu     sync.Mutex
	known  int // Partitions in groups.
	groups map[groupTopic]map[int]*lag
}

type groupTopic struct{ group, topic string }

// lag is the state of one partition.
type lag struct {
	gauges  [lagGauges]gauge // Nil without a value.
	reports []report         // The latest report last.
}

// report is the latest report of one reader or watcher about one partition.
type report struct {
	reader uint64
	values [lagGauges]float64
	has    [lagGauges]bool
}

func newLags(m *Metrics) *lags {
	return &lags{
		backend:           m.backend,
		topicOverflow:     m.overflows[series.Topic],
		partitionOverflow: m.overflows[series.Partition],
		groups:            map[groupTopic]map[int]*lag{},
	}
}

// fetched reports a fetch, and the lag after it unless that is negative.
func (l *lags) fetched(group, topic string, partition int, reader uint64, after int64) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if after >= 0 {
		l.set(groupTopic{group, topic}, partition, reader, gaugeLag, float64(after))
	}
	l.set(groupTopic{group, topic}, partition, reader, gaugeLastFetch, unixSeconds(now))
}

// committed reports the lag after a committed offset.
func (l *lags) committed(group, topic string, partition int, reader uint64, after int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(groupTopic{group, topic}, partition, reader, gaugeCommitted, float64(max(after, 0)))
}

func (l *lags) set(key groupTopic, partition int, reader uint64, gauge lagGauge, value float64) {
	known := l.of(key, partition)
	if known == nil {
		return
	}
	r := known.of(reader)
	r.values[gauge], r.has[gauge] = value, true
	if known.gauges[gauge] == nil {
		known.gauges[gauge] = l.backend.gauge(lagMetrics[gauge], valid(key.group), valid(key.topic), partitionLabel(partition))
	}
	known.gauges[gauge].Set(value)
}

// of returns the report of a reader, which becomes the latest one.
func (k *lag) of(reader uint64) *report {
	i := slices.IndexFunc(k.reports, func(r report) bool { return r.reader == reader })
	latest := report{reader: reader}
	switch {
	case i == len(k.reports)-1 && i >= 0:
		return &k.reports[i]
	case i >= 0:
		latest = k.reports[i]
		k.reports = slices.Delete(k.reports, i, i+1)
	case len(k.reports) == maxReaders:
		k.reports = slices.Delete(k.reports, 0, 1)
	}
	k.reports = append(k.reports, latest)
	return &k.reports[len(k.reports)-1]
}

// of returns the state of a partition, or nil if there are too many partitions.
func (l *lags) of(key groupTopic, partition int) *lag {
	if known, ok := l.groups[key][partition]; ok {
		return known
	}
	if len(key.group) > safe.MaxName || len(key.topic) > safe.MaxName {
		l.topicOverflow.Inc()
		return nil
	}
	if l.known >= maxLags {
		l.partitionOverflow.Inc()
		return nil
	}
	if l.groups[key] == nil {
		l.groups[key] = map[int]*lag{}
	}
	l.known++
	known := &lag{}
	l.groups[key][partition] = known
	return known
}

// revoked removes the report of a reader about a partition. The latest report of
// another reader is then shown.
func (l *lags) revoked(group, topic string, partition int, reader uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := groupTopic{group, topic}
	partitions := l.groups[key]
	known, ok := partitions[partition]
	if !ok {
		return
	}
	known.reports = slices.DeleteFunc(known.reports, func(r report) bool { return r.reader == reader })
	for gauge := range lagGauges {
		if known.gauges[gauge] == nil {
			continue
		}
		value, has := known.latest(gauge)
		if has {
			known.gauges[gauge].Set(value)
			continue
		}
		known.gauges[gauge] = nil
		l.backend.removeGauge(lagMetrics[gauge], valid(group), valid(topic), partitionLabel(partition))
	}
	if len(known.reports) > 0 {
		return
	}
	delete(partitions, partition)
	l.known--
	if len(partitions) == 0 {
		delete(l.groups, key)
	}
}

// latest returns the value of a gauge that was reported last.
func (k *lag) latest(gauge lagGauge) (value float64, has bool) {
	for _, r := range slices.Backward(k.reports) {
		if r.has[gauge] {
			return r.values[gauge], true
		}
	}
	return 0, false
}
