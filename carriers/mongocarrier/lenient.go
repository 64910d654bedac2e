// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package mongocarrier

import (
	"context"

	"github.com/waybill-go/waybill/propagation"
)

// LenientField is a [Field] that decodes anything, for collections in which
// others write other things to the field: with driver v2, a value that is not a
// context is decoded as the zero LenientField. Driver v1 does not ask the method
// that makes it lenient; there, declare the field as any and use [ReadM].
//
// Do not embed a LenientField: its method would become one of the outer struct.
// The zero value is ready to use.
type LenientField Field

// UnmarshalBSONValue sets f to the context in a value of BSON. It returns no
// error and keeps nothing of data.
func (f *LenientField) UnmarshalBSONValue(kind byte, data []byte) error {
	r := newReader()
	defer r.release()
	r.load(element{kind: kind, value: data}.content())
	*f = LenientField(r.copy())
	return nil
}

// IsZero reports whether f is empty.
func (f LenientField) IsZero() bool { return Field(f).IsZero() }

// Remote returns the context of f, as [Field.Remote] does.
func (f LenientField) Remote(opts ...propagation.Option) propagation.Remote {
	return Field(f).Remote(opts...)
}

// Context returns ctx with the context of f, as [Field.Context] does.
func (f LenientField) Context(ctx context.Context, opts ...propagation.Option) context.Context {
	return Field(f).Context(ctx, opts...)
}
