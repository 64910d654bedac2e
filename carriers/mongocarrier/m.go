// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"maps"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// InjectM puts the context of ctx into an unordered document and returns the
// document: doc itself, or a new one if doc is nil.
//
// Without a valid span in ctx the document stays as it is, unless [WithPolicy]
// says so. So it does when the path of [WithField] leads through a value that
// is no document, which is reported once to [otel.Handle].
//
// It writes to doc, which must not be in use elsewhere; a nested document that
// [WithField] leads into is copied. [WithCopy] leaves doc alone. It allocates
// twice, the text and its struct.
func InjectM[M ~map[string]any](ctx context.Context, doc M, opts ...Option) M {
	cfg := newConfig(opts)
	if cfg.keep == propagation.KeepExisting && readM(doc, &cfg).Err() == nil { //nolint:contextcheck // what is read has none.
		return doc
	}
	s := newSlip()
	defer s.release()
	s.fill(ctx, &cfg)
	parent, ok := s.prepare(&cfg)
	if !ok {
		return doc
	}
	s.change.empty = M(nil)
	edited, ok := editM(doc, parent, &s.change)
	if !ok {
		reportBlocked(cfg.field)
		return doc
	}
	return edited
}

// ExtractM returns ctx with the context that an unordered document holds, or
// ctx itself. It never fails: what is malformed counts as absent.
func ExtractM[M ~map[string]any](ctx context.Context, doc M, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return extractValue(ctx, lookupM(doc, cfg.field), &cfg)
}

// ReadM returns the context that an unordered document holds, to be used as a
// parent or a link, or to be looked at.
func ReadM[M ~map[string]any](doc M, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return readM(doc, &cfg)
}

func readM(doc map[string]any, cfg *config) propagation.Remote {
	return readValue(lookupM(doc, cfg.field), cfg)
}

// lookupM returns the value at path in doc.
func lookupM(doc map[string]any, path string) any {
	if path == "" {
		return doc
	}
	name, rest, nested := strings.Cut(path, ".")
	if nested {
		return lookup(doc[name], rest)
	}
	return doc[name]
}

// editM changes the document at path in doc. It reports false if the path is
// blocked.
func editM[M ~map[string]any](doc M, path string, c *change) (M, bool) {
	name, rest, nested := strings.Cut(path, ".")
	var child any
	if path != "" {
		present, ok := doc[name]
		switch {
		case ok:
			child = present
		case len(c.set) == 0:
			return doc, true
		default:
			child = c.empty
		}
		if !nested {
			rest = ""
		}
		if child, ok = editValue(child, rest, c); !ok {
			return doc, false
		}
	}
	switch {
	case doc == nil && len(c.set) > 0:
		doc = make(M, len(c.set))
	case c.copying == copied:
		doc = maps.Clone(doc)
	}
	if path != "" {
		doc[name] = child
		return doc, true
	}
	for _, key := range c.remove {
		delete(doc, key)
	}
	for _, e := range c.set {
		doc[e.Key] = e.Value
	}
	return doc, true
}
