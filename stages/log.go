// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// The keys of a log record. The first three are those that OpenTelemetry gives
// to logs in formats of others:
// https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
const (
	logTraceID    = "trace_id"
	logSpanID     = "span_id"
	logTraceFlags = "trace_flags"
	logPipeline   = "pipeline"
	logStage      = "stage"

	// ownLogAttrs is how many of them there are.
	ownLogAttrs = 5
	// maxLogAttrs is how many attributes a context holds for logs.
	maxLogAttrs = 16
)

// NewLogHandler returns a handler that adds to each record where it comes from,
// and leaves the rest to handler:
//
//   - trace_id, span_id and trace_flags of the span in the context of the
//     record, sampled or not, if that is a valid one;
//   - pipeline and stage of the innermost [Run] in the context, if there is one,
//     and of a whole run of a pipeline the pipeline alone;
//   - the attributes of [ContextWithLogAttrs].
//
// They stand at the top level of the record, after its own attributes, also if
// the logger has open groups: handler then gets the groups as attributes of the
// record. A record that has none of them passes as it is. What the user logs
// under the same keys is kept, and baggage is not logged. A record of an error
// does not touch the span.
//
// A handler that was made by NewLogHandler is returned as it is. A nil handler
// discards all, and a nil context is taken as [context.Background]. The handler
// is safe for concurrent use if the one it was made of is. Only the calls of a
// logger that take a context have one to look into: InfoContext, not Info.
func NewLogHandler(handler slog.Handler) slog.Handler {
	if handler == nil {
		return slog.DiscardHandler
	}
	if own, ok := handler.(*logHandler); ok {
		return own
	}
	return &logHandler{grouped: handler, root: handler}
}

// logHandler keeps the groups that are open, because a handler that was told of
// them writes nothing outside of them any more.
type logHandler struct {
	grouped slog.Handler // Was told of all groups and attributes.
	root    slog.Handler // Was told of the attributes before the first group.
	groups  []logGroup   // The groups since, the outermost first.
}

// logGroup is an open group and the attributes that were given while it was the
// innermost one.
type logGroup struct {
	name  string
	attrs []slog.Attr
}

// Enabled implements [slog.Handler].
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.grouped.Enabled(orBackground(ctx), level)
}

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	ctx = orBackground(ctx)
	var room [ownLogAttrs + maxLogAttrs]slog.Attr // Stays on the stack.
	attrs := appendLogAttrs(room[:0], ctx)
	if len(attrs) == 0 {
		return h.grouped.Handle(ctx, record)
	}
	if len(h.groups) == 0 {
		record = record.Clone()
	} else {
		record = h.ungrouped(record)
	}
	record.AddAttrs(attrs...)
	return h.root.Handle(ctx, record)
}

// ungrouped returns record with the open groups as attributes.
func (h *logHandler) ungrouped(record slog.Record) slog.Record {
	innermost := h.groups[len(h.groups)-1]
	attrs := make([]slog.Attr, 0, len(innermost.attrs)+record.NumAttrs())
	attrs = append(attrs, innermost.attrs...)
	record.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	group := slog.Attr{Key: innermost.name, Value: slog.GroupValue(attrs...)}
	for _, outer := range slices.Backward(h.groups[:len(h.groups)-1]) {
		group = slog.Attr{Key: outer.name, Value: slog.GroupValue(append(slices.Clip(outer.attrs), group)...)}
	}
	whole := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	whole.AddAttrs(group)
	return whole
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	attrs = slices.Clone(attrs) // The handlers below own what they get.
	next := &logHandler{grouped: h.grouped.WithAttrs(slices.Clone(attrs)), groups: slices.Clone(h.groups)}
	if len(h.groups) == 0 {
		next.root = next.grouped
		return next
	}
	next.root = h.root
	innermost := &next.groups[len(next.groups)-1]
	innermost.attrs = slices.Concat(innermost.attrs, attrs)
	return next
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{
		grouped: h.grouped.WithGroup(name),
		root:    h.root,
		groups:  append(slices.Clip(h.groups), logGroup{name: name}),
	}
}

// appendLogAttrs appends what a record with the context ctx is to have.
func appendLogAttrs(attrs []slog.Attr, ctx context.Context) []slog.Attr { //nolint:revive // It appends, as append does.
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		attrs = append(attrs,
			slog.String(logTraceID, span.TraceID().String()),
			slog.String(logSpanID, span.SpanID().String()),
			slog.String(logTraceFlags, span.TraceFlags().String()))
	}
	if run := FromContext(ctx); run != nil {
		attrs = append(attrs, slog.String(logPipeline, run.stage.pipeline))
		if run.stage.stage != "" {
			attrs = append(attrs, slog.String(logStage, run.stage.stage))
		}
	}
	return append(attrs, logAttrsFromContext(ctx)...)
}

type logAttrsKey struct{}

// ContextWithLogAttrs returns a ctx whose log records have attrs, if they are
// handled by [NewLogHandler]: the partition and the offset of a Kafka message,
// say, or the name of a file. They are added to those that ctx has already; one
// of the same key takes the place of the old one.
//
// A ctx holds 16 of them: what is more is left out, and so is an attribute
// without a key. They are for logs alone and stay in this process: no span, no
// metric and no carrier gets them. A nil ctx is taken as [context.Background].
func ContextWithLogAttrs(ctx context.Context, attrs ...slog.Attr) context.Context {
	ctx = orBackground(ctx)
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
