// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Option configures a pipeline or a stage. Given to [NewPipeline] it holds for
// all stages of the pipeline and for its runs; given to [Pipeline.Stage] it
// holds for that stage and takes precedence.
type Option interface {
	apply(config) config
}

type config struct {
	source         string
	provider       trace.TracerProvider
	observer       Observer
	classifier     func(context.Context, error) Outcome
	redactor       func(error) string
	errorNames     []errorName
	errorTypeLimit int
	panicAsError   bool
	withoutSpans   bool
}

const defaultErrorTypeLimit = 32

func newConfig(c config, opts []Option) config {
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithSource names what a stage reads from: a topic, a table, a file. It is
// the source label of the row metrics and the etl.source attribute of the
// span. Choose it from a small set; the default is none.
func WithSource(name string) Option {
	return optionFunc(func(c config) config {
		c.source = name
		return c
	})
}

// WithTracerProvider sets the provider of the spans. The default, also of a
// nil provider, is the global one at the time a stage runs.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(c config) config {
		c.provider = provider
		return c
	})
}

// WithoutSpans makes a stage start no span, for one that runs so often that
// its metrics are enough. Spans started inside it are children of the span
// around it.
func WithoutSpans() Option {
	return optionFunc(func(c config) config {
		c.withoutSpans = true
		return c
	})
}

// WithObserver sets what measures the stages. The default, also of a nil
// observer, is none.
func WithObserver(observer Observer) Option {
	return optionFunc(func(c config) config {
		c.observer = observer
		return c
	})
}

// WithClassifier sets the rule that says how a stage ended, from the context
// its function got and the error it returned, which is not nil.
// It changes what is recorded, not what the stage returns. The default, also
// of a nil function, is [Classify], which is also used when the classifier
// panics or returns no [Outcome] of this package.
func WithClassifier(classify func(ctx context.Context, err error) Outcome) Option {
	return optionFunc(func(c config) config {
		c.classifier = classify
		return c
	})
}

// WithErrorType gives target, and all errors that wrap it, the error type
// name. It may be given many times: the outermost error that has a name counts,
// the first of joined ones, and of its names the one given first. A nil target
// or an empty name is ignored.
func WithErrorType(target error, name string) Option {
	return optionFunc(func(c config) config {
		if target != nil && name != "" {
			c.errorNames = append(slices.Clip(c.errorNames), errorName{target, name})
		}
		return c
	})
}

// WithErrorTypeLimit sets how many error types a stage may have; all that come
// after the first n are recorded as _OTHER. The default, also of an n below
// one, is 32.
func WithErrorTypeLimit(n int) Option {
	return optionFunc(func(c config) config {
		c.errorTypeLimit = n
		return c
	})
}

// WithRedactor puts the text of errors on spans, after redact has taken out
// what must not be there: on the status instead of the error type, and, for a
// stage that was cancelled or timed out, the cause of its context as the
// attribute etl.cause. An empty text is not recorded. A panic is given to it
// as a [*PanicError].
//
// The default, also of a nil function, is that no error text is recorded,
// because such texts quote data.
func WithRedactor(redact func(err error) string) Option {
	return optionFunc(func(c config) config {
		c.redactor = redact
		return c
	})
}

// WithPanicAsError makes a stage return a panic of its function as a
// [*PanicError]. The default is that the panic goes on to the caller. In both
// cases the outcome is [OutcomePanic].
func WithPanicAsError() Option {
	return optionFunc(func(c config) config {
		c.panicAsError = true
		return c
	})
}

// RunOption configures one [Pipeline.Run].
type RunOption interface {
	apply(runConfig) runConfig
}

type runConfig struct {
	parameters   []attribute.KeyValue
	flushes      []func(context.Context) error
	flushTimeout time.Duration
}

const defaultFlushTimeout = 10 * time.Second

func newRunConfig(opts []RunOption) runConfig {
	c := runConfig{flushTimeout: defaultFlushTimeout}
	for _, opt := range opts {
		if opt != nil {
			c = opt.apply(c)
		}
	}
	return c
}

type runOptionFunc func(runConfig) runConfig

func (f runOptionFunc) apply(c runConfig) runConfig { return f(c) }

// WithParameter records a parameter of the run on its span, as the attribute
// etl.parameter.key. It may be given many times; the last of the same key
// wins. The value is recorded as it is: give no secrets.
func WithParameter(key, value string) RunOption {
	return runOptionFunc(func(c runConfig) runConfig {
		c.parameters = append(c.parameters, attribute.String(parameterPrefix+key, value))
		return c
	})
}

// WithFlush adds a function that is called when the run is over and its span
// has ended: the ForceFlush of a tracer provider, the push of metrics, or
// whatever a short-lived process must hand over before it ends. The functions
// are called one after the other, in the order they were given, after success,
// error and panic alike, and with a context of their own: it keeps the values
// of the run's context, is not cancelled with it, and ends after the flush
// timeout.
//
// An error or a panic of flush goes to [go.opentelemetry.io/otel.Handle] and
// changes nothing else. A nil function is ignored. A function that does not
// heed its context delays the return of the run.
func WithFlush(flush func(ctx context.Context) error) RunOption {
	return runOptionFunc(func(c runConfig) runConfig {
		if flush != nil {
			c.flushes = append(c.flushes, flush)
		}
		return c
	})
}

// WithFlushTimeout sets the time each [WithFlush] function has. The default,
// also of a d of zero or less, is 10 seconds.
func WithFlushTimeout(d time.Duration) RunOption {
	return runOptionFunc(func(c runConfig) runConfig {
		c.flushTimeout = defaultFlushTimeout
		if d > 0 {
			c.flushTimeout = d
		}
		return c
	})
}
