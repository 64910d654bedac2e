// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// maxBytes is the default budget of a context, names and values added up. Each
// container of a pod holds one.
const maxBytes = 8 << 10

// defaultPrefix is the prefix of annotations in KEP-5915.
const defaultPrefix = "tracing.k8s.io"

// defaults are the options of package propagation that apply unless others are
// given.
var defaults = []propagation.Option{
	propagation.WithMaxBytes(maxBytes),
	propagation.WithoutBaggage(),
}

// Option configures how a context is written to an object or read from one. If an
// option is given more than once, the last one wins. Nil options are ignored.
// Every Option is a [JobsOption] too. Options that do not apply to a function are
// ignored.
type Option interface {
	JobsOption
	apply(config) config
}

// JobsOption configures [Jobs]. If an option is given more than once, the last
// one wins. Nil options are ignored.
type JobsOption interface {
	applyToJobs(jobsConfig) jobsConfig
}

type config struct {
	propagation    []propagation.Option // defaults, and those that were given.
	conflictFails  bool
	selects        func(corev1.Container) bool
	annotations    bool
	prefix         string       // of annotations.
	file           *contextFile // Or nil.
	templatePath   []string     // of an object of a kind that is not known.
	containerPaths [][]string   // the same.
	jobInfo        bool
	observer       observe.DropObserver // Or nil.
	hasResource    bool
	resource       []attribute.KeyValue // Of the options of [WithResource].
}

type jobsConfig struct {
	config

	tracerProvider trace.TracerProvider
	describe       func(error) string // nil if errors are not described.
}

