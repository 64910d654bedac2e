// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-go/waybill/propagation"
)

// InjectD returns a copy of an ordered document with the context of ctx. A
// context that is already there is replaced where it stands; otherwise the new
// one becomes the last element. The other elements keep their order.
//
// If ctx has no valid span, no trace context is written, and doc is returned as
// it is unless [propagation.WithPolicy] says otherwise, or ctx has a waybill and
// doc has no context. It is also returned as it is if the path of [WithField]
// leads through a value that is not a document, which is reported once to
// [otel.Handle].
//
// InjectD does not modify its argument; the result shares the values with it.
// See [WithInPlace] for documents that nobody else uses.
func InjectD[D ~[]E, E Elem](ctx context.Context, doc D, opts ...Option) D {
	cfg := newConfig(opts)
	w, ok := newWriting(ctx, &cfg)
	if !ok || w.fields.KeepsExisting() && readD(doc, &cfg).Err() == nil {
		return doc
	}
	e, parent := w.edit(&cfg)
	e.empty = D(nil)
	edited, ok := editD(doc, parent, &e)
	if !ok {
		reportBlocked(cfg.field)
		return doc
	}
	return edited
}

// InjectM returns a copy of an unordered document with the context of ctx, as
// [InjectD] does for an ordered one. The result is nil only if doc is nil and
// nothing is written.
//
// InjectM does not modify its argument; the result shares the values with it.
func InjectM[M ~map[string]any](ctx context.Context, doc M, opts ...Option) M {
	cfg := newConfig(opts)
	w, ok := newWriting(ctx, &cfg)
	if !ok || w.fields.KeepsExisting() && readM(doc, &cfg).Err() == nil {
		return doc
	}
	e, parent := w.edit(&cfg)
	e.empty = M(nil)
	edited, ok := editM(doc, parent, &e)
	if !ok {
		reportBlocked(cfg.field)
		return doc
	}
	return edited
}

// InjectRaw returns a copy of a document of bytes with the context of ctx, as
// [InjectD] does for an ordered one. It decodes nothing: the other elements keep
// their bytes. Bytes after the end of the document are left out. It allocates
// once, for the copy.
//
// If doc is not BSON, it is returned as it is with [ErrMalformed]. A document
// that would exceed [MaxDocumentBytes] is returned as it is without an error,
// and that is reported once to [otel.Handle]: a document too large to carry a
// context is still written.
//
// InjectRaw does not modify its argument; the result shares no memory with it.
func InjectRaw[R ~[]byte](ctx context.Context, doc R, opts ...Option) (R, error) {
	cfg := newConfig(opts)
	w, ok := newWriting(ctx, &cfg)
	if !ok || w.fields.KeepsExisting() && readRaw(doc, &cfg).Err() == nil {
		_, err := documentLen(doc)
		return doc, err
	}
	edited, err := w.editRaw(doc, &cfg)
	switch {
	case err == nil:
		return edited, nil
	case errors.Is(err, ErrMalformed):
		return doc, err
	case errors.Is(err, errTooLarge):
		reportTooLarge()
	default:
		reportBlocked(cfg.field)
	}
	return doc, nil
}

// writing is what an injection writes.
type writing struct {
	fields   propagation.Fields // Says what is cleared, and has the pairs.
	captured *Field             // Instead of the pairs of fields, if it is not nil.
}

// newWriting returns what is written for ctx. It reports false if nothing is
// changed.
func newWriting(ctx context.Context, cfg *config) (w writing, ok bool) {
	if cfg.captured == nil {
		w.fields = propagation.Encode(ctx, cfg.context...)
		if !w.fields.HasTraceContext() && propagation.IsUntrusted(ctx) {
			w.fields = propagation.Encode(ctx, cfg.replacing()...) // Theirs must not remain.
		}
	} else {
		w.captured = cfg.captured.filtered(cfg.context)
		var room [8]propagation.Option // Without an allocation for the options of each call.
		opts := append(append(room[:0], cfg.context...), propagation.WithoutJournal())
		w.fields = propagation.Encode(standIn(w.captured), opts...)
	}
	switch {
	case w.fields.IsEmpty():
		return w, false
	case cfg.invalid:
		reportBlocked(cfg.field)
		return w, false
	default:
		return w, true
	}
}

// The contexts in place of a captured one, so that what is cleared and kept is
// what would be for that.
var (
	dataContext = propagation.ContextWithWaybill(emptyContext, propagation.Waybill{Origin: time.Unix(1, 0)})
	spanContext = trace.ContextWithRemoteSpanContext(emptyContext, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true,
	}))
)

