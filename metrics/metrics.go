// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// ErrConflict is returned by [New] when the registry holds a metric of the same
// name that is not the same metric.
var ErrConflict = errors.New("metrics: conflict with a registered metric")

// errNotCollected is why a Metrics of NewOTel cannot be registered.
var errNotCollected = errors.New("metrics: what NewOTel returns is collected by its MeterProvider")

// Metrics measures stages, Kafka and MongoDB. It implements the observers of package
// observe. What [New] returns is a [prometheus.Collector]; what [NewOTel] returns is
// collected by a MeterProvider, and a registry refuses it. It is safe for concurrent
// use.
//
// Of messaging systems other than Kafka and MongoDB, Metrics measures the
// latencies. A nil or zero Metrics observes and collects nothing.
type Metrics struct {
	config  config
	backend backend

	overflows map[string]counter // By label; read only.
	dropped   *limited[counter]
	latencies *latencies
	kafka     *kafka
	mongodb   *mongodb

	mu     sync.Mutex
	stages map[stageName]*stage
	oldest []*stage // The same, in the order in which they were created.
	undo   []func() // End what was registered besides m, by any call of New that returned m.

	close func() error // Nil if there is nothing to end.
}

// Compile-time checks that Metrics implements StageObserver and Collector.
var (
	_ observe.StageObserver = (*Metrics)(nil)
	_ prometheus.Collector  = (*Metrics)(nil)
)

// New creates a set of metrics and registers it with registerer.
//
// If called again with the same registerer and equal options, New returns the
// existing Metrics, so that independent parts of a program share their series. If
// the registry holds one of the metrics with other options or from elsewhere, New
// returns an [ErrConflict] that names the metric. When New returns an error,
// nothing is registered.
//
// If registerer is nil, or a nil *[prometheus.Registry], the metrics work but are
// not registered: register them as the Collector they are. The default registry
// is not used unless it is given.
func New(registerer prometheus.Registerer, opts ...Option) (*Metrics, error) {
	c := newConfig(opts)
	if err := c.validate(); err != nil {
		return nil, err
	}
	own := newCollectors(c)
	m := newMetrics(c, own)
	if isNil(registerer) {
		own.all = append(own.all, c.runtimeCollectors()...)
		return m, nil
	}
	others, err := registerRuntime(registerer, c)
	if err != nil {
		return nil, err
	}
	m.close = once(func() error { m.unregister(registerer); return nil })
	shared, err := share(registerer, m)
	if err != nil {
		unregister(registerer, others)
		return nil, err
	}
	if len(others) > 0 {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.undo = append(shared.undo, func() { unregister(registerer, others) })
	}
	return shared, nil
}

// unregister removes m and what was registered besides it.
func (m *Metrics) unregister(registerer prometheus.Registerer) {
	unregister(registerer, []prometheus.Collector{m})
	m.mu.Lock()
	undo := m.undo
	m.undo = nil
	m.mu.Unlock()
	for _, f := range undo {
		f()
	}
}

// share registers m and returns it, or returns the Metrics of the same options that
// are registered already.
func share(registerer prometheus.Registerer, m *Metrics) (*Metrics, error) {
	err := register(registerer, m)
	if err == nil {
		return m, nil
	}
	registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
	if !ok {
		return nil, err
	}
	first, ok := registered.ExistingCollector.(*Metrics)
	if !ok || first.isZero() {
		return nil, fmt.Errorf("%w: %s belongs to a %T", ErrConflict, m.config.name(series.Processing), registered.ExistingCollector)
	}
	if difference := first.config.difference(m.config); difference != "" {
		return nil, fmt.Errorf("%w: %s", ErrConflict, difference)
	}
	return first, nil
}

// register registers a collector. If it or its equal is registered already, register
// returns a [prometheus.AlreadyRegisteredError]. It returns a panic of registerer as
// an error.
func register(registerer prometheus.Registerer, collector prometheus.Collector) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("metrics: registerer: %w", panicked(value))
		}
	}()
	err = registerer.Register(collector)
	if err == nil || isRegistered(err) {
		return err
	}
	return refused(err)
}

