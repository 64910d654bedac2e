// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import "crypto/sha256"

// StripD returns doc without the context, for code that must not see it. If doc
// has no context, it is returned as it is. StripD does not modify its argument;
// the result shares the values with it.
func StripD[D ~[]E, E Elem](doc D, opts ...Option) D {
	e, parent := newStrip(opts)
	stripped, _ := editD(doc, parent, &e)
	return stripped
}

// StripM returns a copy of doc without the context. StripM does not modify its
// argument; the result shares the values with it.
func StripM[M ~map[string]any](doc M, opts ...Option) M {
	e, parent := newStrip(opts)
	stripped, _ := editM(doc, parent, &e)
	return stripped
}

// StripRaw returns doc without the context. If doc has no context or is not
// BSON, it is returned as it is. StripRaw does not modify its argument.
func StripRaw[R ~[]byte](doc R, opts ...Option) R {
	e, parent := newStrip(opts)
	raw := e.raw()
	stripped, _ := raw.rewritten(doc, parent)
	return stripped
}

// Digest returns the SHA-256 of doc without the context: equal documents have
// equal digests, whoever has written them and when. Use it to find duplicates,
// or as an ETag.
func Digest[R ~[]byte](doc R, opts ...Option) [sha256.Size]byte {
	return sha256.Sum256(StripRaw(doc, opts...))
}

// newStrip returns the change of a document that loses its context, and the path
// to it.
func newStrip(opts []Option) (e edit, parent string) {
	cfg := newConfig(opts)
	if parent, e = cfg.newEdit(); e.isFlat {
		e.clears = cfg.cleared()
	}
	e.inPlace = false
	return e, parent
}
