// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/stages"
)

// ErrConflict is returned by [New] when the registry holds a metric of the
// same name that is not the same metric.
var ErrConflict = errors.New("metrics: conflict with a registered metric")

// Metrics measures stages, Kafka and MongoDB for Prometheus: it is the observer
// of packages stages, kafkacarrier and mongocarrier. It is made by [New], safe
// for concurrent use, and itself a [prometheus.Collector].
//
// A nil *Metrics observes and collects nothing.
type Metrics struct {
	config config
	series *series

	overflows map[string]prometheus.Counter // By label; read only.
	dropped   *limited[prometheus.Counter]
	travels   *travels
	kafka     *kafka
	mongodb   *mongodb

	mu     sync.Mutex
	stages map[[2]string]*stage // By pipeline and stage.
}

// Compile-time checks that Metrics implements Observer and Collector.
var (
	_ stages.Observer      = (*Metrics)(nil)
	_ prometheus.Collector = (*Metrics)(nil)
)

// New makes a set of metrics and registers it with registerer.
//
// Asked twice for the same set on one registry it returns the first one again,
// so that independent parts of a program share their series; the same set means
// equal options. If the registry holds any of the metrics with other options or
// from elsewhere, the error is an [ErrConflict] that names it, and nothing has
// been registered.
//
// With a nil registerer, a nil *prometheus.Registry too, the metrics work but
// are not registered: register them as the Collector they are. The default
// registry is used only if it is given.
func New(registerer prometheus.Registerer, opts ...Option) (*Metrics, error) {
	c := newConfig(opts)
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := newMetrics(c)
	if isNil(registerer) {
		return m, nil
	}
	err := registerer.Register(m)
	var registered prometheus.AlreadyRegisteredError
	switch {
	case err == nil:
		return m, nil
	case !errors.As(err, &registered):
		return nil, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	first, ok := registered.ExistingCollector.(*Metrics)
	if !ok {
		return nil, fmt.Errorf("%w: %s belongs to a %T", ErrConflict, c.name(processingSeconds), registered.ExistingCollector)
	}
	if difference := first.config.difference(c); difference != "" {
		return nil, fmt.Errorf("%w: %s", ErrConflict, difference)
	}
	return first, nil
}

func newMetrics(c config) *Metrics {
	m := &Metrics{
		config:    c,
		series:    newSeries(c),
		overflows: map[string]prometheus.Counter{},
		stages:    map[[2]string]*stage{},
	}
	for _, label := range [...]string{
		labelSource, labelReason, labelErrorType, labelTopic, labelPartition, labelOperation, labelCollection,
	} {
		m.overflows[label] = m.series.labelOverflow.WithLabelValues(label)
	}
	m.dropped = newLimited(m, labelReason, func(reason string) prometheus.Counter {
		return m.series.dropped.WithLabelValues(reason)
	})
	m.travels = newTravels(m)
	m.kafka = newKafka(m)
	m.mongodb = newMongoDB(m)
	return m
}

// Stage implements [stages.Observer]. All series of a stage that can be known
// exist from here on, at zero, so that a rate over them sees the first event;
// timestamps exist once there is one.
func (m *Metrics) Stage(pipeline, name, source string) stages.StageObserver {
	if m == nil {
		return nil
	}
	return m.stage(valid(pipeline), valid(name)).sources.with(source)
}

// stage returns the series of a stage, made at the first call.
func (m *Metrics) stage(pipeline, name string) *stage {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{pipeline, name}
	s, ok := m.stages[key]
	if !ok {
		s = newStage(m, pipeline, name)
		m.stages[key] = s
	}
	return s
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	if m == nil {
		return
	}
	for _, collector := range m.series.all {
		collector.Describe(descs)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	if m == nil {
		return
	}
	for _, collector := range m.series.all {
		collector.Collect(metrics)
	}
}

// isNil reports whether v is nil or holds a nil pointer or function.
func isNil(v any) bool {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Func:
		return value.IsNil()
	default:
		return false
	}
}

// orBackground returns ctx, or the empty context in the place of nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background() //nolint:forbidigo // The documented meaning of a nil context.
	}
	return ctx
}
