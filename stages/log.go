// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"context"
	"log/slog"
	"slices"

	"github.com/waybill-go/waybill/internal/safe"
)

// NewLogHandler returns a handler that adds the origin of each record and passes
// the record to handler:
//
//   - trace_id, span_id and trace_flags, if the context of the record has a valid
//     span, sampled or not;
//   - pipeline and stage, if the context belongs to a [Run]; for a whole run of a
//     pipeline, only the pipeline;
//   - topic, partition and offset, or collection, if the context handles a message or
//     a document, as it does inside Process of a carrier; for a batch, those that its
//     messages have in common;
//   - job, if the process runs in a Kubernetes Job whose name is known;
//   - service and environment, with [WithResource];
//   - the attributes of [ContextWithLogAttrs].
//
// These attributes are added at the top level of the record, after its own
// attributes, even within an open group; handler then receives the groups as
// attributes of the record, and not through its WithGroup method, and may receive the
// added attributes in a group without a name. For a handler to which this makes a
// difference, use [WithGroupedAttrs]. An attribute is not added
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
	h := logHandler{config: newLogConfig(handler), ids: new(idTexts), grouped: handler, root: handler}
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
	ids     *idTexts
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
	attrs := h.appendAttrs(room[:0], ctx)
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
	return h.root.Handle(ctx, h.ungrouped(record, attrs))
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
	group, ok := inline(a)
	if !ok {
		return withoutKey(attrs, a.Key)
	}
	for _, inner := range group {
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

// inline returns the attributes of a if it is a group without a name, or a value that
// resolves to one. Otherwise it reports false.
func inline(a slog.Attr) (group []slog.Attr, ok bool) {
	if a.Key != "" {
		return nil, false
	}
	value := a.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		return nil, false
	}
	return value.Group(), true
}

// appendKeys appends the keys that attrs have at the top level.
func appendKeys(keys []string, attrs []slog.Attr) []string {
	for _, a := range attrs {
		if group, ok := inline(a); ok {
			keys = appendKeys(keys, group)
		} else {
			keys = append(keys, a.Key)
		}
	}
	return keys
}

// inlineAttrs is how many attributes a record holds without an allocation.
const inlineAttrs = 5

// ungrouped returns record with the open groups as attributes, and beside them those of
// attrs whose keys are not in h.keys. It makes one allocation.
func (h *logHandler) ungrouped(record slog.Record, attrs []slog.Attr) slog.Record {
	for _, key := range h.keys {
		attrs = withoutKey(attrs, key)
	}
	size := record.NumAttrs() + len(attrs)
	for i := range h.groups {
		size += len(h.groups[i].attrs) + 1
	}
	all := make([]slog.Attr, 0, size) // The attributes of all groups, the innermost first.
	all = append(all, h.groups[len(h.groups)-1].attrs...)
	record.Attrs(func(a slog.Attr) bool {
		all = append(all, a)
		return true
	})
	group := slog.Attr{Key: h.groups[len(h.groups)-1].name, Value: slog.GroupValue(slices.Clip(all)...)}
	for _, outer := range slices.Backward(h.groups[:len(h.groups)-1]) {
		start := len(all)
		all = append(all, outer.attrs...)
		if len(group.Value.Group()) > 0 {
			all = append(all, group)
		}
		group = slog.Attr{Key: outer.name, Value: slog.GroupValue(slices.Clip(all[start:])...)}
	}
	whole := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	whole.AddAttrs(group) // Of an empty group handlers write nothing.
	if len(group.Value.Group()) > 0 {
		attrs = withoutKey(attrs, group.Key)
	}
	if len(attrs) < inlineAttrs {
		whole.AddAttrs(attrs...)
		return whole
	}
	// A group without a name: its attributes are at the same level.
	all = append(all, attrs...)
	whole.AddAttrs(slog.Attr{Value: slog.GroupValue(all[len(all)-len(attrs):]...)})
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
