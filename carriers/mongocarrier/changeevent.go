// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"bytes"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// ContextSource reports where in a change event a context was found, and with
// that how it is related to the change.
type ContextSource int

const (
	// ContextSourceNone is an event without a context.
	ContextSourceNone ContextSource = iota
	// ContextSourceWritten is a context that the change itself has written: that
	// of whoever made the change.
	ContextSourceWritten
	// ContextSourceCreation is a context that was in the document before a change
	// that did not write one: that of whoever made the document, perhaps long ago.
	ContextSourceCreation
	// ContextSourcePreImage is a context in the document as it was before the
	// change, which is all that a delete has.
	ContextSourcePreImage
)

// String returns "none", "written", "creation" or "pre_image".
func (s ContextSource) String() string {
	switch s {
	case ContextSourceWritten:
		return "written"
	case ContextSourceCreation:
		return "creation"
	case ContextSourcePreImage:
		return "pre_image"
	default:
		return "none"
	}
}

// ReadChangeEvent returns the context in an event of a change stream, and where
// it was found:
//
//   - insert: in the full document, as written by the change;
//   - replace: in the full document, as written by the change unless the document
//     before the change has the same context;
//   - update: in the updated fields, whole or in parts, as written by the change;
//     else in the full document, which may be newer than the event; else in the
//     document before the change;
//   - delete: in the document before the change.
//
// Other events have no context. In the updated fields, the field of
// [WithLastWriterField] comes first, so that an update with [ModeBoth] is read as
// that of its writer. A context that was updated in parts is completed from the
// full document if that is of the same write.
//
// ReadChangeEvent decodes nothing and keeps nothing of event. ReadChangeEvent never
// fails; a malformed context is treated as absent.
func ReadChangeEvent[R ~[]byte](event R, opts ...Option) (propagation.Remote, ContextSource) {
	cfg := newConfig(opts)
	full, before := document(event, "fullDocument"), document(event, "fullDocumentBeforeChange")
	switch operation(event) {
	case "insert":
		return fromSource(readRaw(full, &cfg), ContextSourceWritten)
	case "replace":
		remote := readRaw(full, &cfg)
		if before != nil && isSame(remote, readRaw(before, &cfg)) {
			return fromSource(remote, ContextSourceCreation)
		}
		return fromSource(remote, ContextSourceWritten)
	case "update":
		if remote := readWritten(event, full, &cfg); isPresent(remote) {
			return remote, ContextSourceWritten
		}
		if remote := readRaw(full, &cfg); isPresent(remote) {
			return remote, ContextSourceCreation
		}
		return fromSource(readRaw(before, &cfg), ContextSourcePreImage)
	case "delete":
		return fromSource(readRaw(before, &cfg), ContextSourcePreImage)
	default:
		return propagation.Remote{}, ContextSourceNone
	}
}

// fromSource returns s if there is a context.
func fromSource(remote propagation.Remote, s ContextSource) (propagation.Remote, ContextSource) {
	if !isPresent(remote) {
		s = ContextSourceNone
	}
	return remote, s
}

// isPresent reports whether remote has a trace context, or a waybill without one.
func isPresent(remote propagation.Remote) bool {
	return remote.Err() == nil || remote.Err() == propagation.ErrAbsent && !remote.Waybill().IsZero() //nolint:errorlint // never wrapped.
}

// isSame reports whether a and b are one context, sent once.
func isSame(a, b propagation.Remote) bool {
	return a.SpanContext().Equal(b.SpanContext()) && a.Waybill() == b.Waybill()
}

// readWritten returns the context that an update has written, that of the last
// writer if there are two.
func readWritten(event, full []byte, cfg *config) propagation.Remote {
	if last := *cfg; cfg.form != FormFlat {
		last.field = cfg.lastField()
		if remote := readUpdated(event, full, &last); isPresent(remote) {
			return remote
		}
	}
	return readUpdated(event, full, cfg)
}

// readUpdated returns the context that an update has written to the field.
func readUpdated(event, full []byte, cfg *config) propagation.Remote {
	isPart := cfg.partOf()
	var parts []element
	for e := range elements(document(document(event, "updateDescription"), "updatedFields")) {
		path := string(e.key)
		if path == cfg.field {
			return readElement(e, cfg)
		}
		if rest, ok := strings.CutPrefix(cfg.field, path+"."); ok {
			field, _ := descend(e, rest)
			return readElement(field, cfg)
		}
		if name, ok := isPart(path); ok {
			e.key = []byte(name)
			parts = append(parts, e)
		}
	}
	if len(parts) == 0 {
		return propagation.Remote{}
	}
	field, _ := descend(element{kind: typeDocument, value: full}, cfg.field)
	if field.kind == typeDocument && holds(field.value, parts) {
		return readElement(field, cfg)
	}
	joined := openDocument(nil)
	for _, e := range parts {
		joined = append(appendHead(joined, e.kind, string(e.key)), e.value...)
	}
	return readElement(element{kind: typeDocument, value: closeDocument(joined, 0)}, cfg)
}

// partOf returns a function that reports whether a path leads to a part of the
// context, and the name of the part. A flat context is among fields of the user.
func (cfg *config) partOf() func(path string) (name string, ok bool) {
	prefix := cfg.field + "."
	if cfg.form != FormFlat {
		return func(path string) (string, bool) { return strings.CutPrefix(path, prefix) }
	}
	if cfg.field == "" {
		prefix = ""
	}
	cleared := cfg.cleared()
	return func(path string) (string, bool) {
		name, ok := strings.CutPrefix(path, prefix)
		return name, ok && (isWithin(name, extraField) || cleared.Clears(unescapeKey(name)))
	}
}

// holds reports whether doc has all of parts, and so is not of another write.
func holds(doc []byte, parts []element) bool {
	missing := make(map[string]element, len(parts))
	for _, e := range parts {
		missing[string(e.key)] = e
	}
	for present := range elements(doc) {
		e, ok := missing[string(present.key)]
		if !ok {
			continue
		}
		if present.kind != e.kind || !bytes.Equal(present.value, e.value) {
			return false
		}
		delete(missing, string(present.key))
	}
	return len(missing) == 0
}

// IsOnlyContext reports whether an event is an update that has changed nothing
// but the context. A program that reads a change stream and writes back to the
// documents skips such events, or its own writes would keep it going.
func IsOnlyContext[R ~[]byte](event R, opts ...Option) bool {
	cfg := newConfig(opts)
	if operation(event) != "update" {
		return false
	}
	isPart := cfg.partOf()
	isContext := func(path string) bool {
		_, ok := isPart(path)
		return ok || cfg.form != FormFlat && (path == cfg.field || isWithin(path, cfg.lastField()))
	}
	description := document(event, "updateDescription")
	changes := 0
	for e := range elements(document(description, "updatedFields")) {
		if changes++; !isContext(string(e.key)) {
			return false
		}
	}
	for _, list := range []string{"removedFields", "truncatedArrays"} {
		array, _ := find(description, list)
		for e := range elements(array.value) {
			if changes++; !isContext(string(e.text())) {
				return false
			}
		}
	}
	return changes > 0
}

// operation returns the kind of change that an event is.
func operation(event []byte) string {
	e, _ := find(event, "operationType")
	return string(e.text())
}
