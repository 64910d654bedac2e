// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import "iter"

// Setter writes values to a carrier. Set replaces every value under key. It must
// not keep carrier or write to memory the carrier does not own.
type Setter[C any] interface {
	Set(carrier C, key, value string)
}

// Getter reads values from a carrier. Get returns the empty string if there is
// no value under key.
type Getter[C any] interface {
	Get(carrier C, key string) string
}

// Deleter is an optional interface that a [Setter] may implement. If
// implemented, [Inject] uses it to remove stale fields; otherwise, if the setter
// is also a [Getter], Inject sets them to the empty string. A setter that
// implements neither leaves them in place.
type Deleter[C any] interface {
	Delete(carrier C, key string)
}

// FieldsSetter is an optional interface that a [Setter] may implement. If
// implemented, [Inject] calls SetFields once instead of Delete and Set.
//
// SetFields removes every key for which [Fields.Clears] reports true and then
// sets the pairs of fields. Implement it for a carrier of bytes, to avoid
// strings; for one that keeps its keys in a list or a text, to go through it
// once; and for one with a limit of its own, see [Fields.ShrinkFunc].
type FieldsSetter[C any] interface {
	SetFields(carrier C, fields Fields)
}

// Keyer is an optional interface that a [Getter] may implement, for propagators
// that search for keys, such as those of Jaeger's and OpenTracing's baggage. Get
// must return a value for each key that Keys returns.
type Keyer[C any] interface {
	Keys(carrier C) []string
}

// PairsGetter is an optional interface that a [Getter] may implement if finding a
// key takes time proportional to the size of the carrier. All returns an
// iterator over the keys that Keys returns and the values that Get returns for
// them. Propagators that search for keys then go through the carrier once.
type PairsGetter[C any] interface {
	All(carrier C) iter.Seq2[string, string]
}

// ValuesGetter is an optional interface that a [Getter] may implement if its
// medium can hold several values under a key. Values returns them in order. The
// values of baggage, and those of tracestate, are then combined.
type ValuesGetter[C any] interface {
	Values(carrier C, key string) []string
}

// BytesGetter is an optional interface that a [Getter] may implement if its
// medium holds bytes. GetBytes is Get without the conversion; it returns nil if
// there is no value under key. The result is neither retained nor modified.
type BytesGetter[C any] interface {
	GetBytes(carrier C, key string) []byte
}

// Indexer is an optional interface that a [Getter] may implement if its medium
// keeps values in the order they were written, as Kafka keeps headers. Index
// returns the position of the value that Get returns, or a negative number if
// there is no value. If the carrier holds trace contexts in several formats, Read
// then returns the one at the highest position, rather than the one that the last
// propagator finds.
type Indexer[C any] interface {
	Index(carrier C, key string) int
}

// SetterFunc adapts an ordinary function to a [Setter].
type SetterFunc[C any] func(carrier C, key, value string)

// Set calls f. If f is nil, Set is a no-op.
func (f SetterFunc[C]) Set(carrier C, key, value string) {
	if f != nil {
		f(carrier, key, value)
	}
}

// GetterFunc adapts an ordinary function to a [Getter].
type GetterFunc[C any] func(carrier C, key string) string

// Get calls f. If f is nil, Get returns the empty string.
func (f GetterFunc[C]) Get(carrier C, key string) string {
	if f == nil {
		return ""
	}
	return f(carrier, key)
}
