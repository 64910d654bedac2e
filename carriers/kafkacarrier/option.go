// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"context"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// Option changes how a context is carried and what is recorded. When one is
// given twice the last counts, and a nil one does not count. One that has no
// meaning for a function has no effect on it.
type Option interface {
	apply(config) config
}

type optionFunc func(config) config

func (f optionFunc) apply(cfg config) config { return f(cfg) }

// config is passed by value. The options of propagation are kept in arrays, so
// that handing them on costs nothing.
type config struct {
	propagator     propagation.Option
	policy         propagation.Policy
	maxBytes       int
	baggage        propagation.Option
	withoutInject  bool
	withoutExtract bool

	outbound  [4]propagation.Option // What Inject is called with.
	outbounds int
	inbound   [2]propagation.Option // What Extract and Read are called with.
	inbounds  int

	tracerProvider trace.TracerProvider
	meterProvider  metric.MeterProvider
	observer       Observer

	start          []propagation.StartOption
	messageContext func(kafka.Message) context.Context
	template       func(topic string) string
	group          string
	clientID       string
	formatKey      func(key []byte) string
	headers        []string
	describe       func(error) string

	withoutCreate  bool
	withoutCommit  bool
	withPoll       bool
	withTimestamps bool
	withPartitions bool
	idle           time.Duration
	interval       time.Duration
}

// noBaggage keeps baggage off the topics of those who did not ask for it.
var noBaggage = propagation.WithoutBaggage() //nolint:gochecknoglobals // constant.

// outboundByDefault is what newConfig makes of no options, which is what most
// calls have.
var outboundByDefault = [...]propagation.Option{noBaggage} //nolint:gochecknoglobals // constant.

func newConfig(opts []Option) config {
	var cfg config
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	if cfg.propagator != nil {
		cfg.send(cfg.propagator)
		cfg.receive(cfg.propagator)
	}
	if cfg.policy != 0 {
		cfg.send(propagation.WithPolicy(cfg.policy))
	}
	if cfg.baggage != nil {
		cfg.send(cfg.baggage)
		cfg.receive(cfg.baggage)
	} else {
		cfg.send(noBaggage)
	}
	if cfg.maxBytes > 0 {
		cfg.send(propagation.WithMaxBytes(cfg.maxBytes)) // The last one: see NewWriter.
	}
	return cfg
}

func (cfg *config) send(o propagation.Option) {
	cfg.outbound[cfg.outbounds] = o
	cfg.outbounds++
}

func (cfg *config) receive(o propagation.Option) {
	cfg.inbound[cfg.inbounds] = o
	cfg.inbounds++
}

// read returns the context that msg carries; none if the propagator panics.
func (cfg *config) read(msg *kafka.Message) (remote propagation.Remote) {
	defer contain()
	if cfg.withoutExtract || len(msg.Headers) == 0 {
		return propagation.Remote{}
	}
	return propagation.Read(msg.Headers, getter{}, cfg.inbound[:cfg.inbounds]...)
}

// keepsExisting reports whether what a message gets depends on what it has.
func (cfg *config) keepsExisting() bool { return cfg.policy == propagation.KeepExisting }

// WithPropagator uses p instead of the global propagator; nil means the global
// one at the time of the call. To read and write headers of other names, give a
// p that maps them.
func WithPropagator(p propagation.TextMapPropagator) Option {
	var o propagation.Option
	if p != nil {
		o = propagation.WithPropagator(p)
	}
	return optionFunc(func(cfg config) config { cfg.propagator = o; return cfg })
}

// WithPolicy sets what happens to a context that a message holds already. With
// [propagation.KeepExisting] a [Writer] leaves it alone and links to it.
func WithPolicy(p propagation.Policy) Option {
	return optionFunc(func(cfg config) config { cfg.policy = p; return cfg })
}

// WithMaxBytes limits what a context adds to a message to n bytes, as
// [propagation.WithMaxBytes] does. A [Writer] counts what it leaves out as
// too_large. An n of 0 or less means no limit.
func WithMaxBytes(n int) Option {
	return optionFunc(func(cfg config) config { cfg.maxBytes = n; return cfg })
}

// WithBaggage lets the baggage members named keys pass, and no other, both onto
// messages and off them. Without this option none is written, and all is read.
func WithBaggage(keys ...string) Option {
	o := propagation.WithBaggage(keys...)
	return optionFunc(func(cfg config) config { cfg.baggage = o; return cfg })
}

// WithoutBaggage lets no baggage pass, neither onto messages nor off them.
func WithoutBaggage() Option {
	return optionFunc(func(cfg config) config { cfg.baggage = noBaggage; return cfg })
}

// WithoutInject lets a [Writer] and [Forward] leave the headers of messages as
// they are. Spans and metrics are recorded all the same.
func WithoutInject() Option {
	return optionFunc(func(cfg config) config { cfg.withoutInject = true; return cfg })
}

// WithoutExtract lets a [Reader] and [Process] not look at the headers of
// messages: what handles them starts traces of its own.
func WithoutExtract() Option {
	return optionFunc(func(cfg config) config { cfg.withoutExtract = true; return cfg })
}

