// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// Option configures [Generate] and [Write]. If an option is given more than once,
// the last one wins. Nil options are ignored.
type Option interface {
	apply(config) config
}

type config struct {
	namespace         string
	labels            []string
	freshness         time.Duration
	withoutKubernetes bool
}

// defaultFreshness is the default of the alert on old data, too: most pipelines run
// at least hourly.
const defaultFreshness = time.Hour

func newConfig(opts []Option) config {
	c := config{namespace: series.DefaultNamespace, freshness: defaultFreshness}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithNamespace sets the first part of the names of the metrics, as
// metrics.WithNamespace does. The default is "etl", also if name is empty.
//
// The boards of another namespace have other uids and titles, so that they may be
// in one Grafana with those of "etl".
func WithNamespace(name string) Option {
	return optionFunc(func(c config) config {
		c.namespace = name
		if name == "" {
			c.namespace = series.DefaultNamespace
		}
		return c
	})
}

// WithLabels sets labels that the boards can be filtered by, besides their own: those
// of metrics.WithConstLabels, or those that Prometheus adds to all targets, such as
// cluster and namespace. Each one becomes a variable. All metrics of the namespace
// must have them. WithLabels copies names. The default is none.
func WithLabels(names ...string) Option {
	names = slices.Clone(names)
	return optionFunc(func(c config) config {
		c.labels = names
		return c
	})
}

// WithFreshness sets the time within which each pipeline should succeed. A pipeline
// whose last success is older is shown as late, and as failed after twice that time.
// The default is one hour, also if every is 0 or less.
func WithFreshness(every time.Duration) Option {
	return optionFunc(func(c config) config {
		c.freshness = every
		if every <= 0 {
			c.freshness = defaultFreshness
		}
		return c
	})
}

// WithoutKubernetes leaves out the panels about pods, which need the metrics of
// kube-state-metrics.
func WithoutKubernetes() Option {
	return optionFunc(func(c config) config {
		c.withoutKubernetes = true
		return c
	})
}

func (c config) validate() error {
	if !series.IsName(c.namespace) {
		return fmt.Errorf("dashboards: invalid namespace %q", c.namespace)
	}
	reserved := append(slices.Clone(series.Labels[:]), varDatasource, varTraces, varInstance)
	for i, label := range c.labels {
		if !series.IsName(label) || strings.HasPrefix(label, "__") || slices.Contains(reserved, label) || slices.Contains(c.labels[:i], label) {
			return fmt.Errorf("dashboards: invalid label %q", label)
		}
	}
	return nil
}

// uid returns the uid of a board.
func (c config) uid(board string) string { return series.BoardUID(board, c.namespace) }

// promql returns the writer of expressions for c.
func (c config) promql() promql { return promql{namespace: c.namespace, labels: c.labels} }
