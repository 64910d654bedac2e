// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"

	"github.com/waybill-go/waybill/metrics/internal/series"
)

// instruments is the [backend] for OpenTelemetry.
//
// Counters and gauges are numbers of this package, which one callback reads at each
// collection. So counting is an atomic addition, whatever the MeterProvider does, a
// series can be removed, and a series of which nothing is counted any more is still
// reported if the temporality is delta. Histograms are recorded at once, with
// attributes that are made once.
type instruments struct {
	config      config
	observables []*observable          // In the order of otelNames; read only, as are the others.
	byName      map[string]*observable // By the name of the metric.
	histograms  map[string]metric.Float64Histogram
	reads       []func(put)
}

var _ backend = (*instruments)(nil)

var (
	errNoMeter      = errors.New("the MeterProvider panicked or returned no meter")
	errNoInstrument = errors.New("the meter returned nothing")
)

// newInstruments creates the instruments of all metrics.
func newInstruments(c config, provider metric.MeterProvider) (*instruments, metric.Meter, error) {
	meter := scope.Meter("metrics", provider, semconv.SchemaURL)
	if _, isOff := provider.(noop.MeterProvider); !isOff && meter == (noop.Meter{}) {
		return nil, nil, errNoMeter
	}
	in := &instruments{config: c, byName: map[string]*observable{}, histograms: map[string]metric.Float64Histogram{}}
	for _, name := range otelNames {
		if err := in.create(meter, name); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name.in(c.namespace), err)
		}
	}
	return in, meter, nil
}

// create creates the instrument of one metric.
func (in *instruments) create(meter metric.Meter, n otelName) (err error) {
	name, unit, help := n.in(in.config.namespace), metric.WithUnit(n.unit), metric.WithDescription(n.metric.Help)
	if n.metric.Kind == series.Histogram {
		bounds := metric.WithExplicitBucketBoundaries(in.config.bounds(n.metric)...)
		in.histograms[n.metric.Name], err = created(func() (metric.Float64Histogram, error) {
			return meter.Float64Histogram(name, unit, help, bounds)
		})
		return err
	}
	o := &observable{series: map[string]point{}}
	switch {
	case n.metric.Kind == series.Counter && n.isWhole():
		o.whole, err = created(func() (metric.Int64Observable, error) { return meter.Int64ObservableCounter(name, unit, help) })
	case n.metric.Kind == series.Counter:
		o.real, err = created(func() (metric.Float64Observable, error) { return meter.Float64ObservableCounter(name, unit, help) })
	case n.isWhole():
		o.whole, err = created(func() (metric.Int64Observable, error) { return meter.Int64ObservableUpDownCounter(name, unit, help) })
	default:
		o.real, err = created(func() (metric.Float64Observable, error) { return meter.Float64ObservableGauge(name, unit, help) })
	}
	in.observables = append(in.observables, o)
	in.byName[n.metric.Name] = o
	return err
}

// created returns what create returns, and an error if that is nothing or create
// panics.
func created[I any](create func() (I, error)) (instrument I, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = panicked(value)
		}
	}()
	instrument, err = create()
	if err == nil && isNil(instrument) {
		err = errNoInstrument
	}
	return instrument, err
}

// register has all observables read at each collection, until the registration ends.
func (in *instruments) register(meter metric.Meter) (metric.Registration, error) {
	observables := make([]metric.Observable, len(in.observables))
	for i, o := range in.observables {
		observables[i] = o.instrument()
	}
	return created(func() (metric.Registration, error) { return meter.RegisterCallback(in.observe, observables...) })
}

func (in *instruments) counter(m series.Metric, values ...string) counter {
	return in.point(m, values)
}

func (in *instruments) gauge(m series.Metric, values ...string) gauge {
	return in.point(m, values)
}

// point returns the series of a counter or gauge.
func (in *instruments) point(m series.Metric, values []string) point {
	return in.byName[m.Name].point(values, func() []metric.ObserveOption {
		return []metric.ObserveOption{in.config.attributes(m, values)}
	})
}

func (in *instruments) removeGauge(m series.Metric, values ...string) {
	in.byName[m.Name].remove(values)
}

func (in *instruments) histogram(m series.Metric, values ...string) histogram {
	return &boundHistogram{
		histogram:  in.histograms[m.Name],
		attributes: []metric.RecordOption{in.config.attributes(m, values)},
		panicked:   in.panicked,
	}
}

func (in *instruments) collect(read func(put)) { in.reads = append(in.reads, read) }

