// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// The options of [New] and [NewOTel]. If an option is given more than once, the last
// one wins. Nil options are ignored.
type (
	// Option configures [New]. Each [SharedOption] is one, and so are the results of
	// [WithConstLabels], [WithGoCollector], [WithProcessCollector],
	// [WithoutClassicBuckets], [WithoutExemplars] and [WithoutNativeHistograms].
	Option interface {
		option
		forPrometheus()
	}
	// OTelOption configures [NewOTel]. Each [SharedOption] is one, and so is the
	// result of [WithPrometheusLabels].
	OTelOption interface {
		option
		forOTel()
	}

	// SharedOption configures [New] or [NewOTel].
	SharedOption interface {
		Option
		OTelOption
	}
)

// option is what all options are.
type option interface{ apply(config) config }

// setting is an option of any kind. The functions that return one say for what.
type setting func(config) config

func (s setting) apply(c config) config { return s(c) }

func (setting) forPrometheus() {}
func (setting) forOTel()       {}

// config is only data: two sets of metrics with equal configs are one.
type config struct {
	namespace        string
	constLabels      map[string]string
	buckets          []float64 // Upper bounds in seconds; nil for the default ones.
	withoutClassic   bool
	withoutNative    bool
	withoutExemplars bool
	withoutPartition bool
	goCollector      bool
	processCollector bool
	prometheusLabels bool
	labelLimit       int
	maxLatency       time.Duration // 0 or less for no limit.
}

const (
	defaultLabelLimit = 100
	defaultMaxLatency = 365 * 24 * time.Hour
)

// The bounds of row ages and batches are as few as [series.DefaultBuckets]: ages from a second to a week, and
// the powers of four up to a million rows.
var (
	rowAgeBuckets = [...]float64{1, 10, 60, 600, 3600, 21_600, 86_400, 604_800}
	rowBuckets    = [...]float64{1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576}
)

func newConfig[O option](opts []O) config {
	c := config{namespace: series.DefaultNamespace, labelLimit: defaultLabelLimit, maxLatency: defaultMaxLatency}
	for _, opt := range opts {
		if any(opt) != nil {
			c = opt.apply(c)
		}
	}
	return c
}

// WithNamespace sets the first part of all metric names. The default is "etl",
// also if name is empty.
func WithNamespace(name string) SharedOption {
	return setting(func(c config) config {
		c.namespace = name
		if name == "" {
			c.namespace = series.DefaultNamespace
		}
		return c
	})
}

// WithConstLabels adds labels with fixed values to all metrics. It copies labels.
// The default is none. Labels that identify the host or process belong in the
// configuration of the scrape instead.
func WithConstLabels(labels map[string]string) Option {
	labels = maps.Clone(labels)
	if len(labels) == 0 {
		labels = nil // No labels are equal to none.
	}
	return setting(func(c config) config {
		c.constLabels = labels
		return c
	})
}

// WithBuckets sets the upper bounds, in seconds, of the classic buckets of all
// histograms of times. They must increase. The default is 0.001, 0.01, 0.1, 1, 10,
// 60, 600 and 3600, and for the age of rows 1, 10, 60, 600, 3600, 21600, 86400 and
// 604800, also if there are no bounds. Each bound costs one series for each
// histogram. The bounds of the rows in a batch are the powers of 4 from 1 to
// 1048576.
func WithBuckets(bounds ...float64) SharedOption {
	bounds = slices.Clone(bounds)
	return setting(func(c config) config {
		c.withoutClassic = false
		c.buckets = bounds
		if len(bounds) == 0 {
			c.buckets = nil
		}
		return c
	})
}

// WithoutClassicBuckets removes the classic buckets of all histograms, which are
// most of the series, for a Prometheus that scrapes native histograms.
func WithoutClassicBuckets() Option {
	return setting(func(c config) config {
		c.withoutClassic = true
		return c
	})
}

// WithoutNativeHistograms removes the native buckets of all histograms, which
// reduces the memory of the application.
func WithoutNativeHistograms() Option {
	return setting(func(c config) config {
		c.withoutNative = true
		return c
	})
}

// WithoutExemplars disables exemplars. The default is an exemplar for sampled
// spans, at most one a second for each series.
func WithoutExemplars() Option {
	return setting(func(c config) config {
		c.withoutExemplars = true
		return c
	})
}

