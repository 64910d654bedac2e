// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"log/slog"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/internal/safe"
)

const (
	// maxLogAttrs is how many attributes a context holds for logs.
	maxLogAttrs = 16
	// ownLogAttrs is how many attributes a handler adds to a record itself.
	ownLogAttrs = 5
)

// LogOption configures [NewLogHandler]. If an option is given more than once, the
// last one wins. Nil options are ignored.
type LogOption interface {
	apply(logConfig) logConfig
}

// logConfig holds the keys of the attributes that a handler adds. An attribute
// with an empty key is not added.
type logConfig struct {
	traceID, spanID, traceFlags string
	pipeline, stage             string
	grouped                     bool // Adds the attributes inside the open groups.
}

type logOptionFunc func(logConfig) logConfig

func (f logOptionFunc) apply(c logConfig) logConfig { return f(c) }

// WithTraceKeys sets the keys of the trace ID, the span ID and the trace flags.
// An attribute with an empty key is not added. The defaults are trace_id, span_id
// and trace_flags, as OpenTelemetry recommends for log formats other than its own:
// https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
func WithTraceKeys(traceID, spanID, traceFlags string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.traceID, c.spanID, c.traceFlags = traceID, spanID, traceFlags
		return c
	})
}

// WithoutTraceKeys leaves the trace ID, the span ID and the trace flags out, for
// a handler that reads the span from the context itself. It is the default for
// the handler of go.opentelemetry.io/contrib/bridges/otelslog.
func WithoutTraceKeys() LogOption { return WithTraceKeys("", "", "") }

// WithStageKeys sets the keys of the names of the pipeline and the stage. An
// attribute with an empty key is not added. The defaults are pipeline and stage.
func WithStageKeys(pipeline, stage string) LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.pipeline, c.stage = pipeline, stage
		return c
	})
}

// WithGroupedAttrs adds the attributes inside the innermost open group instead of
// at the top level, for a handler whose WithGroup does more than qualify keys: one
// that has a level or a file for each group, for example. The handler then receives
// each record through the handlers that its own WithGroup returned.
//
// Use it also for the handler of go.opentelemetry.io/contrib/bridges/otelslog if
// errors are logged within groups. That handler records an error as an exception
// only if it opened the group itself, and as text otherwise.
func WithGroupedAttrs() LogOption {
	return logOptionFunc(func(c logConfig) logConfig {
		c.grouped = true
		return c
	})
}

func newLogConfig(handler slog.Handler) logConfig {
	c := logConfig{traceID: "trace_id", spanID: "span_id", traceFlags: "trace_flags", pipeline: "pipeline", stage: "stage"}
	if readsSpan(handler) {
		c = WithoutTraceKeys().apply(c)
	}
	return c
}

// readsSpan reports whether handler reads the span from the context itself.
func readsSpan(handler slog.Handler) bool {
	t := reflect.TypeOf(handler)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "go.opentelemetry.io/contrib/bridges/otelslog"
}

// NewLogHandler returns a handler that adds the origin of each record and passes
// the record to handler:
//
//   - trace_id, span_id and trace_flags, if the context of the record has a valid
//     span, sampled or not;
//   - pipeline and stage, if the context belongs to a [Run]; for a whole run of a
//     pipeline, only the pipeline;
//   - the attributes of [ContextWithLogAttrs].
//
// These attributes are added at the top level of the record, after its own
// attributes, even within an open group; handler then receives the groups as
// attributes of the record, and not through its WithGroup method. For a handler to
// which this makes a difference, use [WithGroupedAttrs]. An attribute is not added
// if the record or its logger has one with the same key at the same level. Baggage
// is not logged, and logging an error does not change the span.
//
// Use the methods of a logger that take a context, such as InfoContext. A record of
// Info has none of these attributes.
//
// If handler was returned by NewLogHandler, it is not wrapped again; opts then
// apply on top of its own. If handler is nil, records are discarded. A nil
// context is treated as [context.Background]. The returned handler is safe for
// concurrent use if handler is.
func NewLogHandler(handler slog.Handler, opts ...LogOption) slog.Handler {
	if handler == nil {
		return slog.DiscardHandler
	}
	h := logHandler{config: newLogConfig(handler), grouped: handler, root: handler}
	if own, ok := handler.(*logHandler); ok {
		if len(opts) == 0 {
			return own
		}
		h = *own
	}
	for _, opt := range opts {
		if opt != nil {
			h.config = opt.apply(h.config)
		}
	}
	return &h
}

