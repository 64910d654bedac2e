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
	"unicode/utf8"
)

// Option configures [New].
type Option interface {
	apply(config) config
}

// config is only data: two sets of metrics with equal configs are one.
type config struct {
	namespace        string
	constLabels      map[string]string
	buckets          []float64 // Upper bounds in seconds; none means no classic buckets.
	withoutNative    bool
	withoutExemplars bool
	withoutPartition bool
	labelLimit       int
}

const (
	defaultNamespace  = "etl"
	defaultLabelLimit = 100
)

// defaultBuckets are two a decade, 1 ms to 1 h.
var defaultBuckets = [...]float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600} //nolint:gochecknoglobals // A constant table.

func newConfig(opts []Option) config {
	c := config{namespace: defaultNamespace, buckets: defaultBuckets[:], labelLimit: defaultLabelLimit}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithNamespace sets the first part of all metric names. The default, also of
// an empty name, is etl.
func WithNamespace(name string) Option {
	return optionFunc(func(c config) config {
		c.namespace = name
		if name == "" {
			c.namespace = defaultNamespace
		}
		return c
	})
}

// WithConstLabels adds labels with fixed values to all metrics. The map is
// copied. The default, also of a nil map, is none. Labels that say where a
// process runs belong in the configuration of the scrape instead.
func WithConstLabels(labels map[string]string) Option {
	labels = maps.Clone(labels)
	return optionFunc(func(c config) config {
		c.constLabels = labels
		return c
	})
}

// WithBuckets sets the upper bounds, in seconds, of the classic buckets of all
// histograms. They must increase. The default, also of no bounds,
// is two a decade from 1 ms to 1 h.
func WithBuckets(bounds ...float64) Option {
	bounds = slices.Clone(bounds)
	return optionFunc(func(c config) config {
		c.buckets = bounds
		if len(bounds) == 0 {
			c.buckets = defaultBuckets[:]
		}
		return c
	})
}

// WithoutClassicBuckets leaves the histograms with their native buckets only,
// which saves most of its series where Prometheus scrapes native histograms.
func WithoutClassicBuckets() Option {
	return optionFunc(func(c config) config {
		c.buckets = nil
		return c
	})
}

// WithoutNativeHistograms leaves the histograms with their classic buckets only,
// which costs the application less memory.
func WithoutNativeHistograms() Option {
	return optionFunc(func(c config) config {
		c.withoutNative = true
		return c
	})
}

// WithoutExemplars attaches no trace to durations. The default is an exemplar
// for sampled spans, at most one a second for each series.
func WithoutExemplars() Option {
	return optionFunc(func(c config) config {
		c.withoutExemplars = true
		return c
	})
}

// WithoutPartitions counts the messages and bytes of Kafka by topic, with an
// empty partition. The lag stays that of a partition, which is what it is.
func WithoutPartitions() Option {
	return optionFunc(func(c config) config {
		c.withoutPartition = true
		return c
	})
}

// WithLabelLimit sets how many values a label that users fill may have: source,
// reason and error_type in one stage, partition, operation and error_type in one
// topic, error_type in one collection, and topic and collection altogether. All
// later values share the value _other_ and are counted by
// etl_telemetry_label_overflow_total. As many pairs of group and topic, and
// partitions of each, have a lag; later ones have none. The default, also of an
// n below one, is 100.
func WithLabelLimit(n int) Option {
	return optionFunc(func(c config) config {
		c.labelLimit = n
		if n < 1 {
			c.labelLimit = defaultLabelLimit
		}
		return c
	})
}

func (c config) name(suffix string) string { return c.namespace + "_" + suffix }

var errNoBuckets = errors.New("the histogram has neither classic nor native buckets")

func (c config) validate() error {
	if !isName(c.namespace) {
		return fmt.Errorf("metrics: invalid namespace %q", c.namespace)
	}
	for name, value := range c.constLabels {
		if !isName(name) || strings.HasPrefix(name, "__") || slices.Contains(ownLabels[:], name) || !utf8.ValidString(value) {
			return fmt.Errorf("metrics: invalid constant label %q with value %q", name, value)
		}
	}
	if err := c.validateBuckets(); err != nil {
		return fmt.Errorf("metrics: %s: %w", c.name(processingSeconds), err)
	}
	return nil
}

func (c config) validateBuckets() error {
	if len(c.buckets) == 0 && c.withoutNative {
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

// difference says what of c is not as in other, or nothing if they are equal.
func (c config) difference(other config) string {
	switch {
	case !slices.Equal(c.buckets, other.buckets) || c.withoutNative != other.withoutNative:
		return c.name(processingSeconds) + " has other buckets"
	case c.withoutExemplars != other.withoutExemplars:
		return c.name(processingSeconds) + " has other exemplars"
	case c.labelLimit != other.labelLimit:
		return c.name(rowsRejected) + " has another label limit"
	case !reflect.DeepEqual(c, other):
		return c.name(processingSeconds) + " has another configuration"
	default:
		return ""
	}
}

// isName reports whether name is a metric or label name of the classic
// alphabet, without the colon that is left to recording rules.
func isName(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
