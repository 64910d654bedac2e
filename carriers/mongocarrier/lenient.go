// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"

	"github.com/waybill-go/waybill/propagation"
)

// LenientField is a [TraceContext] whose decoding never fails, for collections
// in which others write other things to the field: with driver v2, what is no
// context is read as none. Driver v1 knows only the strict kind; there, declare
// the field as any and read it with [ReadM].
//
// Do not embed it: the method that makes it lenient would become one of the
// outer struct. The zero LenientField holds nothing.
type LenientField TraceContext

// UnmarshalBSONValue sets f to the context that a value of BSON is, if it is
// one. It returns no error, and keeps nothing of data.
func (f *LenientField) UnmarshalBSONValue(kind byte, data []byte) error {
	*f = LenientField(contentOf(element{kind: kind, value: data}.source()))
	return nil
}

// IsZero reports whether f holds nothing.
func (f LenientField) IsZero() bool { return TraceContext(f).IsZero() }

// Remote returns the context that f holds, as [TraceContext.Remote] does.
func (f LenientField) Remote(opts ...Option) propagation.Remote {
	return TraceContext(f).Remote(opts...)
}

// Context returns ctx with the context that f holds, or ctx itself.
func (f LenientField) Context(ctx context.Context, opts ...Option) context.Context {
	return TraceContext(f).Context(ctx, opts...)
}
