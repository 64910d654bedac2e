// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The names of the metrics of lag, without their namespace.
const (
	kafkaLag          = "kafka_lag_messages"
	kafkaCommittedLag = "kafka_committed_lag_messages"
	kafkaLastFetch    = "kafka_last_fetch_timestamp_seconds"
)

type lagSeries struct{ lag, committed, lastFetch *prometheus.GaugeVec }

func newLagSeries(s *series, c config) lagSeries {
	labels := []string{labelGroup, labelTopic, labelPartition}
	return lagSeries{
		lag:       s.gauge(c, kafkaLag, "Messages in a partition after the one fetched last.", labels),
		committed: s.gauge(c, kafkaCommittedLag, "Messages in a partition after the committed offset.", labels),
		lastFetch: s.gauge(c, kafkaLastFetch, "Unix time at which a message was last fetched from a partition.", labels),
	}
}

// lags hold what is known of the partitions that are read, and forget it when
// they are not: an old lag looks like a new one. Beyond the limit there is none,
// since several lags have no common value.
type lags struct {
	series lagSeries
	limit  int
	// Counted for what is beyond the limit.
	topicOverflow, partitionOverflow prometheus.Counter

	mu     sync.Mutex
	groups map[groupTopic]map[int]*lag
}

type groupTopic struct{ group, topic string }

// lag is what is known of one partition. A gauge is nil until it has a value.
type lag struct{ lag, committed, lastFetch prometheus.Gauge }

func newLags(m *Metrics) *lags {
	return &lags{
		series:            m.series.kafka.lag,
		limit:             m.config.labelLimit,
		topicOverflow:     m.overflows[labelTopic],
		partitionOverflow: m.overflows[labelPartition],
		groups:            map[groupTopic]map[int]*lag{},
	}
}

func (l *lags) fetched(group, topic string, partition int, after int64) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.of(groupTopic{group, topic}, partition)
	if known == nil {
		return
	}
	if known.lag == nil {
		known.lag = l.gauge(l.series.lag, group, topic, partition)
		known.lastFetch = l.gauge(l.series.lastFetch, group, topic, partition)
	}
	known.lag.Set(float64(max(after, 0)))
	known.lastFetch.Set(unixSeconds(now))
}

func (l *lags) committed(group, topic string, partition int, after int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.of(groupTopic{group, topic}, partition)
	if known == nil {
		return
	}
	if known.committed == nil {
		known.committed = l.gauge(l.series.committed, group, topic, partition)
	}
	known.committed.Set(float64(max(after, 0)))
}

// of returns what is known of a partition, or nil when there are too many.
func (l *lags) of(key groupTopic, partition int) *lag {
	partitions, ok := l.groups[key]
	if !ok {
		if len(l.groups) >= l.limit || len(key.group) > maxValueBytes || len(key.topic) > maxValueBytes {
			l.topicOverflow.Inc()
			return nil
		}
		partitions = map[int]*lag{}
		l.groups[key] = partitions
	}
	known, ok := partitions[partition]
	if !ok {
		if len(partitions) >= l.limit {
			l.partitionOverflow.Inc()
			return nil
		}
		known = &lag{}
		partitions[partition] = known
	}
	return known
}

func (l *lags) gauge(gauges *prometheus.GaugeVec, group, topic string, partition int) prometheus.Gauge {
	return gauges.WithLabelValues(valid(group), valid(topic), partitionLabel(partition))
}

func (l *lags) revoked(group, topic string, partition int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := groupTopic{group, topic}
	partitions := l.groups[key]
	if _, ok := partitions[partition]; !ok {
		return
	}
	delete(partitions, partition)
	if len(partitions) == 0 {
		delete(l.groups, key)
	}
	for _, gauges := range [...]*prometheus.GaugeVec{l.series.lag, l.series.committed, l.series.lastFetch} {
		gauges.DeleteLabelValues(valid(group), valid(topic), partitionLabel(partition))
	}
}