// WithoutPartitions counts the messages and bytes of Kafka by topic, with an
// empty partition. The lag keeps its partition.
func WithoutPartitions() SharedOption {
	return setting(func(c config) config {
		c.withoutPartition = true
		return c
	})
}

// WithPrometheusLabels names the attributes of all instruments like the labels of the
// metrics that [New] makes: pipeline instead of etl.pipeline, topic instead of
// messaging.destination.name. The boards, rules and alerts of this module then fit
// what an exporter or collector writes to Prometheus.
func WithPrometheusLabels() OTelOption {
	return setting(func(c config) config {
		c.prometheusLabels = true
		return c
	})
}

// WithLabelLimit sets the maximum number of values of each label that users fill:
// source, reason, check and error_type in one stage, partition, operation and
// error_type in one topic, error_type in one collection, and topic, collection and
// destination in total. Further values share the value "_OTHER" and are counted by
// etl_telemetry_label_overflow_total. The default is 100, also if n is less than 1.
//
// The limit does not apply to the lag of partitions and the time of their last
// fetch, so that the sum of the lags covers all partitions. They have a limit of
// 10,000 partitions in all groups and topics together. Further partitions have no
// lag, and each report about one is counted as an overflow of the label partition.
func WithLabelLimit(n int) SharedOption {
	return setting(func(c config) config {
		c.labelLimit = n
		if n < 1 {
			c.labelLimit = defaultLabelLimit
		}
		return c
	})
}

// WithMaxLatency sets the longest latency and time in a queue that is observed,
// because they rest on the clocks of others, and one absurd value would move an
// average far. Longer ones are counted as dropped telemetry, with the reason
// stale_waybill. The default is 365 days; a value of 0 or less means no limit.
func WithMaxLatency(d time.Duration) SharedOption {
	return setting(func(c config) config {
		c.maxLatency = max(d, 0)
		return c
	})
}

// name returns the name of m in the namespace.
func (c config) name(m series.Metric) string { return m.In(c.namespace) }

// bounds returns the bounds of the classic buckets of m.
func (c config) bounds(m series.Metric) []float64 {
	switch {
	case c.withoutClassic:
		return nil
	case m.Name == series.BatchRows.Name:
		return rowBuckets[:]
	case c.buckets != nil:
		return c.buckets
	case m.Name == series.RowAge.Name:
		return rowAgeBuckets[:]
	default:
		return series.DefaultBuckets[:]
	}
}

var errNoBuckets = errors.New("the histogram has neither classic nor native buckets")

func (c config) validate() error {
	if !series.IsName(c.namespace) {
		return fmt.Errorf("metrics: invalid namespace %q", c.namespace)
	}
	for name, value := range c.constLabels {
		if !series.IsName(name) || strings.HasPrefix(name, "__") || slices.Contains(series.Labels[:], name) || !utf8.ValidString(value) {
			return fmt.Errorf("metrics: invalid constant label %q with value %q", name, value)
		}
	}
	if err := c.validateBuckets(); err != nil {
		return fmt.Errorf("metrics: %s: %w", c.name(series.Processing), err)
	}
	return nil
}

func (c config) validateBuckets() error {
	if c.withoutClassic && c.withoutNative {
		return errNoBuckets
	}
	last := math.Inf(-1)
	for _, bound := range c.buckets {
		if !(bound > last) || math.IsInf(bound, 0) {
			return fmt.Errorf("bucket bounds %v are not finite and increasing", c.buckets)
		}
		last = bound
	}
	return nil
}

// difference returns a description of the first difference between c and other, or
// the empty string if they are equal. The collectors of client_golang are no part of
// the set of metrics.
func (c config) difference(other config) string {
	other.goCollector, other.processCollector = c.goCollector, c.processCollector
	switch {
	case !slices.Equal(c.buckets, other.buckets) || c.withoutClassic != other.withoutClassic || c.withoutNative != other.withoutNative:
		return c.name(series.Processing) + " has other buckets"
	case c.withoutExemplars != other.withoutExemplars:
		return c.name(series.Processing) + " has other exemplars"
	case c.labelLimit != other.labelLimit:
		return c.name(series.RowsRejected) + " has another label limit"
	case c.maxLatency != other.maxLatency:
		return c.name(series.EndToEnd) + " has another maximum"
	case !reflect.DeepEqual(c, other):
		return c.name(series.Processing) + " has another configuration"
	default:
		return ""
	}
}
