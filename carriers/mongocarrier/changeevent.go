// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"bytes"
	"slices"
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// Origin says where in a change event a context was found, and with that how
// much it has to do with the change.
type Origin int

const (
	// None is an event that holds no context.
	None Origin = iota
	// Written is a context that the change itself wrote: that of the one who
	// made it.
	Written
	// Creation is a context that was in the document before an update that did
	// not write one: that of the one who made the document, perhaps long ago.
	Creation
	// PreImage is a context in the document as it was before the change, which
	// is all that a delete has.
	PreImage
)

// String returns "none", "written", "creation" or "pre_image".
func (o Origin) String() string {
	switch o {
	case Written:
		return "written"
	case Creation:
		return "creation"
	case PreImage:
		return "pre_image"
	default:
		return "none"
	}
}

// ReadChangeEvent returns the context that an event of a change stream holds,
// and where it was found: for an insert and a replace in the full document; for
// an update among the updated fields, whole or as the parts that changed, else
// in the full document, which may be newer than the event, and else in the
// document before the change; for a delete only there. Other events hold none.
// Among the updated fields, that of [WithLastWriterField] comes first, so an
// update with the mode [Both] is read as that of its writer.
//
// What the updated fields hold in parts is completed from the full document if
// that is of the same write. It decodes nothing and keeps nothing of event. It
// never fails: what is malformed counts as absent.
func ReadChangeEvent[R ~[]byte](event R, opts ...Option) (propagation.Remote, Origin) {
	cfg := newConfig(opts)
	full, before := document(event, "fullDocument"), document(event, "fullDocumentBeforeChange")
	switch operation(event) {
	case "insert", "replace":
		return origin(readRaw(full, &cfg), Written)
	case "update":
		last := cfg
		if last.field = cfg.lastField(); cfg.form != Flat {
			if remote := readUpdated(event, full, &last); remote.Err() == nil {
				return remote, Written
			}
		}
		if remote := readUpdated(event, full, &cfg); remote.Err() == nil {
			return remote, Written
		}
		if remote := readRaw(full, &cfg); remote.Err() == nil {
			return remote, Creation
		}
		return origin(readRaw(before, &cfg), PreImage)
	case "delete":
		return origin(readRaw(before, &cfg), PreImage)
	default:
		return propagation.Remote{}, None
	}
}

// origin returns o if there is a context, else None.
func origin(remote propagation.Remote, o Origin) (propagation.Remote, Origin) {
	if remote.Err() != nil {
		o = None
	}
	return remote, o
}

// readUpdated returns the context that an update wrote.
func readUpdated(event, full []byte, cfg *config) propagation.Remote {
	prefix := cfg.field + "."
	if cfg.field == "" {
		prefix = ""
	}
	var own []string // the names of a Flat context, which stands among fields of the user.
	if cfg.form == Flat {
		own = cfg.keys()
	}
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
		if key, ok := strings.CutPrefix(path, prefix); ok && (own == nil || slices.Contains(own, key)) {
			e.key = []byte(key)
			parts = append(parts, e)
		}
	}
	if len(parts) == 0 {
		return propagation.Remote{}
	}
	field, _ := rawField(full, cfg)
	if field.kind == typeDocument && holds(field.value, parts) {
		return readElement(field, cfg)
	}
	var joined []byte
	for _, e := range parts {
		joined = append(appendHead(joined, e.kind, string(e.key)), e.value...)
	}
	return readElement(element{kind: typeDocument, value: appendDocument(nil, joined)}, cfg)
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

// IsOnlyContext reports whether an event is an update that changed nothing but
// the context. One who reads a change stream and writes back to the documents
// skips such events, or its own writes keep it going for ever.
func IsOnlyContext[R ~[]byte](event R, opts ...Option) bool {
	cfg := newConfig(opts)
	if operation(event) != "update" {
		return false
	}
	description := document(event, "updateDescription")
	changes := 0
	for e := range elements(document(description, "updatedFields")) {
		if changes++; !cfg.covers(string(e.key)) {
			return false
		}
	}
	for _, list := range []string{"removedFields", "truncatedArrays"} {
		array, _ := find(description, list)
		for e := range elements(array.value) {
			if changes++; !cfg.covers(string(e.text())) {
				return false
			}
		}
	}
	return changes > 0
}

// covers reports whether a change to the field at path is one of the context:
// of its field or a part of that, or of the field of the last writer.
func (cfg *config) covers(path string) bool {
	if cfg.form == Flat {
		return slices.ContainsFunc(cfg.keys(), func(key string) bool { return path == cfg.join(key) })
	}
	return within(path, cfg.field) || within(path, cfg.lastField())
}

// within reports whether path is field, or in it.
func within(path, field string) bool {
	rest, ok := strings.CutPrefix(path, field)
	return ok && (rest == "" || rest[0] == '.')
}

// operation returns the kind of change that an event is.
func operation(event []byte) string {
	e, _ := find(event, "operationType")
	return string(e.text())
}

// document returns the document named key in doc, or nil.
func document(doc []byte, key string) []byte {
	if e, ok := find(doc, key); ok && e.kind == typeDocument {
		return e.value
	}
	return nil
}
