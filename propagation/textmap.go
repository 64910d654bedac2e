// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// InjectTextMap is [Inject] for a carrier that is an OpenTelemetry
// [TextMapCarrier].
//
// A carrier may have more methods than the interface asks for, which are used
// as those of the accessors are: Delete(key string), SetBytes(key string,
// value []byte), GetBytes(key string) []byte and Values(key string) []string.
// OpenTelemetry's MapCarrier and HeaderCarrier are known without, and the lines
// of an HTTP header are read as one value. A nil carrier, or a nil map in one of
// those two, takes nothing.
func InjectTextMap(ctx context.Context, carrier TextMapCarrier, opts ...Option) {
	switch known := carrier.(type) {
	case nil:
	case bytesSetter:
		Inject[bytesSetter](ctx, known, bytesWriter{}, opts...)
	case propagation.MapCarrier:
		if known != nil {
			Inject[TextMapCarrier](ctx, carrier, textMap{}, opts...)
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
// [TextMapCarrier]. See [InjectTextMap] for what it may be besides.
func ExtractTextMap(ctx context.Context, carrier TextMapCarrier, opts ...Option) context.Context {
	switch known := carrier.(type) {
	case nil:
		return orBackground(ctx)
	case bytesGetter:
		return Extract[bytesGetter](ctx, known, bytesReader{}, opts...)
	case propagation.HeaderCarrier:
		return Extract(ctx, known, Getter[propagation.HeaderCarrier](headerLines{}), opts...)
	default:
		return Extract[TextMapCarrier](ctx, carrier, textMap{}, opts...)
	}
}

// ReadTextMap is [Read] for a carrier that is an OpenTelemetry
// [TextMapCarrier]. See [InjectTextMap] for what it may be besides.
func ReadTextMap(carrier TextMapCarrier, opts ...Option) Remote {
	switch known := carrier.(type) {
	case nil:
		return Remote{}
	case bytesGetter:
		return Read[bytesGetter](known, bytesReader{}, opts...)
	case propagation.HeaderCarrier:
		return Read(known, Getter[propagation.HeaderCarrier](headerLines{}), opts...)
	default:
		return Read[TextMapCarrier](carrier, textMap{}, opts...)
	}
}

type (
	deleter      interface{ Delete(key string) }
	valuesGetter interface{ Values(key string) []string }
	bytesGetter  interface {
		TextMapCarrier
		GetBytes(key string) []byte
	}
	bytesSetter interface {
		TextMapCarrier
		SetBytes(key string, value []byte)
	}
)

// ownMethods marks the accessors of carriers that are TextMapCarriers.
type ownMethods interface {
	textMapCarrier(carrier any) TextMapCarrier
}

type byOwnMethods struct{}

func (byOwnMethods) textMapCarrier(carrier any) TextMapCarrier {
	own, _ := carrier.(TextMapCarrier)
	return own
}

// textMap is the accessor of any TextMapCarrier.
type textMap struct{ byOwnMethods }

func (textMap) Get(c TextMapCarrier, key string) string { return c.Get(key) }
func (textMap) Set(c TextMapCarrier, key, value string) { c.Set(key, value) }
func (textMap) Keys(c TextMapCarrier) []string          { return c.Keys() }

func (textMap) Values(c TextMapCarrier, key string) []string {
	if multi, ok := c.(valuesGetter); ok {
		return multi.Values(key)
	}
	return single(c, key)
}

func (textMap) Delete(c TextMapCarrier, key string) { deleteKey(c, key) }

// bytesWriter is the accessor of a TextMapCarrier that takes bytes.
type bytesWriter struct{ byOwnMethods }

func (bytesWriter) Get(c bytesSetter, key string) string         { return c.Get(key) }
func (bytesWriter) Set(c bytesSetter, key, value string)         { c.Set(key, value) }
func (bytesWriter) SetBytes(c bytesSetter, key string, v []byte) { c.SetBytes(key, v) }
func (bytesWriter) Keys(c bytesSetter) []string                  { return c.Keys() }
func (bytesWriter) Delete(c bytesSetter, key string)             { deleteKey(c, key) }

// bytesReader is the accessor of a TextMapCarrier that gives bytes.
type bytesReader struct{ byOwnMethods }

func (bytesReader) Get(c bytesGetter, key string) string      { return c.Get(key) }
func (bytesReader) GetBytes(c bytesGetter, key string) []byte { return c.GetBytes(key) }
func (bytesReader) Keys(c bytesGetter) []string               { return c.Keys() }

func (bytesReader) Values(c bytesGetter, key string) []string {
	if multi, ok := c.(valuesGetter); ok {
		return multi.Values(key)
	}
	return single(c, key)
}

func single(c TextMapCarrier, key string) []string {
	if value := c.Get(key); value != "" {
		return []string{value}
	}
	return nil
}

// deleteKey takes key off c by the best means c has.
func deleteKey(c TextMapCarrier, key string) {
	switch known := c.(type) {
	case deleter:
		known.Delete(key)
	case propagation.MapCarrier:
		delete(known, key)
	default:
		if c.Get(key) != "" {
			c.Set(key, "")
		}
	}
}