// logHandler keeps the open groups itself, because a handler that was given a
// group writes nothing outside it any more.
type logHandler struct {
	config  logConfig
	grouped slog.Handler // Was given all groups and attributes.
	root    slog.Handler // Was given the attributes before the first group.
	keys    []string     // The keys of those attributes.
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
	return h.grouped.Enabled(safe.Context(ctx), level)
}

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	ctx = safe.Context(ctx)
	var room [ownLogAttrs + maxLogAttrs]slog.Attr // Stays on the stack.
	attrs := h.config.appendAttrs(room[:0], ctx)
	if len(attrs) == 0 {
		return h.grouped.Handle(ctx, record)
	}
	if len(h.groups) == 0 {
		return h.root.Handle(ctx, withAttrs(record.Clone(), attrs, h.keys))
	}
	if h.config.grouped {
		keys := appendKeys(nil, h.groups[len(h.groups)-1].attrs)
		return h.grouped.Handle(ctx, withAttrs(record.Clone(), attrs, keys))
	}
	return h.root.Handle(ctx, withAttrs(h.ungrouped(record), attrs, h.keys))
}

// withAttrs returns record with those of attrs whose keys are neither in keys nor
// in record.
func withAttrs(record slog.Record, attrs []slog.Attr, keys []string) slog.Record {
	for _, key := range keys {
		attrs = withoutKey(attrs, key)
	}
	record.Attrs(func(a slog.Attr) bool {
		attrs = without(attrs, a)
		return len(attrs) > 0
	})
	record.AddAttrs(attrs...)
	return record
}

// without removes from attrs those that have the key of a, or of an attribute of
// a if that is a group without a name, whose attributes are at the same level.
func without(attrs []slog.Attr, a slog.Attr) []slog.Attr {
	if !isInline(a) {
		return withoutKey(attrs, a.Key)
	}
	for _, inner := range a.Value.Group() {
		attrs = without(attrs, inner)
	}
	return attrs
}

func withoutKey(attrs []slog.Attr, key string) []slog.Attr {
	for i := range attrs {
		if attrs[i].Key == key {
			return slices.Delete(attrs, i, i+1)
		}
	}
	return attrs
}

// isInline reports whether a is a group without a name.
func isInline(a slog.Attr) bool { return a.Key == "" && a.Value.Kind() == slog.KindGroup }

// appendKeys appends the keys that attrs have at the top level.
func appendKeys(keys []string, attrs []slog.Attr) []string {
	for _, a := range attrs {
		if isInline(a) {
			keys = appendKeys(keys, a.Value.Group())
		} else {
			keys = append(keys, a.Key)
		}
	}
	return keys
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
	next := *h
	next.grouped = h.grouped.WithAttrs(slices.Clone(attrs)) // The handler below owns what it is given.
	if len(h.groups) == 0 {
		next.root = next.grouped
		next.keys = appendKeys(slices.Clip(h.keys), attrs)
		return &next
	}
	next.groups = slices.Clone(h.groups)
	innermost := &next.groups[len(next.groups)-1]
	innermost.attrs = slices.Concat(innermost.attrs, attrs)
	return &next
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.grouped = h.grouped.WithGroup(name)
	next.groups = append(slices.Clip(h.groups), logGroup{name: name})
	return &next
}

// appendAttrs appends the attributes of a record whose context is ctx. An
// attribute of [ContextWithLogAttrs] replaces one with the same key. A panic of ctx
// or its span loses attributes, and not the record.
func (c logConfig) appendAttrs(attrs []slog.Attr, ctx context.Context) (all []slog.Attr) { //nolint:revive // It appends, as append does.
	defer safe.Contain()
	all = attrs
	users := logAttrsFromContext(ctx)
	add := func(key, value string) {
		if key != "" && !slices.ContainsFunc(users, func(a slog.Attr) bool { return a.Key == key }) {
			all = append(all, slog.String(key, value))
		}
	}
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		add(c.traceID, span.TraceID().String())
		add(c.spanID, span.SpanID().String())
		add(c.traceFlags, span.TraceFlags().String())
	}
	if run := FromContext(ctx); run != nil {
		id := run.stage.id
		add(c.pipeline, id.Pipeline)
		if id.Stage != "" {
			add(c.stage, id.Stage)
		}
	}
	return append(all, users...)
}

type logAttrsKey struct{}

// ContextWithLogAttrs returns a copy of ctx whose log records have attrs, if
// [NewLogHandler] handles them: the partition and the offset of a Kafka message,
// for example, or the name of a file. The attributes are added to those that ctx
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
