// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// ExtractD returns ctx with the context of an ordered document, or ctx itself.
// ExtractD never fails; a malformed context is treated as absent.
func ExtractD[D ~[]E, E Elem](ctx context.Context, doc D, opts ...Option) context.Context {
	cfg := newConfig(opts)
	r := newReader()
	defer r.release()
	r.load(valueD(doc, cfg.field))
	return r.extract(ctx, cfg.context)
}

// ExtractM returns ctx with the context of an unordered document, or ctx itself.
// ExtractM never fails; a malformed context is treated as absent.
func ExtractM[M ~map[string]any](ctx context.Context, doc M, opts ...Option) context.Context {
	cfg := newConfig(opts)
	r := newReader()
	defer r.release()
	r.load(valueM(doc, cfg.field))
	return r.extract(ctx, cfg.context)
}

// ExtractRaw returns ctx with the context of a document of bytes, or ctx itself.
// It decodes nothing and keeps nothing of doc, so that a cursor may move on.
// ExtractRaw never fails; a malformed context is treated as absent.
func ExtractRaw[R ~[]byte](ctx context.Context, doc R, opts ...Option) context.Context {
	cfg := newConfig(opts)
	r := newReader()
	defer r.release()
	r.loadRaw(doc, &cfg)
	return r.extract(ctx, cfg.context)
}

// ReadD returns the context of an ordered document. [propagation.Remote.Err] reports
// why there is no trace context.
func ReadD[D ~[]E, E Elem](doc D, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return readD(doc, &cfg)
}

// ReadM returns the context of an unordered document. [propagation.Remote.Err]
// reports why there is no trace context.
func ReadM[M ~map[string]any](doc M, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return readM(doc, &cfg)
}

// ReadRaw returns the context of a document of bytes. It decodes nothing and keeps
// nothing of doc. [propagation.Remote.Err] reports why there is no trace context.
func ReadRaw[R ~[]byte](doc R, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return readRaw(doc, &cfg)
}

func readD[D ~[]E, E Elem](doc D, cfg *config) propagation.Remote {
	r := newReader()
	defer r.release()
	r.load(valueD(doc, cfg.field))
	return r.read(cfg.context)
}

func readM(doc map[string]any, cfg *config) propagation.Remote {
	r := newReader()
	defer r.release()
	r.load(valueM(doc, cfg.field))
	return r.read(cfg.context)
}

func readRaw(doc []byte, cfg *config) propagation.Remote {
	r := newReader()
	defer r.release()
	r.loadRaw(doc, cfg)
	return r.read(cfg.context)
}

func readElement(e element, cfg *config) propagation.Remote {
	r := newReader()
	defer r.release()
	r.loadElement(e)
	return r.read(cfg.context)
}

// loadRaw makes r read the context in a document of bytes.
func (r *reader) loadRaw(doc []byte, cfg *config) {
	if e, ok := descend(element{kind: typeDocument, value: doc}, cfg.field); ok {
		r.loadElement(e)
	}
}

// valueD returns the value at path in doc.
func valueD[D ~[]E, E Elem](doc D, path string) any {
	if path == "" {
		return doc
	}
	name, rest, _ := strings.Cut(path, ".")
	if i := indexOf(doc, name); i >= 0 {
		return lookup(elem(doc[i]).Value, rest)
	}
	return nil
}

// valueM returns the value at path in doc.
func valueM(doc map[string]any, path string) any {
	if path == "" {
		return doc
	}
	name, rest, _ := strings.Cut(path, ".")
	return lookup(doc[name], rest)
}

// valueRaw returns the value at path in doc.
func valueRaw(doc []byte, path string) any {
	e, _ := descend(element{kind: typeDocument, value: doc}, path)
	return e.content()
}