func newConfig(opts []Option) config {
	cfg := config{propagation: defaults, prefix: defaultPrefix}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

func newJobsConfig(opts []JobsOption) jobsConfig {
	cfg := jobsConfig{config: newConfig(nil)}
	for _, o := range opts {
		if o != nil {
			cfg = o.applyToJobs(cfg)
		}
	}
	return cfg
}

// option implements Option by a function.
type option func(*config)

func (o option) apply(cfg config) config {
	o(&cfg)
	return cfg
}

func (o option) applyToJobs(cfg jobsConfig) jobsConfig {
	o(&cfg.config)
	return cfg
}

// jobsOption implements JobsOption by a function.
type jobsOption func(*jobsConfig)

func (o jobsOption) applyToJobs(cfg jobsConfig) jobsConfig {
	o(&cfg)
	return cfg
}

// WithPropagation sets options of package propagation: the propagator, the
// policy, the limit and the baggage. If it is given more than once, all of them
// apply, in order.
//
// The defaults are a limit of 8 KiB, for each container, and no baggage, because
// objects are stored, and read by whoever may see pods. The variables of all containers
// of an object have at most 512 KiB, whatever the limit, so that it can be stored. With
// [propagation.KeepExisting] a container that holds a valid context stays as it
// is, also one that gets it by ValueFrom, and so do annotations that hold one.
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

func (o propagationOption) applyToJobs(cfg jobsConfig) jobsConfig {
	cfg.config = o.apply(cfg.config)
	return cfg
}

// WithErrorOnConflict makes a function return [ErrConflict] if the object holds
// another context, and leave the object unchanged. [InjectEnv], which returns no
// error, leaves the environment unchanged. It has no effect with
// [propagation.Replace].
func WithErrorOnConflict() Option {
	return option(func(cfg *config) { cfg.conflictFails = true })
}

// WithContainers selects the containers and init containers to inject into: those
// for which selects returns true. If selects is nil or panics, a container is
// selected. The default is all. A sidecar is an init container with a
// RestartPolicy.
//
// A container that is not selected gets no context, but another context that it
// holds in literal values is replaced.
func WithContainers(selects func(corev1.Container) bool) Option {
	return option(func(cfg *config) { cfg.selects = selects })
}

// WithAnnotations writes the context to annotations of the pod, called
// PREFIX/traceparent and so on, and makes the variables of the containers refer
// to them. Use it for a Job that is suspended at first: its annotations can be
// changed until it starts. If prefix is empty, it is "tracing.k8s.io".
//
// An object has at most 256 KiB of annotations. Over that limit the baggage is
// dropped first, then the tracestate, then the waybill. If there is no room for
// the rest, the error is [ErrTooLarge].
//
// [InjectAnnotations] and [ReadAnnotations] use the prefix too. The option has no
// effect on [InjectEnv], which has no pod.
func WithAnnotations(prefix string) Option {
	if prefix == "" {
		prefix = defaultPrefix
	}
	return option(func(cfg *config) { cfg.annotations, cfg.prefix = true, prefix })
}

// AnyField stands for every element of a list or a map in the fields of
// [WithPodTemplatePath] and [WithContainerPath].
const AnyField = "*"

// WithPodTemplatePath sets the fields that lead to the pod template in an object
// of the dynamic client, such as "spec", "template". [InjectObject] needs it for
// kinds that it does not know. Use it for kinds whose objects start one run each.
// With [AnyField] there may be several templates. A value with {{ or $( is not written
// then, because some of these kinds expand it.
func WithPodTemplatePath(fields ...string) Option {
	fields = slices.Clone(fields)
	return option(func(cfg *config) { cfg.templatePath = fields })
}

// WithContainerPath sets the fields that lead to a container in an object of the dynamic
// client whose containers are not in a pod template, such as "spec", "taskSpec", "steps",
// [AnyField]. A container is whatever has an env. If it is given more than once, all of the
// paths apply. [WithAnnotations] has no effect on these containers, whose pod is not known.
// A value with {{ or $( is not written, as for [WithPodTemplatePath].
func WithContainerPath(fields ...string) Option {
	fields = slices.Clone(fields)
	return option(func(cfg *config) { cfg.containerPaths = append(slices.Clip(cfg.containerPaths), fields) })
}

// isOfOthers reports whether objects are of kinds of other projects.
func (cfg *config) isOfOthers() bool { return len(cfg.templatePath)+len(cfg.containerPaths) > 0 }

// WithJobInfo gives each selected container the names and ids of its Job and pod,
// in variables that envcarrier.KubernetesJob reads: WAYBILL_JOB_NAME,
// WAYBILL_JOB_UID, WAYBILL_JOB_FAILURES, WAYBILL_POD_NAME, WAYBILL_POD_NAMESPACE
// and WAYBILL_POD_UID. They refer to fields of the pod, so they are right for
// each pod of a Job. It has no effect on [InjectEnv].
func WithJobInfo() Option {
	return option(func(cfg *config) { cfg.jobInfo = true })
}

// WithObserver sets an observer that is notified when a part of the context, or of the
// attributes of [WithResource], is left out: with [observe.DropUnsafe] for each value
// that no process can get, and with [observe.DropTooLarge] if a part does not fit. By
// default, nothing is notified. A panic of the observer is ignored. Package metrics has
// an observer for Prometheus.
func WithObserver(observer observe.DropObserver) Option {
	return option(func(cfg *config) { cfg.observer = observer })
}

// drop reports that something is left out.
func (cfg *config) drop(reason string) {
	if cfg.observer == nil {
		return
	}
	defer contain()
	cfg.observer.Dropped(observe.Drop{Reason: reason})
}

// WithTracerProvider sets the tracer provider of [Jobs]. If p is nil, the global
// one at the time of the call is used.
func WithTracerProvider(p trace.TracerProvider) JobsOption {
	return jobsOption(func(cfg *jobsConfig) { cfg.tracerProvider = p })
}

// WithErrorDescription records the text that f returns for an error as the
// description of the span's status. If f is nil, it is the text of the error. The
// default is error.type alone, because the text of an error may hold data.
func WithErrorDescription(f func(error) string) JobsOption {
	if f == nil {
		f = error.Error
	}
	return jobsOption(func(cfg *jobsConfig) { cfg.describe = f })
}
