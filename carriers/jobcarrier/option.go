// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package jobcarrier

import (
	"slices"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// maxBytes is the default budget of a context, keys and values added up.
const maxBytes = 8 << 10

// defaults are the options of package propagation that apply unless others are
// given.
var defaults = []propagation.Option{
	propagation.WithPolicy(propagation.KeepExisting),
	propagation.WithMaxBytes(maxBytes),
	propagation.WithoutBaggage(),
}

// Option configures how a context is written to the parameters of a job or read
// from them. If an option is given more than once, the last one wins. Nil options
// are ignored. [Databricks], [DatabricksEnv], [Airflow], [Spark], [Argo], [Glue],
// [Prefect] and [Dagster] are the presets of job services; the last one wins.
type Option interface {
	apply(config) config
}

type config struct {
	propagation   []propagation.Option // defaults, and those that were given.
	conflictFails bool
	observer      observe.DropObserver // Or nil.
	preset        preset
}

func newConfig(opts []Option) config {
	cfg := config{propagation: defaults}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

// WithPropagation sets options of package propagation: the propagator, the
// policy, the limit and the baggage. If it is given more than once, all of them
// apply, in order.
//
// The defaults are [propagation.KeepExisting], a limit of 8 KiB, and no baggage,
// because the parameters of a job are stored, shown and logged. With KeepExisting
// the caller's own parameters stay, even if they do not hold a valid context.
func WithPropagation(opts ...propagation.Option) Option {
	return propagationOption{afterDefaults: slices.Concat(defaults, opts)}
}

// propagationOption holds the options that were given after the defaults, so
// that one such option costs no allocation when it is applied.
type propagationOption struct{ afterDefaults []propagation.Option }

func (o propagationOption) apply(cfg config) config {
	if len(cfg.propagation) == len(defaults) {
		cfg.propagation = o.afterDefaults
	} else {
		cfg.propagation = slices.Concat(cfg.propagation, o.afterDefaults[len(defaults):])
	}
	return cfg
}

// WithErrorOnConflict makes [Inject] and [InjectConf] return [ErrConflict] if
// there is a context to write and the caller's own parameters keep it out. It has
// no effect on [InjectArgs], and none with [propagation.Replace].
func WithErrorOnConflict() Option { return conflictOption{} }

type conflictOption struct{}

func (conflictOption) apply(cfg config) config {
	cfg.conflictFails = true
	return cfg
}

// WithObserver sets an observer that is notified when [Inject], [InjectConf] or
// [InjectArgs] leaves a part of the context out: with [observe.DropUnsafe] for each
// value that is not safe, and with [observe.DropTooLarge] for each that is too long,
// and once more if parts do not fit together.
// The default is none. A panic of the observer is ignored. Package metrics has an
// observer for Prometheus.
func WithObserver(observer observe.DropObserver) Option { return observerOption{observer} }

type observerOption struct{ observer observe.DropObserver }

func (o observerOption) apply(cfg config) config {
	cfg.observer = o.observer
	return cfg
}

// drop reports a part of a context that is left out.
func (cfg *config) drop(reason string) {
	if cfg.observer == nil {
		return
	}
	defer safe.Contain()
	cfg.observer.Dropped(observe.Drop{Reason: reason})
}
