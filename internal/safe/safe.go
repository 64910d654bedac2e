// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package safe keeps what comes from outside of a package from doing harm: text
// of any bytes and length, functions that panic, contexts that are nil. It
// imports the standard library only.
package safe

import "context"

// Contain stops a panic. It must be deferred directly: defer safe.Contain().
func Contain() { _ = recover() }

// Context returns ctx, or context.Background() if ctx is nil.
func Context(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background() //nolint:forbidigo // the documented meaning of a nil context.
	}
	return ctx
}
