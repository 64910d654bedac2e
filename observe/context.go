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

// MessageContextKey is the key under which a context holds the *[Message] that it
// handles. The carriers of messages and documents set it; [MessageFromContext] reads
// it.
type MessageContextKey struct{}

// Message identifies the message or document, or the batch of them, that a context
// handles.
type Message struct {
	System      string
	Destination string // The topic or collection; empty if there are several, or it is unknown.
	Partition   int    // -1 if there are several, or none.
	Offset      int64  // -1 if there are several, or none.
}

// MessageFromContext returns the message that ctx handles, the innermost one if there
// are several. It reports false if there is none.
func MessageFromContext(ctx context.Context) (Message, bool) {
	if ctx == nil {
		return Message{}, false
	}
	m, ok := ctx.Value(MessageContextKey{}).(*Message)
	if !ok || m == nil {
		return Message{}, false
	}
	return *m, true
}
