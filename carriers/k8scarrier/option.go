// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"go.opentelemetry.io/otel/trace"
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/propagation"
)

// maxBytes is the default budget of a context, names and values added up. Each
// container of a pod holds one.
const maxBytes = 8 << 10

// Option changes how a context is put on an object or taken off it. When one is
// given twice the last counts, and a nil one does not count.
type Option interface {
	apply(config) config
}

type config struct {
	forward       [slots]propagation.Option // the options of propagation, each in its slot.
	policy        propagation.Policy
	conflictFails bool
	selects       func(corev1.Container) bool
	prefix        string // of annotation keys.
	annotations   bool
	jobInfo       bool
	provider      trace.TracerProvider
}

const (
	slotPolicy = iota
	slotPropagator
	slotMaxBytes
	slotBaggage
	slots
)

func newConfig(opts []Option) config {
	cfg := config{
		forward: [slots]propagation.Option{
			// A parcel is empty; this makes it learn the fields of the propagator.
			slotPolicy:   propagation.WithPolicy(propagation.Replace),
			slotMaxBytes: propagation.WithMaxBytes(maxBytes),
			slotBaggage:  propagation.WithoutBaggage(),
		},
		prefix: defaultPrefix,
	}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// forward puts an option of propagation in its slot.
func forward(slot int, value propagation.Option) Option {
	return optionFunc(func(cfg config) config { cfg.forward[slot] = value; return cfg })
}

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call, or [propagation.Default] if that was never set.
func WithPropagator(p propagation.TextMapPropagator) Option {
	return forward(slotPropagator, propagation.WithPropagator(p))
}

// WithPolicy sets what happens to a context the object holds already. By
// default, for the zero Policy, a span in ctx replaces it, and without one the
// object stays as it is. [propagation.Replace] removes it then too.
// [propagation.KeepExisting] leaves a container alone that holds a valid
// context, or one whose value comes from elsewhere, and annotations that hold a
// valid context; the environment refers to those then.
func WithPolicy(p propagation.Policy) Option {
	return optionFunc(func(cfg config) config { cfg.policy = p; return cfg })
}

// WithErrorOnConflict makes another context on the object an [ErrConflict], and
// leaves the object as it is. [InjectEnv], which returns no error, then leaves
// the environment as it is too. It has no effect with [propagation.Replace].
func WithErrorOnConflict() Option {
	return optionFunc(func(cfg config) config { cfg.conflictFails = true; return cfg })
}

// WithMaxBytes limits the context in each container to n bytes, names and
// values added up: over it the baggage goes first, then the tracestate, then
// the waybill, each whole. The default is 8 KiB. An n of 0 or less means no
// limit.
func WithMaxBytes(n int) Option {
	return forward(slotMaxBytes, propagation.WithMaxBytes(n))
}

// WithBaggage lets the baggage members named keys pass, and no other, in both
// directions. By default none passes: objects are stored, and read by whoever
// may look at pods.
func WithBaggage(keys ...string) Option {
	return forward(slotBaggage, propagation.WithBaggage(keys...))
}

// WithoutBaggage lets no baggage pass, which is the default.
func WithoutBaggage() Option {
	return forward(slotBaggage, propagation.WithoutBaggage())
}

// WithContainers injects only into the containers and init containers for which
// selects returns true. By default, and if selects is nil or panics, it is all
// of them. A sidecar is an init container with a RestartPolicy.
func WithContainers(selects func(corev1.Container) bool) Option {
	return optionFunc(func(cfg config) config { cfg.selects = selects; return cfg })
}

// WithAnnotations puts the context in annotations of the pod, under
// PREFIX/traceparent and so on, and makes the variables of the containers refer
// to them. It suits a Job that is suspended at first: its annotations can be
// changed until it starts. The default prefix, for "", is tracing.k8s.io.
//
// Over 256 KiB of annotations the baggage is left out first, then the
// tracestate, then the waybill; with no room for the rest it is an
// [ErrTooLarge].
//
// The prefix is also that of [InjectAnnotations] and [ReadAnnotations]. It has
// no effect on [InjectEnv], which has no pod.
func WithAnnotations(prefix string) Option {
	return optionFunc(func(cfg config) config {
		cfg.annotations, cfg.prefix = true, prefix
		if prefix == "" {
			cfg.prefix = defaultPrefix
		}
		return cfg
	})
}

// WithJobInfo tells each container which Job, pod and attempt it is, in
// variables that KubernetesJob of carriers/envcarrier reads: WAYBILL_JOB_NAME,
// WAYBILL_JOB_UID, WAYBILL_JOB_FAILURES, WAYBILL_POD_NAME,
// WAYBILL_POD_NAMESPACE and WAYBILL_POD_UID. They refer to fields of the pod,
// so they are right for each pod of a Job. It has no effect on [InjectEnv].
func WithJobInfo() Option {
	return optionFunc(func(cfg config) config { cfg.jobInfo = true; return cfg })
}

// WithTracerProvider makes the spans of [Jobs] with p; nil means the global one
// at the time of the call.
func WithTracerProvider(p trace.TracerProvider) Option {
	return optionFunc(func(cfg config) config { cfg.provider = p; return cfg })
}