// observe is the callback. It may be called concurrently, by several readers.
func (in *instruments) observe(_ context.Context, observer metric.Observer) error {
	defer func() {
		if recover() != nil {
			in.panicked()
		}
	}()
	for _, read := range in.reads {
		read(func(m series.Metric, value float64, values ...string) {
			o, attributes := in.byName[m.Name], in.config.attributes(m, values)
			if o.whole != nil {
				observer.ObserveInt64(o.whole, int64(value), attributes)
			} else {
				observer.ObserveFloat64(o.real, value, attributes)
			}
		})
	}
	for _, o := range in.observables { // Last, because the functions count what they lose.
		for _, p := range o.points() {
			p.report(observer, o)
		}
	}
	return nil
}

// panicked counts a panic of an instrument or observer.
func (in *instruments) panicked() { in.counter(series.Dropped, observe.DropMeter).Inc() }

// attributes returns the attributes for the values of the labels of m.
func (c config) attributes(m series.Metric, values []string) metric.MeasurementOption {
	return metric.WithAttributeSet(c.otelAttributes(m, values))
}

// observable is an instrument that is read at each collection, and its series.
type observable struct {
	whole metric.Int64Observable   // Nil for one of real numbers.
	real  metric.Float64Observable // Nil for one of whole numbers.

	mu     sync.Mutex
	series map[string]point // By the values of the labels.
	oldest []point          // In the order in which they were created.
}

func (o *observable) instrument() metric.Observable {
	if o.whole != nil {
		return o.whole
	}
	return o.real
}

// seriesKey joins the values of labels, which are valid UTF-8.
func seriesKey(values []string) string { return strings.Join(values, "\xff") }

// point returns the series with values, which it creates with attributes.
func (o *observable) point(values []string, attributes func() []metric.ObserveOption) point {
	key := seriesKey(values)
	o.mu.Lock()
	defer o.mu.Unlock()
	if p, ok := o.series[key]; ok {
		return p
	}
	var p point = &realPoint{attributes: attributes()}
	if o.whole != nil {
		p = &wholePoint{attributes: attributes()}
	}
	o.series[key] = p
	o.oldest = append(o.oldest, p)
	return p
}

func (o *observable) remove(values []string) {
	key := seriesKey(values)
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.series[key]
	if !ok {
		return
	}
	delete(o.series, key)
	i := slices.Index(o.oldest, p)
	o.oldest = slices.Delete(o.oldest, i, i+1)
}

// points returns all series, the oldest first: an SDK that has a limit keeps the
// first ones, and they must be the same at each collection.
func (o *observable) points() []point {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.oldest)
}

// point is one series of an observable.
type point interface {
	counter
	gauge
	report(observer metric.Observer, o *observable)
}

// wholePoint is a point whose value is a whole number.
type wholePoint struct {
	value      atomic.Int64
	attributes []metric.ObserveOption
}

func (p *wholePoint) Set(value float64) { p.value.Store(int64(value)) }
func (p *wholePoint) Inc()              { p.value.Add(1) }
func (p *wholePoint) Add(n float64)     { p.value.Add(int64(n)) }

func (p *wholePoint) report(observer metric.Observer, o *observable) {
	observer.ObserveInt64(o.whole, p.value.Load(), p.attributes...)
}

// realPoint is a point whose value is a real number.
type realPoint struct {
	bits       atomic.Uint64 // Of a float64.
	attributes []metric.ObserveOption
}

func (p *realPoint) Set(value float64) { p.bits.Store(math.Float64bits(value)) }
func (p *realPoint) Inc()              { p.Add(1) }

func (p *realPoint) Add(n float64) {
	for {
		bits := p.bits.Load()
		if p.bits.CompareAndSwap(bits, math.Float64bits(math.Float64frombits(bits)+n)) {
			return
		}
	}
}

func (p *realPoint) report(observer metric.Observer, o *observable) {
	observer.ObserveFloat64(o.real, math.Float64frombits(p.bits.Load()), p.attributes...)
}

// boundHistogram is a histogram with the attributes of one series.
type boundHistogram struct {
	histogram  metric.Float64Histogram
	attributes []metric.RecordOption
	panicked   func()
}

func (h *boundHistogram) observe(ctx context.Context, value float64) {
	defer h.contain()
	h.histogram.Record(safe.Context(ctx), max(value, 0), h.attributes...)
}

// contain stops a panic of the histogram. It must be deferred directly.
func (h *boundHistogram) contain() {
	if recover() != nil {
		h.panicked()
	}
}
