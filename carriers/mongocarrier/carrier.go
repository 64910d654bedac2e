// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "github.com/waybill-go/waybill/propagation"

// Carrier is the context in one document as a [propagation.TextMapCarrier], for
// code that asks for one. Injecting and extracting are cheaper.
//
// Set and Delete write the document anew, in memory of its own if the document
// is a slice, so that documents that share memory stay independent. They do not
// look at the size of the document.
//
// A nil or zero Carrier is empty, and Set is a no-op. Reading is safe for
// concurrent use; a Carrier that is written to must not be used concurrently.
type Carrier struct {
	load  func() any // the value that holds the context.
	store func(parent string, e *edit)
	cfg   config
}

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// NewD returns the carrier of an ordered document. If doc is nil, it is empty.
func NewD[D ~[]E, E Elem](doc *D, opts ...Option) *Carrier {
	if doc == nil {
		return &Carrier{}
	}
	c := &Carrier{cfg: newConfig(opts)}
	c.load = func() any { return valueD(*doc, c.cfg.field) }
	c.store = func(parent string, e *edit) {
		e.empty = D(nil)
		*doc, _ = editD(*doc, parent, e)
	}
	return c
}

// NewM returns the carrier of an unordered document, to which it writes. If doc
// is nil, it is empty.
func NewM[M ~map[string]any](doc M, opts ...Option) *Carrier {
	if doc == nil {
		return &Carrier{}
	}
	c := &Carrier{cfg: newConfig(opts)}
	c.load = func() any { return valueM(doc, c.cfg.field) }
	c.store = func(parent string, e *edit) {
		e.empty, e.inPlace = M(nil), true
		_, _ = editM(doc, parent, e)
	}
	return c
}

// NewRaw returns the carrier of a document of bytes. If doc is nil or malformed,
// it is empty.
func NewRaw[R ~[]byte](doc *R, opts ...Option) *Carrier {
	if doc == nil {
		return &Carrier{}
	}
	c := &Carrier{cfg: newConfig(opts)}
	c.load = func() any { return valueRaw(*doc, c.cfg.field) }
	c.store = func(parent string, e *edit) {
		raw := e.raw()
		*doc, _ = raw.rewritten(*doc, parent)
	}
	return c
}

// reader returns what reads the context. It must be released.
func (c *Carrier) reader() *reader {
	r := newReader()
	r.exact = true
	if c != nil && c.load != nil {
		r.load(c.load())
	}
	return r
}

// Get returns the value under key, or the empty string.
func (c *Carrier) Get(key string) string {
	r := c.reader()
	defer r.release()
	return r.get(key)
}

// Keys returns the keys that have a value, each once, and at most 1024. Those of
// a [FormFlat] context are all keys of the document whose values are text.
func (c *Carrier) Keys() []string {
	r := c.reader()
	defer r.release()
	return r.listKeys()
}

// Set sets the value under key. If value is empty, it deletes the key.
func (c *Carrier) Set(key, value string) {
	if value == "" {
		c.Delete(key)
		return
	}
	c.update(key, value)
}

// Delete removes the value under key.
func (c *Carrier) Delete(key string) {
	if c.Get(key) != "" {
		c.update(key, "")
	}
}

// update sets the value under key, or removes it if value is empty.
func (c *Carrier) update(key, value string) {
	if c == nil || c.store == nil || c.cfg.invalid {
		return
	}
	parent, e := c.cfg.newEdit()
	if e.isFlat {
		e.isFlat, e.name = false, nameOf(key)
		if value != "" {
			e.value = storable(value)
		}
		c.store(parent, &e)
		return
	}
	r := c.reader()
	defer r.release()
	content := r.copy()
	content.set(key, value)
	if !content.IsZero() {
		e.value = valueOf(&content, c.cfg.form)
	}
	c.store(parent, &e)
}
