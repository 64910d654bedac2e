// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"iter"

	"go.opentelemetry.io/otel/propagation"
)

// InjectTextMap is [Inject] for a carrier that is an OpenTelemetry
// [TextMapCarrier].
//
// A carrier may have more methods than that interface. They are used like those
// of the optional interfaces of a [Setter] and a [Getter]: Delete(key string),
// SetFields(Fields), GetBytes(key string) []byte, Values(key string) []string,
// All() iter.Seq2[string, string] and Index(key string) int. OpenTelemetry's
// MapCarrier and HeaderCarrier are handled specially and need none of these methods;
// the lines of an HTTP header are read as one value.
// If carrier is nil, or a nil map of those two types, InjectTextMap is a no-op.
func InjectTextMap(ctx context.Context, carrier TextMapCarrier, opts ...Option) {
	switch known := carrier.(type) {
	case nil:
	case fieldsSetter:
		Inject[fieldsSetter](ctx, known, wholeTextMap{}, opts...)
	case propagation.MapCarrier:
		if known != nil {
			Inject(ctx, mapCarrier(known), Setter[mapCarrier](mapAccessor{}), opts...)
		}
	case propagation.HeaderCarrier:
		if known != nil {
			Inject(ctx, known, Setter[propagation.HeaderCarrier](headerLines{}), opts...)
		}
	default:
		Inject[TextMapCarrier](ctx, carrier, textMap{}, opts...)
	}
}

// ExtractTextMap is [Extract] for a carrier that is an OpenTelemetry
// [TextMapCarrier]. See [InjectTextMap] for its optional methods.
func ExtractTextMap(ctx context.Context, carrier TextMapCarrier, opts ...Option) context.Context {
	switch known := carrier.(type) {
	case nil:
		return orBackground(ctx)
	case bytesGetter:
		return Extract[bytesGetter](ctx, known, bytesTextMap{}, opts...)
	case propagation.HeaderCarrier:
		return Extract(ctx, known, Getter[propagation.HeaderCarrier](headerLines{}), opts...)
	case valuesGetter:
		return Extract[valuesGetter](ctx, known, valuesTextMap{}, opts...)
	default:
		return Extract[TextMapCarrier](ctx, carrier, textMap{}, opts...)
	}
}

// ReadTextMap is [Read] for a carrier that is an OpenTelemetry [TextMapCarrier].
// See [InjectTextMap] for its optional methods.
func ReadTextMap(carrier TextMapCarrier, opts ...Option) Remote {
	switch known := carrier.(type) {
	case nil:
		return Remote{}
	case bytesGetter:
		return Read[bytesGetter](known, bytesTextMap{}, opts...)
	case propagation.HeaderCarrier:
		return Read(known, Getter[propagation.HeaderCarrier](headerLines{}), opts...)
	case valuesGetter:
		return Read[valuesGetter](known, valuesTextMap{}, opts...)
	default:
		return Read[TextMapCarrier](carrier, textMap{}, opts...)
	}
}

// The optional methods of a TextMapCarrier.
type (
	deleter     interface{ Delete(key string) }
	indexer     interface{ Index(key string) int }
	pairsGetter interface {
		All() iter.Seq2[string, string]
	}
	valuesGetter interface {
		TextMapCarrier
		Values(key string) []string
	}
	bytesGetter interface {
		TextMapCarrier
		GetBytes(key string) []byte
	}
	fieldsSetter interface {
		TextMapCarrier
		SetFields(fields Fields)
	}
)

// textMap is the accessor of a TextMapCarrier.
type textMap struct{}

func (textMap) Get(c TextMapCarrier, key string) string        { return c.Get(key) }
func (textMap) Set(c TextMapCarrier, key, value string)        { c.Set(key, value) }
func (textMap) Keys(c TextMapCarrier) []string                 { return c.Keys() }
func (textMap) All(c TextMapCarrier) iter.Seq2[string, string] { return allOf(c) }
func (textMap) Index(c TextMapCarrier, key string) int         { return indexOf(c, key) }

func (textMap) Delete(c TextMapCarrier, key string) {
	if own, ok := c.(deleter); ok {
		own.Delete(key)
	} else if c.Get(key) != "" {
		c.Set(key, "")
	}
}

// wholeTextMap is the accessor of a TextMapCarrier that sets all fields at once.
type wholeTextMap struct{}

func (wholeTextMap) Get(c fieldsSetter, key string) string   { return c.Get(key) }
func (wholeTextMap) Set(c fieldsSetter, key, value string)   { c.Set(key, value) }
func (wholeTextMap) Keys(c fieldsSetter) []string            { return c.Keys() }
func (wholeTextMap) SetFields(c fieldsSetter, fields Fields) { c.SetFields(fields) }

// valuesTextMap is the accessor of a TextMapCarrier that repeats keys.
type valuesTextMap struct{}

func (valuesTextMap) Get(c valuesGetter, key string) string        { return c.Get(key) }
func (valuesTextMap) Values(c valuesGetter, key string) []string   { return c.Values(key) }
func (valuesTextMap) Keys(c valuesGetter) []string                 { return c.Keys() }
func (valuesTextMap) All(c valuesGetter) iter.Seq2[string, string] { return allOf(c) }
func (valuesTextMap) Index(c valuesGetter, key string) int         { return indexOf(c, key) }

// bytesTextMap is the accessor of a TextMapCarrier of bytes.
type bytesTextMap struct{}

func (bytesTextMap) Get(c bytesGetter, key string) string        { return c.Get(key) }
func (bytesTextMap) GetBytes(c bytesGetter, key string) []byte   { return c.GetBytes(key) }
func (bytesTextMap) Keys(c bytesGetter) []string                 { return c.Keys() }
func (bytesTextMap) All(c bytesGetter) iter.Seq2[string, string] { return allOf(c) }
func (bytesTextMap) Index(c bytesGetter, key string) int         { return indexOf(c, key) }

func (bytesTextMap) Values(c bytesGetter, key string) []string {
	if multi, ok := c.(valuesGetter); ok {
		return multi.Values(key)
	}
	if value := c.Get(key); value != "" {
		return []string{value}
	}
	return nil
}

// indexOf returns the position of the value of key, or -1 if c has no order.
func indexOf(c TextMapCarrier, key string) int {
	if ordered, ok := c.(indexer); ok {
		return ordered.Index(key)
	}
	return -1
}

// allOf returns the pairs of c.
func allOf(c TextMapCarrier) iter.Seq2[string, string] {
	if own, ok := c.(pairsGetter); ok {
		return own.All()
	}
	return nil
}
