// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"strings"

	"github.com/waybill-go/waybill/propagation"
)

// Carrier is the context in one document as a [propagation.TextMapCarrier], for
// code that asks for one. Injecting and extracting are cheaper.
//
// It writes the document anew for each value it sets, in memory of its own if
// the document is a slice, so documents that share memory stay independent. It
// writes what it is told, whatever the size.
//
// A Carrier must not be used concurrently, but for reading. The zero Carrier
// and a nil one hold nothing and take nothing.
type Carrier struct {
	load  func() any // the value that holds the context.
	store func(parent string, c *change)
	cfg   config
}

var _ propagation.TextMapCarrier = (*Carrier)(nil)

// NewD returns the carrier of an ordered document. A nil doc is one that takes
// nothing.
func NewD[D ~[]E, E Elem](doc *D, opts ...Option) *Carrier {
	if doc == nil {
		return &Carrier{}
	}
	c := &Carrier{cfg: newConfig(opts)}
	c.load = func() any { return fieldOfD(*doc, &c.cfg) }
	c.store = func(parent string, change *change) {
		change.empty, change.copying = D(nil), copied
		*doc, _ = editD(*doc, parent, change)
	}
	return c
}

// NewM returns the carrier of an unordered document, which it writes to. A nil
// doc is one that takes nothing.
func NewM[M ~map[string]any](doc M, opts ...Option) *Carrier {
	if doc == nil {
		return &Carrier{}
	}
	c := &Carrier{cfg: newConfig(opts)}
	c.load = func() any { return lookupM(doc, c.cfg.field) }
	c.store = func(parent string, change *change) {
		change.empty = M(nil)
		_, _ = editM(doc, parent, change)
	}
	return c
}

// NewRaw returns the carrier of a document of bytes. A nil doc is one that takes
// nothing, and so is one that is malformed.
func NewRaw[R ~[]byte](doc *R, opts ...Option) *Carrier {
	if doc == nil {
		return &Carrier{}
	}
	c := &Carrier{cfg: newConfig(opts)}
	c.load = func() any {
		field, _ := rawField(*doc, &c.cfg)
		return field.source()
	}
	c.store = func(parent string, change *change) {
		if edited, err := editBytes(*doc, parent, change); err == nil {
			*doc = edited
		}
	}
	return c
}

// source returns what is read.
func (c *Carrier) source() any {
	if c == nil || c.load == nil {
		return nil
	}
	return source(c.load())
}

// Get returns the value under key, or "".
func (c *Carrier) Get(key string) string { return valueGetter{}.Get(c.source(), key) }

// Keys returns the keys that have a value, each once. Those of a [Flat] context
// are all the keys of the document whose values are text.
func (c *Carrier) Keys() []string {
	content := contentOf(c.source())
	return content.keys()
}

// Set sets the value under key. One that is "" deletes the key.
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

// update sets the value under key, "" to remove it.
func (c *Carrier) update(key, value string) {
	if c == nil || c.store == nil || c.cfg.blocked {
		return
	}
	parent, leaf := c.cfg.place()
	if c.cfg.form == Flat {
		content := TraceContext{}
		content.set(key, value)
		c.store(parent, &change{remove: []string{escapeKey(key), key}, set: content.fields()})
		return
	}
	content := contentOf(c.source())
	content.set(key, value)
	if content.IsZero() {
		c.store(parent, &change{remove: []string{leaf}})
		return
	}
	c.store(parent, &change{set: []elem{{leaf, content.value(c.cfg.form)}}})
}

// contentOf returns a copy of what a source holds.
func contentOf(from any) TraceContext {
	var content TraceContext
	eachText(from, func(key, value string) {
		if content.get(key) == "" {
			content.set(key, strings.Clone(value))
		}
	})
	return content
}
