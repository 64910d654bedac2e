// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"crypto/sha256"
)

// StripD returns doc without the context, for code that must not see it. It
// leaves the memory of doc alone; a document without a context is returned as
// it is.
func StripD[D ~[]E, E Elem](doc D, opts ...Option) D {
	s, cfg := newStrip(opts)
	defer s.release()
	path, _ := s.prepare(&cfg)
	stripped, _ := editD(doc, path, &s.change)
	return stripped
}

// StripM returns doc without the context, as a copy. Nested documents that do
// not hold the context are shared with doc.
func StripM[M ~map[string]any](doc M, opts ...Option) M {
	s, cfg := newStrip(opts)
	defer s.release()
	path, _ := s.prepare(&cfg)
	stripped, _ := editM(doc, path, &s.change)
	return stripped
}

// StripRaw returns doc without the context, as a copy if it had one. What is no
// document is returned as it is.
func StripRaw[R ~[]byte](doc R, opts ...Option) R {
	s, cfg := newStrip(opts)
	defer s.release()
	n, err := documentLen(doc)
	if err != nil {
		return doc
	}
	path, _ := s.prepare(&cfg)
	e := rawEdit{doc: doc[:n], remove: s.change.remove, copying: copied}
	if err := e.edit(0, path); err != nil {
		return doc
	}
	return e.doc
}

// Digest returns the SHA-256 of doc without the context: equal documents have
// equal ones, whoever wrote them when. Use it to find duplicates, or as an ETag.
func Digest[R ~[]byte](doc R, opts ...Option) [sha256.Size]byte {
	return sha256.Sum256(StripRaw(doc, opts...))
}

// newStrip returns the slip of a document that loses its context.
func newStrip(opts []Option) (*slip, config) {
	cfg := newConfig(opts)
	cfg.copying = copied
	s := newSlip()
	s.clearAll(&cfg)
	return s, cfg
}
