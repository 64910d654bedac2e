// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "context"

// Mode says which context an update writes. The zero Mode writes none.
type Mode int

const (
	// ModeOnInsert writes the context if an upsert makes the document, which then
	// keeps the context of its creation.
	ModeOnInsert Mode = iota + 1
	// ModeLastWriter writes the context at each update, so that the document has
	// the context of its last writer.
	ModeLastWriter
	// ModeBoth keeps the two apart: the context of the creation in the field, and
	// that of the last writer in the field of [WithLastWriterField].
	ModeBoth
)

// SetFields returns the fields that put the context of ctx into an update, for
// its operators $setOnInsert and $set: add them to those of the update. A map
// with no fields is nil; both are nil if ctx has no valid span, but for a waybill
// that is set on insert.
//
// A context is set whole, as one field with a path, so that an update cannot mix
// two of them. A [FormFlat] context has several fields; those without a value are
// set to null. A replacement of a document is not an update: inject into the new
// document, or it has no context.
//
// An update with a context is a change even if it changes nothing else: see
// [IsOnlyContext]. If the two fields of [ModeBoth] overlap, which the server
// would refuse, only setOnInsert is returned, and that is reported once to
// [otel.Handle].
func SetFields(ctx context.Context, mode Mode, opts ...Option) (setOnInsert, set map[string]any) {
	cfg := newConfig(opts)
	w, ok := newWriting(ctx, &cfg)
	if !ok || !w.isSet() {
		return nil, nil
	}
	switch mode {
	case ModeOnInsert:
		return w.paths(&cfg), nil
	case ModeLastWriter:
		return nil, w.overwrite(&cfg)
	case ModeBoth:
		setOnInsert = w.paths(&cfg)
		last := cfg.lastField()
		if cfg.form == FormFlat || !isValidPath(last) || isWithin(last, cfg.field) || isWithin(cfg.field, last) {
			reportConflict(last)
			return setOnInsert, nil
		}
		if w.mayOverwrite() {
			set = map[string]any{last: setOnInsert[cfg.field]}
		}
		return setOnInsert, set
	default:
		return nil, nil
	}
}

// mayOverwrite reports whether w may be written over the context of a document
// that is not known: a waybill alone must not replace a trace context.
func (w *writing) mayOverwrite() bool {
	return w.fields.HasTraceContext() || !w.fields.KeepsExisting()
}

// overwrite returns paths for a document that may have a context already: with
// null for the fields of a flat one that would be left of it.
func (w *writing) overwrite(cfg *config) map[string]any {
	if !w.mayOverwrite() {
		return nil
	}
	fields := w.paths(cfg)
	if cfg.form == FormFlat {
		for _, name := range cfg.clearedNames() {
			if path := cfg.join(name); fields[path] == nil {
				fields[path] = nil
			}
		}
	}
	return fields
}

// PipelineStage returns the stage that puts the context of ctx into an update
// that is an aggregation pipeline. [ModeOnInsert] means a document that has no
// context: it gets all fields of the new one or none. Values are literals, so
// that no baggage is read as an expression. PipelineStage reports false if there
// is nothing to add.
func PipelineStage(ctx context.Context, mode Mode, opts ...Option) (stage map[string]any, ok bool) {
	cfg := newConfig(opts)
	onInsert, set := SetFields(ctx, mode, opts...)
	fields := make(map[string]any, len(onInsert)+len(set))
	for path, value := range onInsert {
		fields[path] = map[string]any{"$ifNull": []any{"$" + path, literal(value)}}
	}
	if cfg.form == FormFlat {
		absent := cfg.isAbsent()
		for path, value := range onInsert {
			fields[path] = map[string]any{"$cond": []any{absent, literal(value), "$" + path}}
		}
	}
	for path, value := range set {
		fields[path] = literal(value)
	}
	if len(fields) == 0 {
		return nil, false
	}
	return map[string]any{"$set": fields}, true
}

// isAbsent returns the expression that is true for a document without a flat
// context. It is one condition for all fields, or a document would get what it
// lacks from another context.
func (cfg *config) isAbsent() any {
	var first any
	for _, name := range cfg.clearedNames() {
		first = map[string]any{"$ifNull": []any{"$" + cfg.join(name), first}}
	}
	return map[string]any{"$eq": []any{first, nil}}
}

func literal(value any) any { return map[string]any{"$literal": value} }
