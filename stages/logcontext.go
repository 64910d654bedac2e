// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

const (
	// maxLogAttrs is how many attributes a context holds for logs.
	maxLogAttrs = 16
	// ownLogAttrs is how many attributes a handler adds to a record itself.
	ownLogAttrs = 11
)

// appendAttrs appends the attributes of a record whose context is ctx. An
// attribute of [ContextWithLogAttrs] replaces one with the same key. A panic of ctx
// or its span loses attributes, and not the record.
func (h *logHandler) appendAttrs(attrs []slog.Attr, ctx context.Context) (all []slog.Attr) { //nolint:revive // It appends, as append does.
	defer safe.Contain()
	all = attrs
	users := logAttrsFromContext(ctx)
	add := func(key string, value slog.Value) {
		if key != "" && !slices.ContainsFunc(users, func(a slog.Attr) bool { return a.Key == key }) {
			all = append(all, slog.Attr{Key: key, Value: value})
		}
	}
	addText := func(key, text string) {
		if text != "" {
			add(key, slog.StringValue(text))
		}
	}
	c := &h.config
	if span := trace.SpanContextFromContext(ctx); c.hasTraceKeys() && span.IsValid() {
		text := h.ids.of(span)
		addText(c.traceID, text[:32])
		addText(c.spanID, text[32:48])
		addText(c.traceFlags, text[48:])
	}
	if run := FromContext(ctx); run != nil {
		addText(c.pipeline, run.stage.id.Pipeline)
		addText(c.stage, run.stage.id.Stage)
	}
	if m, ok := observe.MessageFromContext(ctx); ok {
		addText(c.destinationKey(m.System), safe.Text(m.Destination, safe.MaxName))
		if m.Partition >= 0 {
			add(c.partition, slog.IntValue(m.Partition))
		}
		if m.Offset >= 0 {
			add(c.offset, slog.Int64Value(m.Offset))
		}
	}
	addText(c.job, c.jobName)
	addText(c.service, c.serviceName)
	addText(c.environment, c.environmentName)
	return append(all, users...)
}

func (c *logConfig) hasTraceKeys() bool {
	return c.traceID != "" || c.spanID != "" || c.traceFlags != ""
}

// destinationKey returns the key of the name of a destination.
func (c *logConfig) destinationKey(system string) string {
	if system == observe.SystemMongoDB {
		return c.collection
	}
	return c.topic
}

// idTexts keeps the text of recent span contexts, because a span has several records.
// A span has one place, which it shares with others. The methods take no lock.
type idTexts [64]atomic.Pointer[idText]

// idText is a trace ID, a span ID and trace flags in hexadecimal, without anything
// between them.
type idText struct {
	trace trace.TraceID
	span  trace.SpanID
	flags trace.TraceFlags
	text  string
}

// of returns the text of sc.
func (t *idTexts) of(sc trace.SpanContext) string {
	id := sc.SpanID()
	place := &t[int(id[len(id)-1])%len(t)]
	if kept := place.Load(); kept.isOf(sc) {
		return kept.text
	}
	made := &idText{trace: sc.TraceID(), span: id, flags: sc.TraceFlags()}
	made.text = made.trace.String() + made.span.String() + made.flags.String()
	place.Store(made)
	return made.text
}

// isOf reports whether t is the text of sc.
func (t *idText) isOf(sc trace.SpanContext) bool {
	return t != nil && t.trace == sc.TraceID() && t.span == sc.SpanID() && t.flags == sc.TraceFlags()
}

type logAttrsKey struct{}

// ContextWithLogAttrs returns a copy of ctx whose log records have attrs, if
// [NewLogHandler] handles them: the name of a file, for example, or the number of a
// tenant. The attributes are added to those that ctx
// has already; an attribute replaces one with the same key.
//
// A context holds 16 attributes; further attributes are ignored, and so are
// attributes without a key. They are for logs alone and do not leave the process:
// they are not on any span, metric or carrier. A nil ctx is treated as
// [context.Background].
func ContextWithLogAttrs(ctx context.Context, attrs ...slog.Attr) context.Context {
	ctx = safe.Context(ctx)
	all := slices.Clone(logAttrsFromContext(ctx))
	for _, attr := range attrs {
		i := slices.IndexFunc(all, func(a slog.Attr) bool { return a.Key == attr.Key })
		switch {
		case i >= 0:
			all[i] = attr
		case attr.Key != "" && len(all) < maxLogAttrs:
			all = append(all, attr)
		}
	}
	return context.WithValue(ctx, logAttrsKey{}, all)
}

func logAttrsFromContext(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(logAttrsKey{}).([]slog.Attr)
	return attrs
}