// isRegistered reports whether err is about a collector that is registered already.
func isRegistered(err error) bool {
	_, ok := errors.AsType[prometheus.AlreadyRegisteredError](err)
	return ok
}

// refused returns the error of New for an error of a registry. A registry wraps
// an error if a metric is invalid in itself, as it is when the registerer adds a
// label that the metric has, and returns a plain one if it is in conflict with
// another metric.
func refused(err error) error {
	if errors.Unwrap(err) != nil {
		return fmt.Errorf("metrics: labels of the registerer: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrConflict, err)
}

func newMetrics(c config, b backend) *Metrics {
	m := &Metrics{
		config:    c,
		backend:   b,
		overflows: map[string]counter{},
		stages:    map[stageName]*stage{},
	}
	for _, label := range [...]string{
		series.Source, series.Reason, series.Check, series.ErrorType,
		series.Topic, series.Partition, series.Operation, series.Collection, series.Destination,
	} {
		m.overflows[label] = b.counter(series.LabelOverflow, label)
	}
	m.dropped = newLimited(m, series.Reason, func(reason string) counter {
		return b.counter(series.Dropped, reason)
	})
	m.latencies = newLatencies(m)
	m.kafka = newKafka(m)
	m.mongodb = newMongoDB(m)
	b.collect(m.readStages)
	b.collect(readMemory)
	b.collect(newMemoryLimit().read)
	return m
}

// isZero reports whether m is not what New returned.
func (m *Metrics) isZero() bool { return m == nil || m.backend == nil }

// Stage implements [observe.StageObserver]. From here on, a stage has series at 0
// for its successes and failures, so that a rate over them shows the first one,
// and for its runs in flight. All others exist from their first use.
func (m *Metrics) Stage(id observe.StageID) observe.RunObserver {
	if m.isZero() {
		return nil
	}
	return m.stage(stageName{valid(id.Pipeline), valid(id.Stage)}).sources.with(id.Source)
}

// stage returns the series of a stage, which it creates at the first call.
func (m *Metrics) stage(name stageName) *stage {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.stages[name]
	if !ok {
		s = newStage(m, name)
		m.stages[name] = s
		m.oldest = append(m.oldest, s)
	}
	return s
}

// readStages puts the series of all stages that have no handles.
func (m *Metrics) readStages(put put) {
	m.mu.Lock()
	stages := slices.Clone(m.oldest)
	m.mu.Unlock()
	for _, s := range stages {
		s.read(put)
	}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	if m.isZero() {
		return
	}
	collector, ok := m.backend.(prometheus.Collector)
	if !ok {
		descs <- prometheus.NewInvalidDesc(errNotCollected)
		return
	}
	collector.Describe(descs)
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	if m.isZero() {
		return
	}
	if collector, ok := m.backend.(prometheus.Collector); ok {
		collector.Collect(metrics)
	}
}

// Close removes m from the registerer or MeterProvider that it was made for, so that
// it is no longer collected, and can be freed once nothing observes with it. The
// observers keep working. For a Metrics that [New] returned more than once, Close
// applies to all who have it.
//
// Close is needed only if the registerer or provider outlives m. A provider collects
// for the last time when it is shut down, so Close comes after that; the histograms of
// a provider stay in its later collections as they are. Close may be called more
// than once. It returns an error if the provider does, or panics.
func (m *Metrics) Close() error {
	if m.isZero() || m.close == nil {
		return nil
	}
	if err := m.close(); err != nil {
		return fmt.Errorf("metrics: close: %w", err)
	}
	return nil
}

// once returns a function that calls f the first time, and returns its error, or its
// panic as an error, each time.
func once(f func() error) func() error {
	return sync.OnceValue(func() (err error) {
		defer func() {
			if value := recover(); value != nil {
				err = panicked(value)
			}
		}()
		return f()
	})
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

// panicked returns the value of a panic as an error.
func panicked(value any) error {
	if err, ok := value.(error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: %v", value)
}
