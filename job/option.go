// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package job

import (
	"os"
	"slices"
	"time"

	"github.com/waybill-go/waybill/propagation"
	"github.com/waybill-go/waybill/stages"
)

// The defaults.
const (
	// DefaultMaxAge is the age from which the context that a job was started with is
	// linked, and no longer the parent.
	DefaultMaxAge = 20 * time.Minute

	// DefaultAnnotations is the file with the annotations of the pod, and
	// DefaultAnnotationPrefix the prefix of a context there.
	DefaultAnnotations      = "/etc/podinfo/annotations"
	DefaultAnnotationPrefix = "tracing.k8s.io"
)

// Option configures [Run] and [Main]. If an option is given more than once, the last
// one wins, except for [WithRunOptions], [WithStartOptions] and [WithPropagation]. Nil
// options are ignored.
type Option interface {
	apply(config) config
}

// ReadOption configures [Read], [Run] and [Main]: it says where the context is.
type ReadOption interface {
	Option
	isReadOption()
}

type config struct {
	environ          []string // Not nil.
	args             []string
	annotations      string
	annotationPrefix string
	propagation      []propagation.Option

	start []propagation.StartOption
	run   []stages.RunOption
}

func newConfig[O Option](opts []O) config {
	c := config{
		args:             os.Args[min(1, len(os.Args)):],
		annotations:      DefaultAnnotations,
		annotationPrefix: DefaultAnnotationPrefix,
	}
	for _, o := range opts {
		if any(o) != nil {
			c = o.apply(c)
		}
	}
	if c.environ == nil {
		c.environ = os.Environ()
	}
	return c
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// readOption is an option that is a [ReadOption], too.
type readOption struct{ optionFunc }

func (readOption) isReadOption() {}

// WithEnviron looks in environ, a list of NAME=value, for the context, the creator of a
// CronJob and the attempt of a Kubernetes Job. The default, also if environ is nil, is
// the environment of the process.
func WithEnviron(environ []string) ReadOption {
	return readOption{func(c config) config { c.environ = environ; return c }}
}

// WithArgs looks for the context in the flags of args, as in --traceparent=VALUE. The
// default is os.Args[1:]; nil looks nowhere.
func WithArgs(args []string) ReadOption {
	return readOption{func(c config) config { c.args = args; return c }}
}

// WithAnnotations looks for the context in file, which has the annotations of the pod
// as the downward API of Kubernetes writes them, under keys that begin with prefix and
// a slash. The defaults are [DefaultAnnotations] and [DefaultAnnotationPrefix]. An
// empty file looks nowhere, and an empty prefix is the default. Of file, at most 1 MiB
// is read, and nothing if it is not a regular file.
func WithAnnotations(file, prefix string) ReadOption {
	if prefix == "" {
		prefix = DefaultAnnotationPrefix
	}
	return readOption{func(c config) config {
		c.annotations, c.annotationPrefix = file, prefix
		return c
	}}
}

// WithPropagation sets how the context is read, as by its propagator or by the members of
// the baggage that are accepted, see [propagation.WithBaggage]. By default no baggage is.
func WithPropagation(opts ...propagation.Option) ReadOption {
	opts = slices.Clone(opts)
	return readOption{func(c config) config {
		c.propagation = slices.Concat(c.propagation, opts)
		return c
	}}
}

// WithStartOptions sets how the span of the run relates to the context, as
// [propagation.Start] does it: [propagation.AsLink] for runs that are queued for long or
// must be sampled by themselves, [propagation.WithUntrusted] for a creator that is not
// trusted, [propagation.WithMaxAge] for another age than [DefaultMaxAge].
func WithStartOptions(opts ...propagation.StartOption) Option {
	opts = slices.Clone(opts)
	return optionFunc(func(c config) config {
		c.start = slices.Concat(c.start, opts)
		return c
	})
}

// WithRunOptions adds options of the run of the pipeline, such as
// [stages.WithParameter] and [stages.WithFlush].
func WithRunOptions(opts ...stages.RunOption) Option {
	opts = slices.Clone(opts)
	return optionFunc(func(c config) config {
		c.run = slices.Concat(c.run, opts)
		return c
	})
}
