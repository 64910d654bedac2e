// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package observe

import "context"

// StageContextKey is the key under which a context holds the *[StageID] of the
// run it belongs to. Package stages sets it; [StageFromContext] reads it.
type StageContextKey struct{}

// StageFromContext returns the stage whose run ctx belongs to, the innermost
// one if there are several. It reports false if there is none.
func StageFromContext(ctx context.Context) (StageID, bool) {
	if ctx == nil {
		return StageID{}, false
	}
	id, ok := ctx.Value(StageContextKey{}).(*StageID)
	if !ok || id == nil {
		return StageID{}, false
	}
	return *id, true
}
