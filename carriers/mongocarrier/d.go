// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// Elem is an element of an ordered document: bson.E of both drivers.
type Elem interface {
	~struct {
		Key   string
		Value any
	}
}

// InjectD puts the context of ctx into an ordered document and returns the
// document. A context that is there already is replaced where it stands;
// otherwise it becomes the last element. The other elements keep their order.
//
// Without a valid span in ctx the document stays as it is, unless [WithPolicy]
// says so. So it does when the path of [WithField] leads through a value that
// is no document, which is reported once to [otel.Handle].
//
// Like append, it may write to the memory of doc, so use only what it returns,
// but an element that another slice has put behind doc is not written over, and
// a nested document that [WithField] leads into is copied. [WithCopy] leaves
// the memory of doc alone. It allocates twice when doc has room for one element
// more, the text and its struct.
func InjectD[D ~[]E, E Elem](ctx context.Context, doc D, opts ...Option) D {
	cfg := newConfig(opts)
	if cfg.keep == propagation.KeepExisting && readD(doc, &cfg).Err() == nil { //nolint:contextcheck // what is read has none.
		return doc
	}
	s := newSlip()
	defer s.release()
	s.fill(ctx, &cfg)
	parent, ok := s.prepare(&cfg)
	if !ok {
		return doc
	}
	s.change.empty = D(nil)
	edited, ok := editD(doc, parent, &s.change)
	if !ok {
		reportBlocked(cfg.field)
		return doc
	}
	return edited
}

// ExtractD returns ctx with the context that an ordered document holds, or ctx
// itself. It never fails: what is malformed counts as absent.
func ExtractD[D ~[]E, E Elem](ctx context.Context, doc D, opts ...Option) context.Context {
	cfg := newConfig(opts)
	return extractValue(ctx, fieldOfD(doc, &cfg), &cfg)
}

// ReadD returns the context that an ordered document holds, to be used as a
// parent or a link, or to be looked at.
func ReadD[D ~[]E, E Elem](doc D, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return readD(doc, &cfg)
}

func readD[D ~[]E, E Elem](doc D, cfg *config) propagation.Remote {
	return readValue(fieldOfD(doc, cfg), cfg)
}

// fieldOfD returns the value that holds the context.
func fieldOfD[D ~[]E, E Elem](doc D, cfg *config) any {
	if cfg.field == "" {
		return doc
	}
	name, rest, nested := strings.Cut(cfg.field, ".")
	i := indexOf(doc, name)
	switch {
	case i < 0:
		return nil
	case nested:
		return lookup(elem(doc[i]).Value, rest)
	default:
		return elem(doc[i]).Value
	}
}

// indexOf returns the index of the first element named key, or -1.
func indexOf[D ~[]E, E Elem](doc D, key string) int {
	return slices.IndexFunc(doc, func(e E) bool { return elem(e).Key == key })
}

// editD changes the document at path in doc. It reports false if the path is
// blocked.
func editD[D ~[]E, E Elem](doc D, path string, c *change) (D, bool) {
	if path != "" {
		return editInD(doc, path, c)
	}
	for _, key := range c.remove {
		doc = withoutD(doc, key)
	}
	for _, e := range c.set {
		doc = setD(doc, e, c.copying)
	}
	return doc, true
}

func editInD[D ~[]E, E Elem](doc D, path string, c *change) (D, bool) {
	name, rest, _ := strings.Cut(path, ".")
	child := c.empty
	if i := indexOf(doc, name); i >= 0 {
		child = elem(doc[i]).Value
	} else if len(c.set) == 0 {
		return doc, true
	}
	child, ok := editValue(child, rest, c)
	if !ok {
		return doc, false
	}
	return setD(doc, elem{name, child}, c.copying), true
}

// withoutD returns doc without the elements named key, in memory of its own if
// there are any.
func withoutD[D ~[]E, E Elem](doc D, key string) D {
	if indexOf(doc, key) < 0 {
		return doc
	}
	kept := make(D, 0, len(doc))
	for _, e := range doc {
		if elem(e).Key != key {
			kept = append(kept, e)
		}
	}
	return kept
}

// setD returns doc with e in the place of the elements of its name, or last.
func setD[D ~[]E, E Elem](doc D, e elem, as copying) D {
	i := indexOf(doc, e.Key)
	switch {
	case as == copied:
		doc = append(make(D, 0, len(doc)+1), doc...)
	case i < 0 && len(doc) < cap(doc) && elem(doc[:len(doc)+1][len(doc)]) != (elem{}):
		doc = slices.Clip(doc) // another slice has an element there.
	}
	if i < 0 {
		return append(doc, E(e))
	}
	doc[i] = E(e)
	if rest := doc[i+1:]; indexOf(rest, e.Key) >= 0 {
		doc = append(doc[:i+1:i+1], withoutD(rest, e.Key)...)
	}
	return doc
}
