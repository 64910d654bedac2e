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

	"github.com/waybill-go/waybill/internal/messaging"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// The options of what this package makes. If an option is given more than once,
// the last one wins. Nil options are ignored.
type (
	// WriterOption configures a [Writer]. Each [ClientOption] is one, and so are the
	// results of [WithBothSpellings], [WithMeterProvider], [WithObserver],
	// [WithPropagation], [WithTopicTemplate] and [WithoutInject].
	WriterOption interface {
		option
		forWriter()
	}
	// ReaderOption configures a [Reader]. Each [ClientOption] is one, and so are the
	// results of [WithMeterProvider], [WithObserver], [WithPartitionExpiry],
	// [WithPropagation], [WithStartOptions], [WithTopicTemplate] and [WithoutExtract].
	ReaderOption interface {
		option
		forReader()
	}
	// ConsumerOption configures a [Consumer]. Each [ClientOption] is one, and so are
	// the results of those that configure a [Reader], except for poll and commit.
	ConsumerOption interface {
		option
		forConsumer()
	}
	// ForwardOption configures [Forward].
	ForwardOption interface {
		option
		forForward()
	}
	// TransportOption configures a [Transport].
	TransportOption interface {
		option
		forTransport()
	}
	// LagOption configures [WatchLag].
	LagOption interface {
		option
		forLag()
	}

	// ClientOption configures a [Writer], a [Reader] or a [Consumer].
	ClientOption interface {
		WriterOption
		ReaderOption
		ConsumerOption
	}
)

// option is what all options are.
type option interface{ apply(config) config }

// setting is an option of any kind. The functions that return one say for what.
type setting func(config) config

func (s setting) apply(cfg config) config { return s(cfg) }

func (setting) forWriter()    {}
func (setting) forReader()    {}
func (setting) forConsumer()  {}
func (setting) forForward()   {}
func (setting) forTransport() {}
func (setting) forLag()       {}

// config is passed by value.
type config struct {
	recorder messaging.Config

	inbound  []propagation.Option // Those of Extract and Read,
	outbound []propagation.Option // and the options of Encode.

	withoutInject, withoutExtract, bothSpellings bool

	content        content
	messageContext func(kafka.Message) context.Context

	withTimestamps, withoutCommit bool

	expiry, interval time.Duration
}

// content is what spans show of the content of messages.
type content struct {
	key     func([]byte) string // Nil for not.
	headers []string
	value   func(key string, value []byte) string // Nil for as it is.
}

// withoutBaggage keeps baggage off the topics of those who did not ask for it.
var withoutBaggage = propagation.WithoutBaggage()

// byDefault are the options of Encode of those who give none.
var byDefault = []propagation.Option{withoutBaggage}

