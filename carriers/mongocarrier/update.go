// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"errors"
)

// Mode says which context an update writes. The zero Mode writes none.
type Mode int

const (
	// OnInsert writes the context when an upsert makes the document: it stays
	// that of the one who made it.
	OnInsert Mode = iota + 1
	// LastWriter writes the context at each update: it is that of the last one
	// who wrote.
	LastWriter
	// Both keeps the two apart: the one who made the document in the field, and
	// the last one who wrote in the field of [WithLastWriterField].
	Both
)

// lastWriterSuffix makes the field of the last writer out of the other one.
const lastWriterSuffix = "_last"

var errConflict = errors.New("the fields of the creator and of the last writer overlap, so the last writer is left out")

// WithLastWriterField sets the field that [Both] writes the last writer's
// context to; "" means the one of [WithField] with "_last" behind it. Read it
// with WithField(path).
func WithLastWriterField(path string) Option {
	return optionFunc(func(cfg config) config { cfg.lastWriter = path; return cfg })
}

func (cfg *config) lastField() string {
	if cfg.lastWriter == "" && cfg.field != "" {
		return cfg.field + lastWriterSuffix
	}
	return cfg.lastWriter
}

// SetFields returns the fields that put the context of ctx into an update, for
// its operators $setOnInsert and $set: add them to those of the update. One
// that gets no field is nil, so both are without a valid span in ctx.
//
// A context is set whole, as one field with a path, so no update can mix two.
// Those of a [Flat] context are set each, the ones without a value to null. A
// replacement of a document is no update: inject into the new document, or the
// context is gone.
//
// An update that changes nothing else is a change nonetheless: see
// [IsOnlyContext]. When the two fields of [Both] overlap, which the server
// would refuse, only setOnInsert is returned, and that is reported once to
// [otel.Handle].
func SetFields(ctx context.Context, mode Mode, opts ...Option) (setOnInsert, set map[string]any) {
	cfg := newConfig(opts)
	s := newSlip()
	defer s.release()
	s.fill(ctx, &cfg)
	if _, ok := s.prepare(&cfg); !ok || len(s.change.set) == 0 {
		return nil, nil
	}
	switch mode {
	case OnInsert:
		return s.fieldsAt(&cfg), nil
	case LastWriter:
		return nil, s.withNulls(&cfg)
	case Both:
		last := cfg.lastField()
		if cfg.form == Flat || !validPath(last) || within(last, cfg.field) || within(cfg.field, last) {
			reportConflict(last)
			return s.fieldsAt(&cfg), nil
		}
		return s.fieldsAt(&cfg), map[string]any{last: s.change.set[0].Value}
	default:
		return nil, nil
	}
}

// fieldsAt returns what the change sets, by the path of each field.
func (s *slip) fieldsAt(cfg *config) map[string]any {
	if cfg.form != Flat {
		return map[string]any{cfg.field: s.change.set[0].Value}
	}
	fields := make(map[string]any, len(s.change.set)+len(s.change.remove))
	for _, e := range s.change.set {
		fields[cfg.join(e.Key)] = e.Value
	}
	return fields
}

// withNulls is fieldsAt, with null for what the change removes.
func (s *slip) withNulls(cfg *config) map[string]any {
	fields := s.fieldsAt(cfg)
	if cfg.form != Flat {
		return fields
	}
	for _, name := range s.change.remove {
		if path := cfg.join(name); fields[path] == nil {
			fields[path] = nil
		}
	}
	return fields
}

// PipelineStage returns the stage that puts the context of ctx into an update
// that is an aggregation pipeline. Its values are literals: no baggage can be
// read as an expression. OnInsert here means a document that has none. It
// reports false when there is nothing to add.
func PipelineStage(ctx context.Context, mode Mode, opts ...Option) (stage map[string]any, ok bool) {
	onInsert, set := SetFields(ctx, mode, opts...)
	fields := make(map[string]any, len(onInsert)+len(set))
	for path, value := range onInsert {
		fields[path] = map[string]any{"$ifNull": []any{"$" + path, literal(value)}}
	}
	for path, value := range set {
		fields[path] = literal(value)
	}
	if len(fields) == 0 {
		return nil, false
	}
	return map[string]any{"$set": fields}, true
}

func literal(value any) any { return map[string]any{"$literal": value} }
