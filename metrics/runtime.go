// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	promcollectors "github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/waybill-go/waybill/internal/safe"
)

// WithGoCollector registers the metrics of the Go runtime too: goroutines, garbage
// collection and memory, with the names that client_golang gives them, which begin
// with go_ in every namespace. If the registry has metrics of these names, as the
// default registry does, it keeps its own. The default is not to register them.
//
// If the registerer of [New] is nil, [Metrics] collects them.
func WithGoCollector() Option {
	return setting(func(c config) config {
		c.goCollector = true
		return c
	})
}

// WithProcessCollector registers the metrics of this process too: CPU, memory, open
// files and start time, with the names that client_golang gives them, which begin
// with process_ in every namespace. If the registry has metrics of these names, as
// the default registry does, it keeps its own. The default is not to register them.
//
// If the registerer of [New] is nil, [Metrics] collects them.
func WithProcessCollector() Option {
	return setting(func(c config) config {
		c.processCollector = true
		return c
	})
}

// runtimeCollectors returns the collectors of client_golang that c asks for.
func (c config) runtimeCollectors() []prometheus.Collector {
	var all []prometheus.Collector
	if c.goCollector {
		all = append(all, promcollectors.NewGoCollector())
	}
	if c.processCollector {
		all = append(all, promcollectors.NewProcessCollector(promcollectors.ProcessCollectorOpts{}))
	}
	if len(c.constLabels) > 0 {
		for i, collector := range all {
			all[i] = prometheus.WrapCollectorWith(c.constLabels, collector)
		}
	}
	return all
}

// registerRuntime registers the collectors of client_golang that c asks for, unless
// the registry has metrics of the same names, and returns those that it registered.
// It returns an error only if it has registered none.
func registerRuntime(registerer prometheus.Registerer, c config) (registered []prometheus.Collector, err error) {
	for _, collector := range c.runtimeCollectors() {
		switch err := register(registerer, collector); {
		case err == nil:
			registered = append(registered, collector)
		case isRegistered(err) || errors.Is(err, ErrConflict):
			// The names belong to others, who measure the same.
		default:
			unregister(registerer, registered)
			return nil, err
		}
	}
	return registered, nil
}

// unregister undoes the registration of collectors.
func unregister(registerer prometheus.Registerer, registered []prometheus.Collector) {
	defer safe.Contain()
	for _, collector := range registered {
		registerer.Unregister(collector)
	}
}