func newConfig[O option](opts []O) config {
	cfg := config{outbound: byDefault}
	cfg.recorder.Scope, cfg.recorder.System = "carriers/kafkacarrier", observe.SystemKafka
	for _, o := range opts {
		if any(o) != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

// WithPropagation sets options of package propagation: the propagator, the
// policy, the limit, the baggage and the age of waybills. If it is given more
// than once, all of them apply, in order.
//
// By default baggage is read and not written, because a topic retains what is
// written to it. With [propagation.KeepExisting] a [Writer] leaves a context
// that a message carries unchanged and links to it.
func WithPropagation(opts ...propagation.Option) interface {
	ClientOption
	ForwardOption
} {
	in := slices.Clone(opts)
	out := slices.Concat(byDefault, opts) // Without an allocation where there is one such option.
	return setting(func(cfg config) config {
		if len(cfg.inbound) == 0 {
			cfg.inbound, cfg.outbound = in, out
		} else {
			cfg.inbound, cfg.outbound = slices.Concat(cfg.inbound, in), slices.Concat(cfg.outbound, in)
		}
		return cfg
	})
}

// WithTracerProvider sets the provider of tracers. If provider is nil, the global
// provider at the time of a call is used.
func WithTracerProvider(provider trace.TracerProvider) ClientOption {
	return setting(func(cfg config) config { cfg.recorder.TracerProvider = provider; return cfg })
}

// WithMeterProvider sets the provider of OpenTelemetry meters. If provider is
// nil, the global provider at the time of a call is used.
func WithMeterProvider(provider metric.MeterProvider) interface {
	ClientOption
	TransportOption
} {
	return setting(func(cfg config) config { cfg.recorder.MeterProvider = provider; return cfg })
}

// WithObserver sets an observer that is notified of events. The default is none.
// One observer may serve many readers and writers.
func WithObserver(observer observe.MessagingObserver) interface {
	ClientOption
	LagOption
} {
	return setting(func(cfg config) config { cfg.recorder.Observer = observer; return cfg })
}

// WithErrorDescription sets the status description of failed spans to f(err). If
// f is nil, it is err.Error(). By default it is the error.type alone, because
// the text of an error may hold what a message held.
func WithErrorDescription(f func(error) string) ClientOption {
	if f == nil {
		f = func(err error) string { return err.Error() }
	}
	return setting(func(cfg config) config { cfg.recorder.Describe = f; return cfg })
}

// WithTopicTemplate names spans and metrics by f(topic), for topics whose names
// are generated. f must return few values, and is called once for each of the
// first 1000 topics. If f is nil, panics or returns the empty string, the topic
// is used.
func WithTopicTemplate(f func(topic string) string) interface {
	ClientOption
	LagOption
} {
	return setting(func(cfg config) config { cfg.recorder.Template = f; return cfg })
}

// WithPartitionMetrics adds messaging.destination.partition.id to OpenTelemetry
// metrics, which multiplies their series by the number of partitions.
func WithPartitionMetrics() ClientOption {
	return setting(func(cfg config) config { cfg.recorder.WithPartitions = true; return cfg })
}

// WithMessageKey records the key of a message on its span, formatted by f, for
// example as a hash, if keys may identify a person. If f is nil, the key itself
// is recorded. Bytes that are not UTF-8 are replaced, and a text of more than
// 128 bytes is cut. If f panics, no key is recorded.
func WithMessageKey(f func(key []byte) string) ClientOption {
	if f == nil {
		f = func(key []byte) string { return string(key) }
	}
	return setting(func(cfg config) config { cfg.content.key = f; return cfg })
}

// WithHeaders records the headers with the given keys, in any case, on the spans
// of messages as messaging.header.KEY, at most 16 values of each. Values are cut
// like the keys of [WithMessageKey]. To redact them, use [WithHeaderValues].
func WithHeaders(keys ...string) ClientOption {
	keys = slices.Clone(keys)
	return setting(func(cfg config) config { cfg.content.headers = keys; return cfg })
}

// WithHeaderValues records f(key, value) for each header of [WithHeaders], for
// example a hash. The key is the one given to WithHeaders. A value for which f
// returns the empty string or panics is not recorded. If f is nil, the value
// itself is recorded. f must neither modify nor retain value.
func WithHeaderValues(f func(key string, value []byte) string) ClientOption {
	return setting(func(cfg config) config { cfg.content.value = f; return cfg })
}

// WithStartOptions sets how the spans of a [Consumer] and a [Reader] relate to
// the contexts of messages: see [propagation.AsParent], [propagation.AsLink],
// [propagation.WithMaxAge] and [propagation.WithUntrusted].
func WithStartOptions(opts ...propagation.StartOption) interface {
	ReaderOption
	ConsumerOption
} {
	opts = slices.Clone(opts)
	return setting(func(cfg config) config { cfg.recorder.Start = opts; return cfg })
}

// WithoutExtract disables reading trace headers, so that handlers start new
// traces.
func WithoutExtract() interface {
	ReaderOption
	ConsumerOption
} {
	return setting(func(cfg config) config { cfg.withoutExtract = true; return cfg })
}

// WithPartitionExpiry sets how long a partition is remembered that brings no
// messages, because it may have been assigned to another member of the group:
// while others bring messages, or while the reader polls although the partition
// is known to hold more. The default is 10 minutes, also for a value of 0 or less.
func WithPartitionExpiry(d time.Duration) interface {
	ReaderOption
	ConsumerOption
} {
	return setting(func(cfg config) config { cfg.expiry = d; return cfg })
}

// WithGroup names the consumer group. A [Reader] takes it from its configuration.
func WithGroup(group string) ConsumerOption {
	return setting(func(cfg config) config { cfg.recorder.Group = group; return cfg })
}

// WithPollSpans makes a [Reader] record a span for each fetch that delivered a
// message or failed. The span is created when the fetch returns, with its true
// start time, so that no span is open while a topic is idle.
func WithPollSpans() ReaderOption {
	return setting(func(cfg config) config { cfg.recorder.WithPollSpan = true; return cfg })
}

// WithoutCommitSpans disables the spans of commits. Commits are still measured.
func WithoutCommitSpans() ReaderOption {
	return setting(func(cfg config) config { cfg.withoutCommit = true; return cfg })
}

// WithoutInject disables writing trace headers. Spans and metrics are still
// recorded.
func WithoutInject() interface {
	WriterOption
	ForwardOption
} {
	return setting(func(cfg config) config { cfg.withoutInject = true; return cfg })
}

// WithBothSpellings writes the headers of B3 and X-Ray twice: as the propagator
// spells them, and as programs in other languages do that look for one spelling
// only. Java reads X-B3-TraceId, Python and Go read x-b3-traceid.
func WithBothSpellings() interface {
	WriterOption
	ForwardOption
} {
	return setting(func(cfg config) config { cfg.bothSpellings = true; return cfg })
}

// WithMessageContext makes a [Writer] take the context of each message from f, so
// that a batch that is filled by many requests keeps the trace of each. f is
// called with the message as the caller gave it, whose WriterData may hold a
// context. If f is nil, panics or returns nil, the ctx of WriteMessages is used.
func WithMessageContext(f func(kafka.Message) context.Context) WriterOption {
	return setting(func(cfg config) config { cfg.messageContext = f; return cfg })
}

// WithoutCreateSpans makes a [Writer] record one span for a call with several
// messages, and no span for each of them. The messages then share its context,
// unless [WithMessageContext] gives them one of their own.
func WithoutCreateSpans() WriterOption {
	return setting(func(cfg config) config { cfg.recorder.WithoutCreateSpan = true; return cfg })
}

// WithTimestamps makes a [Writer] set the time of messages that have none to the
// time of the call, so that the time in queue includes the time in a batch. By
// default kafka-go sets it when it sends the batch.
func WithTimestamps() WriterOption {
	return setting(func(cfg config) config { cfg.withTimestamps = true; return cfg })
}

// WithInterval sets how often [WatchLag] reads the lag. The default is 30 seconds,
// also for a value of 0 or less.
func WithInterval(d time.Duration) LagOption {
	return setting(func(cfg config) config { cfg.interval = d; return cfg })
}
