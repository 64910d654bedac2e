// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Option configures a pipeline or a stage. An option of [NewPipeline] applies to
// all stages of the pipeline and to its runs; an option of [Pipeline.Stage]
// applies to that stage and takes precedence. If an option is given more than
// once, the last one wins. Nil options are ignored.
type Option interface {
	apply(config) config
}

type config struct {
	source         string
	provider       trace.TracerProvider
	observer       observe.StageObserver
	classifier     func(context.Context, error) observe.Outcome
	describe       func(error) string // Nil without error texts.
	errorNames     []errorName
	errorTypeLimit int
	panicAsError   bool
	withoutSpans   bool
	attemptSpans   bool

	exceptions exceptionSignal
	loggers    log.LoggerProvider
	noLogger   *sync.Once // Says once that there is no logger.
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

// WithSource sets the name of the source of a stage: a topic, a table, a file.
// It is the source label of the row metrics and the etl.source attribute of the
// span. Choose it from a small set. The default is none.
func WithSource(name string) Option {
	return optionFunc(func(c config) config {
		c.source = name
		return c
	})
}

// WithTracerProvider sets the tracer provider. If provider is nil, the global
// provider at the time of the call is used, which is the default.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(c config) config {
		c.provider = provider
		return c
	})
}

// WithoutSpans disables the spans of a stage, for a stage that runs so often
// that its metrics are enough. Spans started inside the stage become children of
// the span around it.
func WithoutSpans() Option {
	return optionFunc(func(c config) config {
		c.withoutSpans = true
		return c
	})
}

// WithObserver sets an observer that is notified of events. The default is none.
func WithObserver(observer observe.StageObserver) Option {
	return optionFunc(func(c config) config {
		c.observer = observer
		return c
	})
}

// WithClassifier sets the function that decides how a stage ended, from the
// context its function was given and the error it returned, which is not nil. It
// changes the recorded outcome, not the result of the stage. The same applies to the
// span of an attempt; see [WithAttemptSpans]. It is not called for a rejection; see
// [Reject].
//
// The default is [observe.Classify], except that an error is a failure if the
// function itself canceled its context with it; see the package documentation.
// The default also applies if classify is nil, panics, or returns an unknown
// outcome.
func WithClassifier(classify func(ctx context.Context, err error) observe.Outcome) Option {
	return optionFunc(func(c config) config {
		c.classifier = classify
		return c
	})
}

// WithErrorType sets the error type of target, and of all errors that wrap it,
// to name. It may be given more than once: the outermost error that has a name
// decides, the first one of joined errors, and of its names the one given first.
// A nil target or an empty name is ignored, and so is a name that is longer than
// 128 bytes or not valid UTF-8.
func WithErrorType(target error, name string) Option {
	return optionFunc(func(c config) config {
		if target != nil && isName(name) {
			c.errorNames = append(slices.Clip(c.errorNames), errorName{target, name})
		}
		return c
	})
}

// WithErrorTypeLimit sets the number of error types of a stage. After the first
// n types, other errors are recorded as "_OTHER". The default is 32, also if n is
// less than 1.
func WithErrorTypeLimit(n int) Option {
	return optionFunc(func(c config) config {
		c.errorTypeLimit = n
		return c
	})
}

// WithErrorDescription records the text of errors on spans: as the description
// of the status instead of the error type, as the message of the exception of a
// panic, and, for a stage that was canceled or timed out, the cause of its
// context as the attribute etl.cause.
//
// The function f returns the text to record, without what must not be recorded;
// an empty text is not recorded. A panic is passed to f as a [*PanicError]. If f
// is nil, the text of the error is recorded as it is. A text is cut after 1024
// bytes. The default is that no error text is recorded, because such texts quote
// data.
func WithErrorDescription(f func(err error) string) Option {
	return optionFunc(func(c config) config {
		c.describe = f
		if f == nil {
			c.describe = error.Error
		}
		return c
	})
}

// WithPanicAsError makes a stage return a panic of its function as a
// [*PanicError]. The default is that the panic continues to the caller. In both
// cases the outcome is [observe.OutcomePanic].
func WithPanicAsError() Option {
	return optionFunc(func(c config) config {
		c.panicAsError = true
		return c
	})
}

// RunOption configures one [Pipeline.Run]. Nil options are ignored.
type RunOption interface {
	apply(runConfig) runConfig
}

type runConfig struct {
	parameters   []attribute.KeyValue
	flushes      []func(context.Context) error
	flushTimeout time.Duration
	remotes      []propagation.Remote
	start        []propagation.StartOption
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
// etl.parameter.key. It may be given more than once; of the same key, the last
// one wins. The key is cut after 256 bytes and the value after 1024; bytes that
// are not UTF-8 are replaced. The value is not redacted: it must not hold
// secrets.
func WithParameter(key, value string) RunOption {
	return runOptionFunc(func(c runConfig) runConfig {
		name := parameterPrefix + safe.Text(key, safe.MaxName)
		c.parameters = append(c.parameters, attribute.String(name, safe.Text(value, safe.MaxValue)))
		return c
	})
}

// WithRemotes starts the span of the run from the contexts that the run was started
// with, such as that of the environment of a job, as [propagation.Start] does it: a
// single remote is the parent if ctx has no span, and linked too. The context of the run has the
// baggage and the waybill of the remote. The last WithRemotes wins; without remotes,
// the run starts from ctx alone.
func WithRemotes(remotes []propagation.Remote, opts ...propagation.StartOption) RunOption {
	remotes, opts = slices.Clone(remotes), slices.Clone(opts)
	return runOptionFunc(func(c runConfig) runConfig {
		c.remotes, c.start = remotes, opts
		return c
	})
}

// WithFlush adds a function that is called after the run has ended, and its span
// with it: the ForceFlush of a tracer provider, the push of metrics, or anything
// else that a short-lived process must hand over before it exits. The functions
// are called one after another, in the order given, after success, error and
// panic alike.
//
// The functions share the time of [WithFlushTimeout]. Each is given a context that
// has the values of the run's context, is not canceled with it, and expires after
// an equal part of the time that is left: of 10 seconds, the first of two functions
// has 5, and if it returns after 1, the second has 9. A function that ignores its
// context delays the return of the run, and takes the time of the others.
//
// An error or a panic of flush is passed to [go.opentelemetry.io/otel.Handle] and
// changes nothing else. A nil function is ignored.
func WithFlush(flush func(ctx context.Context) error) RunOption {
	return runOptionFunc(func(c runConfig) runConfig {
		if flush != nil {
			c.flushes = append(c.flushes, flush)
		}
		return c
	})
}

// WithFlushTimeout sets the time that all [WithFlush] functions have together. The
// default is 10 seconds, also if d is 0 or less. It must be shorter than the grace
// period of the process: a Kubernetes pod is killed 30 seconds after it is asked to
// stop, unless its terminationGracePeriodSeconds is set.
func WithFlushTimeout(d time.Duration) RunOption {
	return runOptionFunc(func(c runConfig) runConfig {
		c.flushTimeout = defaultFlushTimeout
		if d > 0 {
			c.flushTimeout = d
		}
		return c
	})
}
