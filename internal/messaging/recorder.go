// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/propagation"
)

// Config says for whom and how a [Recorder] records. A nil provider is the
// global one at the time of a call.
type Config struct {
	Scope  string // The path of the recording package, relative to the module.
	System string // The value of messaging.system.

	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	Observer       observe.MessagingObserver

	Group    string // The consumer group, if there is one.
	ClientID string
	Server   string // Host and port, if exactly one is known.

	// Start says how the spans of consumers relate to the contexts of messages.
	Start []propagation.StartOption
	// Describe returns the status description of a failed span. If nil, it is
	// the error.type.
	Describe func(error) string
	// Template returns the name that spans and metrics of a destination have. If
	// nil, or if it returns an empty name or panics, it is the destination.
	Template func(destination string) string

	WithPollSpan      bool // Records a span for each poll that delivered a message or failed.
	WithPartitions    bool // Adds the partition to OpenTelemetry metrics.
	WithoutCreateSpan bool // Records one span for a call that sends several messages.
}

// Recorder records what one client does. It is safe for concurrent use.
type Recorder struct {
	cfg    Config
	common []attribute.KeyValue // Of all spans.
	tracer *scope.Tracer

	contained contained // Starts spans of tracer.

	isUntrusted bool // Reports whether Config.Start says so of messages.

	instruments  atomic.Pointer[instruments]
	templates    *bounded.Table[class, *template]
	destinations *bounded.Map[*destination]
}

// maxKept is how many templates of spans, series and destinations are kept. The
// names of what comes later are made anew, and its series have the destination
// _OTHER.
const maxKept = 1000

// New returns a Recorder.
func New(cfg Config) *Recorder {
	cfg.Start = slices.Clip(slices.DeleteFunc(slices.Clone(cfg.Start), func(o propagation.StartOption) bool { return o == nil }))
	cfg.Group = safe.Text(cfg.Group, safe.MaxName)
	r := &Recorder{cfg: cfg, tracer: scope.NewTracer(cfg.Scope, cfg.TracerProvider, semconv.SchemaURL)}
	r.contained.r = r
	if cfg.ClientID != "" {
		r.common = append(r.common, Text(keyClientID, cfg.ClientID))
	}
	r.common = slices.Clip(append(r.common, serverAttributes(cfg.Server)...))
	ctx, _ := propagation.Start(safe.Context(nil), nil, "", nil, r.cfg.Start...) //nolint:staticcheck // nil is taken.
	r.isUntrusted = propagation.IsUntrusted(ctx)
	r.templates = bounded.NewTable(maxKept, r.newTemplate)
	r.destinations = bounded.NewMap(maxKept, r.newDestination)
	return r
}

// Group returns the consumer group.
func (r *Recorder) Group() string { return r.cfg.Group }

// IsObserved reports whether there is an observer.
func (r *Recorder) IsObserved() bool { return r.cfg.Observer != nil }

// Drop reports that the context of a message for or from destination was lost,
// or a part of it.
func (r *Recorder) Drop(reason, destination string) {
	if r.cfg.Observer != nil {
		r.drop(reason, r.destinationOf(destination).name)
	}
}

// clock returns the time if the instrument is enabled or anyone observes, and
// the zero time if nobody needs it.
func (r *Recorder) clock(ctx context.Context, i instrument) time.Time {
	if r.cfg.Observer == nil && !r.isEnabled(ctx, i) {
		return time.Time{}
	}
	return time.Now()
}