// standIn returns a context that has what f has.
func standIn(f *Field) context.Context {
	switch {
	case f.IsZero():
		return emptyContext
	case f.Traceparent == "" && len(f.Extra) == 0 && len(f.Others) == 0:
		return dataContext
	default:
		return spanContext
	}
}

// isSet reports whether w has something to set, not only to clear.
func (w *writing) isSet() bool {
	if w.captured != nil {
		return !w.captured.IsZero()
	}
	return w.fields.Len() > 0
}

// field returns what is set.
func (w *writing) field() *Field {
	if w.captured != nil {
		return w.captured // Shared by all the documents it is written to.
	}
	return newField(&w.fields)
}

// edit returns the change of a document, and the path to it.
func (w *writing) edit(cfg *config) (e edit, parent string) {
	parent, e = cfg.newEdit()
	switch {
	case cfg.form == FormFlat:
		e.clears = w.fields
		if w.isSet() {
			e.all = elemsOf(w.field().entries())
		}
	case w.isSet():
		e.value = valueOf(w.field(), cfg.form)
	}
	return e, parent
}

// newEdit returns a change that sets nothing yet, and the path of the document
// that it changes.
func (cfg *config) newEdit() (parent string, e edit) {
	parent, leaf := cfg.place()
	e.name, e.isFlat, e.inPlace = fieldName{leaf, leaf}, cfg.form == FormFlat, cfg.inPlace
	return parent, e
}

// valueOf returns f as the value of an element.
func valueOf(f *Field, form Form) any {
	switch {
	case form == FormProperties:
		return properties(f.entries())
	case f.isPlain():
		return f // A pointer to a struct is a document to both drivers, and costs nothing more.
	}
	sub := make(map[string]any)
	for _, at := range f.entries() {
		sub[escapeKey(at.key)] = storable(at.value)
	}
	return sub
}

// paths returns what is set, by the path of each field.
func (w *writing) paths(cfg *config) map[string]any {
	if cfg.form != FormFlat {
		return map[string]any{cfg.field: valueOf(w.field(), cfg.form)}
	}
	fields := make(map[string]any)
	for _, at := range w.field().entries() {
		fields[cfg.join(escapeKey(at.key))] = storable(at.value)
	}
	return fields
}

// editRaw returns doc with what is written.
func (w *writing) editRaw(doc []byte, cfg *config) ([]byte, error) {
	if w.captured != nil || cfg.form == FormProperties {
		e, parent := w.edit(cfg)
		raw := e.raw()
		return raw.write(doc, parent)
	}
	var e rawEdit
	var parent string
	parent, e.edit = cfg.newEdit()
	block := newBuffer()
	defer block.release()
	switch {
	case e.isFlat:
		e.clears = w.fields
		block.bytes = appendFields(block.bytes, &w.fields)
	case w.fields.Len() > 0:
		block.bytes = appendHead(block.bytes, typeDocument, e.name.escaped)
		start := len(block.bytes)
		block.bytes = closeDocument(appendFields(openDocument(block.bytes), &w.fields), start)
	}
	e.block = block.bytes
	return e.write(doc, parent)
}

// write is rewritten, in the memory of doc if that has room and may be written to.
func (e *rawEdit) write(doc []byte, path string) ([]byte, error) {
	if !e.inPlace {
		return e.rewritten(doc, path)
	}
	work := newBuffer()
	defer work.release()
	made, err := e.appendRewritten(work.bytes, doc, path)
	if err != nil || !e.changed {
		return made, err
	}
	work.bytes = made
	return append(doc[:0], made...), nil
}

// buffer is memory for the time of a call.
type buffer struct{ bytes []byte }

// maxBuffer is the size of a buffer that is kept.
const maxBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer {
	b, _ := buffers.Get().(*buffer)
	return b
}

func (b *buffer) release() {
	if cap(b.bytes) <= maxBuffer {
		b.bytes = b.bytes[:0]
		buffers.Put(b)
	}
}

// What keeps a context out of a document is reported once a process, because
// the next document has the same trouble.
var (
	tooLarge sync.Once
	blocked  sync.Once
	conflict sync.Once
)

var errConflict = errors.New("the fields of the creation and of the last writer overlap, so the last writer is left out")

func reportTooLarge() {
	tooLarge.Do(func() { report(errTooLarge) })
}

func reportBlocked(path string) {
	blocked.Do(func() { report(fmt.Errorf("%w: %q", errBlocked, path)) })
}

func reportConflict(path string) {
	conflict.Do(func() { report(fmt.Errorf("%w: %q", errConflict, path)) })
}

func report(err error) {
	otel.Handle(fmt.Errorf("mongocarrier: a document was left without a context: %w", err))
}
