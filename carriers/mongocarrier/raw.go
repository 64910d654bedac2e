// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// InjectRaw puts the context of ctx into a document of bytes, without decoding
// it, and returns the document. A context that is there already is replaced
// where it stands; otherwise it becomes the last element. The other elements
// keep their order and their bytes, and bytes after the end of the document are
// left out.
//
// Without a valid span in ctx the document stays as it is, unless [WithPolicy]
// says so. So it does, with an error, when it is not BSON: [ErrMalformed]. And
// so it does when the path of [WithField] leads through a value that is no
// document, or when the document would exceed [MaxDocumentBytes]; that is
// reported once to [otel.Handle], because a document that is too big to carry a
// context is no reason not to write it.
//
// Like append, it may write to the memory of doc, so use only what it returns:
// it allocates once when doc must grow, and not at all when it has room. Room
// is spare capacity that is zero, or that an earlier call wrote to; what lies
// behind a document that was cut from a larger buffer, as the Current of a
// cursor is, is not touched. [WithCopy] leaves the memory of doc alone; use it
// for a document that is part of another one, whose length and end stand around
// it.
func InjectRaw[R ~[]byte](ctx context.Context, doc R, opts ...Option) (R, error) {
	cfg := newConfig(opts)
	n, err := documentLen(doc)
	if err != nil {
		return doc, err
	}
	if cfg.keep == propagation.KeepExisting && readRaw(doc, &cfg).Err() == nil { //nolint:contextcheck // what is read has none.
		return doc, nil
	}
	s := newSlip()
	defer s.release()
	s.fillBytes(ctx, &cfg)
	switch {
	case !s.touched:
		return doc, nil
	case cfg.blocked:
		reportBlocked(cfg.field)
		return doc, nil
	}
	edited, err := s.editRaw(doc[:n], &cfg)
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

// ExtractRaw returns ctx with the context that a document of bytes holds, or
// ctx itself. It decodes nothing and keeps nothing of doc, so a cursor may go
// on. It never fails: what is malformed counts as absent.
func ExtractRaw[R ~[]byte](ctx context.Context, doc R, opts ...Option) context.Context {
	cfg := newConfig(opts)
	field, _ := rawField(doc, &cfg)
	if field.kind == typeDocument {
		return propagation.Extract(ctx, field.value, propagation.Getter[[]byte](rawGetter{}), cfg.forward[:]...)
	}
	return extractValue(ctx, field.source(), &cfg)
}

// ReadRaw returns the context that a document of bytes holds, to be used as a
// parent or a link, or to be looked at. It keeps nothing of doc.
func ReadRaw[R ~[]byte](doc R, opts ...Option) propagation.Remote {
	cfg := newConfig(opts)
	return readRaw(doc, &cfg)
}

func readRaw(doc []byte, cfg *config) propagation.Remote {
	field, _ := rawField(doc, cfg)
	return readElement(field, cfg)
}

// readElement returns the context that the value of field holds. The zero
// element holds none.
func readElement(field element, cfg *config) propagation.Remote {
	if field.kind == typeDocument {
		return propagation.Read(field.value, propagation.Getter[[]byte](rawGetter{}), cfg.forward[:]...)
	}
	return readValue(field.source(), cfg)
}

// rawField returns the element that holds the context: with a Flat one, the
// document that its parts are in.
func rawField(doc []byte, cfg *config) (element, bool) {
	return descend(element{kind: typeDocument, value: doc}, cfg.field)
}

var (
	errTooLarge = errors.New("the document would exceed 16 MiB")
	errBlocked  = errors.New("the path leads through a value that is no document")
)

// editRaw puts the slip into doc, which is well-formed and nothing more.
func (s *slip) editRaw(doc []byte, cfg *config) ([]byte, error) {
	e := rawEdit{doc: doc, copying: cfg.copying}
	parent, leaf := cfg.place()
	e.leaf = leaf
	if cfg.form == Flat {
		e.remove = s.cleared
	}
	elements := len(s.bson)
	s.bson = s.appendBlock(cfg.form, leaf)
	e.block = s.bson[elements:]
	err := e.edit(0, parent)
	return e.doc, err
}

// appendBlock appends to the elements of the slip what becomes part of the
// document: nothing when there are none.
func (s *slip) appendBlock(form Form, leaf string) []byte {
	elements := s.bson
	switch {
	case len(elements) == 0:
		return elements
	case form == Flat:
		return append(elements, elements...)
	case form == Properties:
		c := s.unpacked()
		return appendText(elements, leaf, c.properties())
	default:
		return appendDocument(appendHead(elements, typeDocument, leaf), elements)
	}
}

// rawEdit changes one document of doc: it removes elements, and puts block in
// the place of leaf, or last.
type rawEdit struct {
	doc     []byte
	block   []byte
	leaf    string
	remove  []string
	copying copying
}

// edit changes the document at path in the one that starts at offset at.
func (e *rawEdit) edit(at int, path string) error {
	if path == "" {
		return e.editHere(at)
	}
	name, rest, _ := strings.Cut(path, ".")
	field, ok := find(e.document(at), name)
	switch {
	case !ok && len(e.block) == 0:
		return nil
	case !ok:
		end := at + len(e.document(at)) - 1
		e.block = wrap(e.block, path)
		return e.splice(at, end, end, e.block)
	case field.kind != typeDocument:
		return errBlocked
	}
	if _, err := documentLen(field.value); err != nil {
		return err
	}
	before := len(e.doc)
	if err := e.edit(at+field.to-len(field.value), rest); err != nil {
		return err
	}
	e.lengthen(at, len(e.doc)-before)
	return nil
}

// wrap returns block in a document at path.
func wrap(block []byte, path string) []byte {
	name, rest, nested := strings.Cut(path, ".")
	if nested {
		block = wrap(block, rest)
	}
	wrapped := make([]byte, 0, 1+len(name)+1+minDocument+len(block))
	return appendDocument(appendHead(wrapped, typeDocument, name), block)
}

// editHere changes the document that starts at offset at.
func (e *rawEdit) editHere(at int) error {
	if len(e.remove) > 0 && len(e.doc)+len(e.block) > MaxDocumentBytes {
		return errTooLarge
	}
	for _, key := range e.remove {
		if field, ok := find(e.document(at), key); ok {
			if len(e.block) > 0 {
				e.copying = copied // or doc would be left with neither context.
			}
			if err := e.replace(at, key, field, nil); err != nil {
				return err
			}
		}
	}
	if field, ok := find(e.document(at), e.leaf); ok && e.leaf != "" {
		return e.replace(at, e.leaf, field, e.block)
	}
	end := at + len(e.document(at)) - 1
	return e.splice(at, end, end, e.block)
}

// replace puts block in the place of field, the first element called name of
// the document that starts at offset at, and removes the others of that name.
func (e *rawEdit) replace(at int, name string, field element, block []byte) error {
	if err := e.splice(at, at+field.from, at+field.to, block); err != nil {
		return err
	}
	doc := e.document(at)
	kept := field.from + len(block)
	for other := range elementsFrom(doc, kept) {
		if string(other.key) == name {
			continue
		}
		if kept == other.from {
			kept = other.to
		} else {
			kept += copy(doc[kept:], doc[other.from:other.to])
		}
	}
	if end := len(doc) - 1; kept < end {
		return e.splice(at, at+kept, at+end, nil)
	}
	return nil
}

// document returns the document that starts at offset at.
func (e *rawEdit) document(at int) []byte {
	return e.doc[at : at+int(binary.LittleEndian.Uint32(e.doc[at:]))]
}

// lengthen adds n to the length of the document that starts at offset at.
func (e *rawEdit) lengthen(at, n int) {
	length := e.doc[at : at+4]
	binary.LittleEndian.PutUint32(length, binary.LittleEndian.Uint32(length)+uint32(n)) //nolint:gosec // wraps as a signed sum does.
}

// splice puts block in the place of the bytes between from and to, which are
// elements of the document that starts at offset at.
func (e *rawEdit) splice(at, from, to int, block []byte) error {
	grown := len(block) - (to - from)
	n := len(e.doc) + grown
	if grown > 0 && n > MaxDocumentBytes {
		return errTooLarge
	}
	doc, tail := e.doc, e.doc[to:]
	if e.copying == inPlace && n <= cap(doc) && (grown <= 0 || e.isFree(doc[len(doc):n])) {
		e.doc = doc[:n]
	} else {
		spare := len(e.block) - len(block) // for what follows a removal.
		e.doc, e.copying = make([]byte, n, n+spare), inPlace
		copy(e.doc, doc[:from])
	}
	copy(e.doc[from+len(block):], tail)
	copy(e.doc[from:], block)
	e.lengthen(at, grown)
	return nil
}

// isFree reports whether room, the spare capacity behind the document, holds
// nothing of anyone else: zeros, after the context that an earlier call wrote
// behind a document that was in the same buffer.
func (e *rawEdit) isFree(room []byte) bool {
	if name := len(e.leaf); name > 0 && len(room) > name+4 && string(room[:name]) == e.leaf && room[name] == 0 {
		if n, _ := prefixedLen(room[name+1:], 0); n >= minDocument {
			room = room[name+1:]
			room = room[min(n, len(room)):]
		}
	}
	var zeros [256]byte
	for len(room) > 0 {
		n := min(len(room), len(zeros))
		if !bytes.Equal(room[:n], zeros[:n]) {
			return false
		}
		room = room[n:]
	}
	return true
}