// WithTracerProvider records spans with provider instead of the global one; nil
// means the global one at the time of the call.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return optionFunc(func(cfg config) config { cfg.tracerProvider = provider; return cfg })
}

// WithMeterProvider records metrics with provider instead of the global one,
// which nil means.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return optionFunc(func(cfg config) config { cfg.meterProvider = provider; return cfg })
}

// WithObserver tells observer what happens; nil means no one, which is the
// default. One observer may serve many readers and writers.
func WithObserver(observer Observer) Option {
	return optionFunc(func(cfg config) config { cfg.observer = observer; return cfg })
}

// WithStartOptions says how the spans of [Process] and [ProcessBatch], and
// those of a [Reader], relate to the context of the messages: see
// [propagation.AsParent], [propagation.AsLink], [propagation.WithMaxAge] and
// [propagation.WithUntrusted].
func WithStartOptions(opts ...propagation.StartOption) Option {
	opts = slices.Clone(opts)
	return optionFunc(func(cfg config) config { cfg.start = opts; return cfg })
}

// WithMessageContext makes a [Writer] take the context of each message from f,
// so that a batch filled by many requests keeps the trace of each. The message
// is as the caller gave it; its WriterData is a place to keep a context. A nil
// f, or one that returns nil or panics, means the ctx of WriteMessages.
func WithMessageContext(f func(kafka.Message) context.Context) Option {
	return optionFunc(func(cfg config) config { cfg.messageContext = f; return cfg })
}

// WithTopicTemplate names spans and metrics by what f returns for a topic, for
// topics whose names are generated: f must return few values. A nil f, or one
// that returns "" or panics, means the topic itself.
func WithTopicTemplate(f func(topic string) string) Option {
	return optionFunc(func(cfg config) config { cfg.template = f; return cfg })
}

// WithGroup names the consumer group for [Process] and [ProcessBatch]; a
// [Reader] knows its own.
func WithGroup(group string) Option {
	return optionFunc(func(cfg config) config { cfg.group = group; return cfg })
}

// WithMessageKey puts the key of a message on its span, as f formats it: a hash,
// for keys that tell who someone is. A nil f means the key itself. What is not
// UTF-8 is replaced, and what is longer than 128 bytes is cut. If f panics,
// there is no key.
func WithMessageKey(f func(key []byte) string) Option {
	if f == nil {
		f = func(key []byte) string { return string(key) }
	}
	return optionFunc(func(cfg config) config { cfg.formatKey = f; return cfg })
}

// WithHeaders puts the headers named keys, in any case, on the spans of
// messages as messaging.header.KEY. No others are recorded. Values are cut like
// keys are: see [WithMessageKey].
func WithHeaders(keys ...string) Option {
	keys = slices.Clone(keys)
	return optionFunc(func(cfg config) config { cfg.headers = keys; return cfg })
}

// WithErrorDescription sets the status description of failed spans to what f
// returns; a nil f means the text of the error. By default the description is
// error.type alone, because a text may hold what the message held.
func WithErrorDescription(f func(error) string) Option {
	if f == nil {
		f = func(err error) string { return err.Error() }
	}
	return optionFunc(func(cfg config) config { cfg.describe = f; return cfg })
}

// WithoutCreateSpans makes a [Writer] record one span for a call with several
// messages, instead of one for each besides. The messages then share its
// context, unless [WithMessageContext] gives them one of their own.
func WithoutCreateSpans() Option {
	return optionFunc(func(cfg config) config { cfg.withoutCreate = true; return cfg })
}

// WithoutCommitSpans makes a [Reader] record no span for commits. They are
// measured all the same.
func WithoutCommitSpans() Option {
	return optionFunc(func(cfg config) config { cfg.withoutCommit = true; return cfg })
}

// WithPollSpans makes a [Reader] record a span for each fetch that brought a
// message or failed. It is made when the fetch has returned, with its true
// start, so none is open while the topic is idle.
func WithPollSpans() Option {
	return optionFunc(func(cfg config) config { cfg.withPoll = true; return cfg })
}

// WithTimestamps makes a [Writer] set the time of messages that have none to
// that of the call, so that time in queue counts the time they waited in a
// batch. Without it kafka-go sets the time when it sends the batch.
func WithTimestamps() Option {
	return optionFunc(func(cfg config) config { cfg.withTimestamps = true; return cfg })
}

// WithPartitionMetrics adds messaging.destination.partition.id to the
// OpenTelemetry metrics: as many series more as there are partitions.
func WithPartitionMetrics() Option {
	return optionFunc(func(cfg config) config { cfg.withPartitions = true; return cfg })
}

// WithPartitionExpiry sets how long a [Reader] remembers a partition that
// brings nothing while others do: it may have gone to another member of the
// group, which kafka-go does not tell. A d of 0 or less means 10 minutes.
func WithPartitionExpiry(d time.Duration) Option {
	return optionFunc(func(cfg config) config { cfg.idle = d; return cfg })
}

// WithInterval sets how often [WatchLag] looks; a d of 0 or less means every 30
// seconds.
func WithInterval(d time.Duration) Option {
	return optionFunc(func(cfg config) config { cfg.interval = d; return cfg })
}
