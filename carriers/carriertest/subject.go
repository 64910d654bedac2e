// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriertest

import (
	"context"

	"github.com/waybill-go/waybill/propagation"
)

// subject is a carrier as the rules see it, whatever its type. A nil function is
// one that the carrier does not have.
type subject struct {
	get      func(key string) string
	set      func(key, value string)
	keys     func() []string
	values   func(key string) []string
	delete   func(key string)
	getBytes func(key string) []byte

	inject  func(ctx context.Context, opts ...propagation.Option)
	read    func(opts ...propagation.Option) propagation.Remote
	extract func(ctx context.Context, opts ...propagation.Option) context.Context

	fork    func() *subject
	entries func() int
}

// bindTextMap returns c as a subject.
func bindTextMap(c propagation.TextMapCarrier) *subject {
	s := &subject{get: c.Get, set: c.Set, keys: c.Keys}
	if own, ok := c.(interface{ Values(key string) []string }); ok {
		s.values = own.Values
	}
	if own, ok := c.(interface{ Delete(key string) }); ok {
		s.delete = own.Delete
	}
	if own, ok := c.(interface{ GetBytes(key string) []byte }); ok {
		s.getBytes = own.GetBytes
	}
	s.inject = func(ctx context.Context, opts ...propagation.Option) {
		propagation.InjectTextMap(ctx, c, opts...)
	}
	s.read = func(opts ...propagation.Option) propagation.Remote {
		return propagation.ReadTextMap(c, opts...)
	}
	s.extract = func(ctx context.Context, opts ...propagation.Option) context.Context {
		return propagation.ExtractTextMap(ctx, c, opts...)
	}
	return s
}

// binder returns a function that makes a subject of a carrier with accessors,
// or nil if one of them is.
func binder[C any](getter propagation.Getter[C], setter propagation.Setter[C]) func(c C) *subject {
	if getter == nil || setter == nil {
		return nil
	}
	return func(c C) *subject {
		s := &subject{
			get: func(key string) string { return getter.Get(c, key) },
			set: func(key, value string) { setter.Set(c, key, value) },
		}
		if own, ok := getter.(propagation.Keyer[C]); ok {
			s.keys = func() []string { return own.Keys(c) }
		}
		if own, ok := getter.(propagation.ValuesGetter[C]); ok {
			s.values = func(key string) []string { return own.Values(c, key) }
		}
		if own, ok := setter.(propagation.Deleter[C]); ok {
			s.delete = func(key string) { own.Delete(c, key) }
		}
		if own, ok := getter.(propagation.BytesGetter[C]); ok {
			s.getBytes = func(key string) []byte { return own.GetBytes(c, key) }
		}
		s.inject = func(ctx context.Context, opts ...propagation.Option) {
			propagation.Inject(ctx, c, setter, opts...)
		}
		s.read = func(opts ...propagation.Option) propagation.Remote {
			return propagation.Read(c, getter, opts...)
		}
		s.extract = func(ctx context.Context, opts ...propagation.Option) context.Context {
			return propagation.Extract(ctx, c, getter, opts...)
		}
		return s
	}
}
